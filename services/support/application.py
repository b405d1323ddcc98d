"""Support's commands: load, decide, record."""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.support.commands import (
    AssignTicket,
    BreachSla,
    ChangeTicket,
    CloseQuietTicket,
    CloseTicket,
    DefineBusinessCalendar,
    DefineSlaPolicy,
    EndEntitlement,
    ExpireSurvey,
    GrantEntitlement,
    ImportTicket,
    MergeTicket,
    OpenTicket,
    PendTicket,
    RaiseSlaRisk,
    RateTicket,
    RebaseSla,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    SplitTicket,
    TicketCommand,
    UnmergeTicket,
    UnwatchTicket,
    WatchTicket,
)
from services.support.domain.business_calendar import BusinessCalendar, define_calendar
from services.support.domain.coverage import Coverage
from services.support.domain.sla_policy import ServiceLevel, SlaPolicy, define_policy
from services.support.domain.survey import CustomerWasNotAsked, Survey, ask
from services.support.domain.ticket import Ticket
from services.support.domain.ticket_openings import import_ticket, open_ticket, ticket_number
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, NotFound, derived_id
from shared.events.base import Event
from shared.events.support import SlaBreached, TicketClosed
from shared.events.values import EntitlementId, Label, SlaPolicyId, TicketId

__all__ = ["SupportApplication"]

Decide = Callable[[Ticket, ServiceLevel | None], Sequence[Event]]

_DEFAULT_POLICY = ("sla_policy", "default")
_IN_FORCE = "contract_in_force"


class SupportApplication(Application):
    """Tickets, the service promised for them, and what customers thought of it."""

    context = "support"

    def open_ticket(self, command: OpenTicket) -> Answer:
        ticket_id = command.ticket_id or command.new_id("ticket")

        def decide(work: Work) -> str:
            if command.source and command.external_id:
                work.claim(f"external:{command.source}", command.external_id, ticket_id)
            if command.parent_id is not None:
                work.load(Ticket, command.parent_id)
            _open(work, ticket_id, command)
            return ticket_id

        return self.commit(command, decide)

    def import_ticket(self, command: ImportTicket) -> Answer:
        ticket_id = command.ticket_id or command.new_id("ticket")

        def decide(work: Work) -> str:
            work.claim(f"external:{command.source}", command.external_id, ticket_id)
            opened_at = command.opened_at or command.at
            number = _numbered(work, ticket_id, opened_at, command.number)
            for moment, event in import_ticket(command, number=number):
                work.record(ticket_id, [event], at=moment)
            return ticket_id

        return self.commit(command, decide)

    def change_ticket(self, command: ChangeTicket) -> Answer:
        def decide(work: Work) -> str:
            ticket = work.load(Ticket, command.ticket_id)
            above = _with_all_above(work, command.parent_id)
            events = ticket.change(command, _level_of(work, ticket), above)
            _record(work, command.ticket_id, events)
            return command.ticket_id

        return self.commit(command, decide)

    def rebase_sla(self, command: RebaseSla) -> Answer:
        def decide(work: Work) -> str:
            ticket = work.load(Ticket, command.ticket_id)
            entitlement_id, level = _service(work, ticket, command.at)
            events = ticket.rebase(command, _level_of(work, ticket), level, entitlement_id)
            _record(work, command.ticket_id, events)
            return command.ticket_id

        return self.commit(command, decide)

    def assign_ticket(self, command: AssignTicket) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.assign(command))

    def reply_to_ticket(self, command: ReplyToTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.reply(command, level))

    def pend_ticket(self, command: PendTicket) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.pend(command))

    def resume_ticket(self, command: ResumeTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.resume(command, level))

    def resolve_ticket(self, command: ResolveTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.resolve(command, level))

    def close_ticket(self, command: CloseTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.close(command, level))

    def close_quiet_ticket(self, command: CloseQuietTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.close_quiet(command, level))

    def reopen_ticket(self, command: ReopenTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.reopen(command, level))

    def merge_ticket(self, command: MergeTicket) -> Answer:
        def decide(work: Work) -> str:
            ticket, into = work.load(Ticket, command.ticket_id), work.load(Ticket, command.into_id)
            _record(work, command.ticket_id, ticket.merge(command, into))
            return command.ticket_id

        return self.commit(command, decide)

    def split_ticket(self, command: SplitTicket) -> Answer:
        command_id, count = command.envelope.command_id, len(command.parts)
        into_ids = [derived_id(command.at, command_id, f"part {number}") for number in range(count)]

        def decide(work: Work) -> str:
            ticket = work.load(Ticket, command.ticket_id)
            work.record(command.ticket_id, ticket.split(into_ids))
            for into_id, part in zip(into_ids, command.parts, strict=True):
                opening = ticket.opening(part).issued(command.envelope)
                _open(work, into_id, opening, split_from_id=command.ticket_id)
            return command.ticket_id

        return self.commit(command, decide, lambda: {"into_ids": ",".join(into_ids)})

    def unmerge_ticket(self, command: UnmergeTicket) -> Answer:
        return self._handle(command, lambda ticket, level: ticket.unmerge(command, level))

    def watch_ticket(self, command: WatchTicket) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.watch(command))

    def unwatch_ticket(self, command: UnwatchTicket) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.unwatch(command))

    def raise_sla_risk(self, command: RaiseSlaRisk) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.raise_risk(command))

    def breach_sla(self, command: BreachSla) -> Answer:
        return self._handle(command, lambda ticket, _: ticket.breach(command))

    def rate_ticket(self, command: RateTicket) -> Answer:
        def decide(work: Work) -> str:
            work.load(Ticket, command.ticket_id)
            survey_id = command.survey_id or work.holder("survey", command.ticket_id)
            if survey_id is None:
                raise CustomerWasNotAsked
            survey = work.load(Survey, survey_id)
            if survey.ticket_id != command.ticket_id:
                raise NotFound("survey", survey_id)
            work.record(survey_id, survey.rate(command))
            return survey_id

        return self.commit(command, decide)

    def expire_survey(self, command: ExpireSurvey) -> Answer:
        return self.change(
            Survey, command.survey_id, lambda survey: survey.expire(command), command
        )

    def define_business_calendar(self, command: DefineBusinessCalendar) -> Answer:
        calendar_id = command.calendar_id or command.new_id("calendar")

        def decide(work: Work) -> str:
            calendar = work.find(BusinessCalendar, calendar_id)
            work.record(calendar_id, define_calendar(calendar, command))
            return calendar_id

        return self.commit(command, decide)

    def define_sla_policy(self, command: DefineSlaPolicy) -> Answer:
        policy_id = command.sla_policy_id or command.new_id("sla_policy")

        def decide(work: Work) -> str:
            work.load(BusinessCalendar, command.calendar_id)
            policy = work.find(SlaPolicy, policy_id)
            work.record(policy_id, define_policy(policy, command))
            default_id = work.holder(*_DEFAULT_POLICY)
            if command.is_default and default_id != policy_id:
                if default_id is not None:
                    work.record(default_id, work.load(SlaPolicy, default_id).step_back())
                    work.release(*_DEFAULT_POLICY)
                work.claim(*_DEFAULT_POLICY, policy_id)
            elif not command.is_default and default_id == policy_id:
                work.release(*_DEFAULT_POLICY)
            return policy_id

        return self.commit(command, decide)

    def grant_entitlement(self, command: GrantEntitlement) -> Answer:
        def decide(work: Work) -> str:
            policy_id = command.sla_policy_id or work.holder(*_DEFAULT_POLICY)
            coverage = work.find(Coverage, command.account_id) or Coverage()
            if not command.is_amended:
                work.claim(_IN_FORCE, command.contract_id, command.account_id)
            known = command.contract_id in coverage.entitlements
            in_force = known or work.holder(_IN_FORCE, command.contract_id) is not None
            if policy_id is not None and in_force:
                work.record(command.account_id, coverage.grant(command, policy_id))
            return command.account_id

        return self.commit(command, decide)

    def end_entitlement(self, command: EndEntitlement) -> Answer:
        def decide(work: Work) -> str:
            coverage = work.find(Coverage, command.account_id) or Coverage()
            work.record(command.account_id, coverage.end(command))
            work.release(_IN_FORCE, command.contract_id)
            return command.account_id

        return self.commit(command, decide)

    def _handle(self, command: TicketCommand, decide: Decide) -> Answer:
        def one(work: Work) -> str:
            ticket = work.load(Ticket, command.ticket_id)
            _record(work, command.ticket_id, decide(ticket, _level_of(work, ticket)))
            return command.ticket_id

        return self.commit(command, one)


def _open(
    work: Work, ticket_id: TicketId, command: OpenTicket, split_from_id: TicketId | None = None
) -> None:
    """Open a ticket under a number of its own and the service its customer is entitled to."""
    entitlement_id, level = _service(work, command, command.at)
    events = open_ticket(
        command,
        number=_numbered(work, ticket_id, command.at),
        entitlement_id=entitlement_id,
        level=level,
        split_from_id=split_from_id,
    )
    work.record(ticket_id, events)


def _record(work: Work, ticket_id: TicketId, events: Sequence[Event]) -> None:
    """Record facts about a ticket; breaches at the moment they came, closings with a survey."""
    for event in events:
        work.record(ticket_id, [event], at=event.due_at if isinstance(event, SlaBreached) else None)
        if isinstance(event, TicketClosed):
            _ask(work, ticket_id, event)


def _ask(work: Work, ticket_id: TicketId, closed: TicketClosed) -> None:
    at = work.envelope.occurred_at
    survey_id = derived_id(at, work.envelope.command_id, "survey")
    work.record(survey_id, ask(ticket_id, closed, at))
    work.release("survey", ticket_id)
    work.claim("survey", ticket_id, survey_id)


def _service(
    work: Work, matter: OpenTicket | Ticket, at: datetime
) -> tuple[EntitlementId | None, ServiceLevel | None]:
    """Return what the matter's customer is entitled to, and the level in its current versions."""
    coverage = work.find(Coverage, matter.account_id) if matter.account_id else None
    entitled = coverage.at(at, matter.contract_id) if coverage else None
    level = _current_level(work, entitled.sla_policy_id if entitled else None)
    return entitled.contract_id if entitled and level else None, level


def _with_all_above(work: Work, parent_id: TicketId | None) -> Sequence[TicketId]:
    """Return a ticket, which must exist, and all above it."""
    above: list[TicketId] = []
    ticket = work.load(Ticket, parent_id) if parent_id else None
    while parent_id is not None and parent_id not in above:
        above.append(parent_id)
        parent_id = ticket.parent_id if ticket else None
        ticket = work.find(Ticket, parent_id) if parent_id else None
    return above


def _current_level(work: Work, wanted: SlaPolicyId | None) -> ServiceLevel | None:
    for policy_id in (wanted, work.holder(*_DEFAULT_POLICY)):
        policy = work.find(SlaPolicy, policy_id) if policy_id else None
        if policy_id and policy:
            calendar = work.load(BusinessCalendar, policy.current.calendar_id)
            return ServiceLevel.of(policy_id, policy, calendar)
    return None


def _level_of(work: Work, ticket: Ticket) -> ServiceLevel | None:
    """Return the level that holds for the ticket, in the versions of that time."""
    if ticket.sla_policy_id is None or ticket.calendar_id is None:
        return None
    return ServiceLevel.of(
        ticket.sla_policy_id,
        work.load(SlaPolicy, ticket.sla_policy_id),
        work.load(BusinessCalendar, ticket.calendar_id),
        sla_version=ticket.sla_version,
        calendar_version=ticket.calendar_version,
    )


def _numbered(work: Work, ticket_id: TicketId, at: datetime, stated: Label | None = None) -> Label:
    """Claim a number for the ticket: the stated one, or the shortest that is free."""
    number = stated or next(
        number
        for length in range(6, 33)
        if work.holder("ticket_number", number := ticket_number(at, ticket_id, length))
        in {None, ticket_id}
    )
    work.claim("ticket_number", number, ticket_id)
    return number
