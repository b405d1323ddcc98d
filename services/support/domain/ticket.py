"""Tickets: from a customer's question to the answer, under the service promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from services.support.commands import (
    AssignTicket,
    BreachSla,
    ChangeTicket,
    CloseQuietTicket,
    CloseTicket,
    MergeTicket,
    OpenTicket,
    PendTicket,
    RaiseSlaRisk,
    RebaseSla,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    TicketPart,
    UnmergeTicket,
    UnwatchTicket,
    WatchTicket,
)
from services.support.domain.promise import Clock, Promise, clocks_after, minutes
from services.support.domain.sla_policy import ServiceLevel
from services.support.domain.ticket_rules import (
    MergeGoesInCircles,
    NoServiceIsPromised,
    ParentGoesInCircles,
    ReopeningTimeIsOver,
    TicketIsClosed,
    TicketIsNotMerged,
    TicketIsNotResolved,
    TicketIsNotWaiting,
    TicketIsResolved,
    TicketsAreOfTwoCustomers,
)
from shared.chassis.shapes import Invalid
from shared.events.base import Event
from shared.events.support import (
    Author,
    ClosedBy,
    Priority,
    SlaClock,
    SlaClockFact,
    SlaRebased,
    TicketAssigned,
    TicketChanged,
    TicketClosed,
    TicketKind,
    TicketMerged,
    TicketOpened,
    TicketPended,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSplit,
    TicketStatus,
    TicketUnmerged,
    WatcherAdded,
    WatcherRemoved,
)
from shared.events.values import (
    AccountId,
    CalendarId,
    ContactId,
    ContractId,
    EmployeeId,
    EntitlementId,
    Label,
    ProductId,
    SlaPolicyId,
    TicketId,
    UnitId,
)

__all__ = ["REOPEN_WITHIN_DAYS", "Ticket"]

REOPEN_WITHIN_DAYS = 14
"""How long a closed ticket may be reopened under no policy."""
_PARTIES = ("account_id", "contract_id", "contact_id")
_CLASS = ("kind", "priority", "category", "subcategory", "product_id", "subject", "parent_id")
_ORIGIN = ("channel", "region", "requester", "unit_id")
_LEVEL = ("entitlement_id", "sla_policy_id", "sla_version", "calendar_id", "calendar_version")


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A customer's matter, under the service level that held when it was opened, or rebased."""

    status: TicketStatus
    kind: TicketKind
    priority: Priority
    subject: str | None = None
    category: Label | None = None
    subcategory: Label | None = None
    product_id: ProductId | None = None
    parent_id: TicketId | None = None
    account_id: AccountId | None = None
    contract_id: ContractId | None = None
    contact_id: ContactId | None = None
    employee_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    channel: Label
    region: Label | None = None
    requester: str | None = None
    watchers: frozenset[EmployeeId] = frozenset()
    entitlement_id: EntitlementId | None = None
    sla_policy_id: SlaPolicyId | None = None
    sla_version: int | None = None
    calendar_id: CalendarId | None = None
    calendar_version: int | None = None
    clocks: Mapping[SlaClock, Clock] = field(default_factory=dict)
    is_answered: bool = False
    waiting_since: datetime | None = None
    reopen_until: datetime | None = None
    reopened: int = 0
    into_id: TicketId | None = None
    before_merge: TicketStatus = TicketStatus.OPEN

    def change(
        self, command: ChangeTicket, level: ServiceLevel | None, above: Sequence[TicketId]
    ) -> list[Event]:
        """Classify anew; another priority means another promise, less the time used so far.

        `above` is the parent wished for, with all tickets above that.
        """
        self._must_not_be_closed()
        if command.ticket_id in above:
            raise ParentGoesInCircles(parent_id=command.parent_id)
        wanted = {
            name: value
            for name in (*_PARTIES, *_CLASS)
            if (value := getattr(command, name)) not in {None, getattr(self, name)}
        }
        if not wanted:
            return []
        events = [
            *self._overrun(command.at),
            TicketChanged(
                **(_named(self, *_PARTIES, *_CLASS) | wanted), changed=tuple(sorted(wanted))
            ),
        ]
        if "priority" in wanted and level is not None:
            moment = self.waiting_since or command.at
            promise = self._then(events).promise
            events += promise.change(wanted["priority"], moment, level)
            events += promise.start(self._unpromised, wanted["priority"], moment, level)
        return events

    def rebase(
        self,
        command: RebaseSla,
        before: ServiceLevel | None,
        level: ServiceLevel | None,
        entitlement_id: EntitlementId | None,
    ) -> list[Event]:
        """Promise the service of another level, less the time used so far."""
        self._must_not_be_closed()
        if level is None:
            raise NoServiceIsPromised
        wanted = {"entitlement_id": entitlement_id, **level.versions}
        if wanted == _named(self, *_LEVEL):
            return []
        rebased = SlaRebased(**_named(self, *_PARTIES), **wanted)
        events = [*self._overrun(command.at), rebased]
        promise, moment = self._then(events).promise, self.waiting_since or command.at
        events += promise.change(self.priority, moment, level, before)
        events += promise.start(self._unpromised, self.priority, moment, level)
        return events

    def assign(self, command: AssignTicket) -> list[Event]:
        """Give it to somebody, or to a team."""
        if command.employee_id is None and command.unit_id is None:
            raise Invalid.one("employee_id", "name an employee_id, a unit_id or both")
        self._must_not_be_closed()
        unit_id = command.unit_id or self.unit_id
        if (command.employee_id, unit_id) == (self.employee_id, self.unit_id):
            return []
        return [
            TicketAssigned(
                **_named(self, *_PARTIES),
                employee_id=command.employee_id,
                unit_id=unit_id,
                previous_employee_id=self.employee_id,
            )
        ]

    def reply(self, command: ReplyToTicket, level: ServiceLevel | None) -> list[Event]:
        """Write on it; a customer who writes ends the wait or takes a resolved ticket up again."""
        self._must_not_be_closed()
        by_agent = command.author is Author.AGENT
        answers = by_agent and command.is_public
        events = [
            *self._overrun(command.at),
            TicketReplied(
                **_named(self, *_PARTIES),
                author=command.author,
                employee_id=command.by.id if by_agent else None,
                is_first_response=answers and not self.is_answered,
                is_public=command.is_public or not by_agent,
                message=command.message,
                attachments=command.attachments or None,
            ),
        ]
        now = self._then(events)
        if answers:
            moment = self.waiting_since or command.at
            return events + now.promise.keep(SlaClock.RESPONSE, moment, level)
        if not by_agent and self.status is TicketStatus.PENDING:
            return events + _resumed(now, command.at, level)
        if not by_agent and self.status is TicketStatus.RESOLVED:
            return events + _reopened(now, command.at, level, "customer wrote again")
        return events

    def pend(self, command: PendTicket) -> list[Event]:
        """Wait for the customer."""
        if self.status is TicketStatus.PENDING:
            return []
        self._must_not_be_closed()
        if self.status is TicketStatus.RESOLVED:
            raise TicketIsResolved
        waits = TicketPended(
            **_named(self, *_PARTIES), waiting_since=command.at, reason=command.reason
        )
        return [*self._overrun(command.at), waits]

    def resume(self, command: ResumeTicket, level: ServiceLevel | None) -> list[Event]:
        """Wait no longer."""
        if self.status is not TicketStatus.PENDING:
            raise TicketIsNotWaiting(status=self.status)
        return _resumed(self, command.at, level)

    def resolve(self, command: ResolveTicket, level: ServiceLevel | None) -> list[Event]:
        """Find the answer; every clock stops."""
        if self.status is TicketStatus.RESOLVED:
            return []
        self._must_not_be_closed()
        waited = self.status is TicketStatus.PENDING
        events = _resumed(self, command.at, level) if waited else self._overrun(command.at)
        events.append(
            TicketResolved(
                **_named(self, *_PARTIES),
                employee_id=self.employee_id or command.by.id,
                cause=command.cause,
                resolution=command.resolution,
            )
        )
        promise = self._then(events).promise
        for clock in SlaClock:
            events += promise.keep(clock, command.at, level)
        return events

    def close(self, command: CloseTicket, level: ServiceLevel | None) -> list[Event]:
        """Be done with it."""
        if self.status is TicketStatus.CLOSED:
            return []
        if self.status is not TicketStatus.RESOLVED:
            raise TicketIsNotResolved(status=self.status)
        by = ClosedBy.CUSTOMER if command.by_customer else ClosedBy.AGENT
        return [self._closed(by, command.reason, command.at, level)]

    def close_quiet(self, command: CloseQuietTicket, level: ServiceLevel | None) -> list[Event]:
        """Be done with it when nobody has objected to the resolution."""
        if self.status is not TicketStatus.RESOLVED:
            return []
        return [self._closed(ClosedBy.SYSTEM, "no objection", command.at, level)]

    def reopen(self, command: ReopenTicket, level: ServiceLevel | None) -> list[Event]:
        """Take it up again; the full time to resolve it is promised anew."""
        match self.status:
            case TicketStatus.MERGED:
                raise TicketIsClosed(status=self.status, into_id=self.into_id)
            case TicketStatus.CLOSED if self.reopen_until and command.at > self.reopen_until:
                raise ReopeningTimeIsOver(reopen_until=self.reopen_until.isoformat())
            case TicketStatus.CLOSED | TicketStatus.RESOLVED:
                return _reopened(self, command.at, level, command.reason, command.note)
        return []

    def merge(self, command: MergeTicket, into: "Ticket") -> list[Event]:
        """Carry it on in another ticket."""
        if self.into_id == command.into_id:
            return []
        if command.into_id == command.ticket_id or into.status is TicketStatus.MERGED:
            raise MergeGoesInCircles(into_id=command.into_id)
        self._must_not_be_closed()
        if into.status is TicketStatus.CLOSED:
            raise TicketIsClosed(ticket_id=command.into_id, status=into.status)
        if len({self.account_id, into.account_id} - {None}) > 1:
            raise TicketsAreOfTwoCustomers(account_id=into.account_id)
        merged = TicketMerged(**_named(self, *_PARTIES), into_id=command.into_id)
        return [*self._overrun(command.at), merged]

    def unmerge(self, command: UnmergeTicket, level: ServiceLevel | None) -> list[Event]:
        """Let it stand for itself again, as it did before; its clocks ran on, unless it waits."""
        if self.into_id is None:
            raise TicketIsNotMerged(status=self.status)
        unmerged = TicketUnmerged(
            **_named(self, *_PARTIES, "waiting_since"),
            from_id=self.into_id,
            status=self.before_merge,
        )
        events = [unmerged, *self._overrun(command.at)]
        now = self._then(events)
        if level is not None and now._clocks_run:
            events += now.promise.shift(command.at, command.at, level)
        return events

    def split(self, into_ids: Sequence[TicketId]) -> list[Event]:
        """Give parts of it away to tickets of their own."""
        self._must_not_be_closed()
        return [TicketSplit(**_named(self, *_PARTIES), into_ids=tuple(into_ids))]

    def opening(self, part: TicketPart) -> OpenTicket:
        """Return the wish to open the ticket of one of its parts."""
        stated = part.model_dump(exclude_none=True)
        return OpenTicket(**_named(self, *_PARTIES, *_CLASS, *_ORIGIN) | stated)

    def watch(self, command: WatchTicket) -> list[Event]:
        """Let somebody follow it."""
        employee_id = command.employee_id or command.by.id
        if employee_id in self.watchers:
            return []
        return [WatcherAdded(**_named(self, *_PARTIES), employee_id=employee_id)]

    def unwatch(self, command: UnwatchTicket) -> list[Event]:
        """Let somebody follow it no longer."""
        employee_id = command.employee_id or command.by.id
        if employee_id not in self.watchers:
            return []
        return [WatcherRemoved(**_named(self, *_PARTIES), employee_id=employee_id)]

    def raise_risk(self, command: RaiseSlaRisk) -> list[Event]:
        """Warn, unless nothing is at stake any more."""
        return self.promise.risk(command.clock, command.due_at) if self._clocks_run else []

    def breach(self, command: BreachSla) -> list[Event]:
        """Note the breach, unless the promise was kept, moved or suspended."""
        if not self._clocks_run:
            return []
        return self.promise.breach(command.clock, command.due_at, command.at)

    @property
    def promise(self) -> Promise:
        """The service promised, as it stands."""
        about = _named(self, *_PARTIES, "sla_policy_id", "sla_version", "employee_id")
        return Promise(clocks=self.clocks, about=about)

    @property
    def _clocks_run(self) -> bool:
        return self.status in {TicketStatus.NEW, TicketStatus.OPEN}

    @property
    def _unpromised(self) -> list[SlaClock]:
        """What is still to be done and was never promised."""
        done = {SlaClock.RESPONSE: self.is_answered, SlaClock.RESOLUTION: False}
        if self.status is TicketStatus.RESOLVED:
            return []
        return [clock for clock in SlaClock if clock not in self.clocks and not done[clock]]

    def _overrun(self, at: datetime) -> list[Event]:
        return self.promise.overrun(self.waiting_since or at)

    def _closed(
        self, by: ClosedBy, reason: Label | None, at: datetime, level: ServiceLevel | None
    ) -> TicketClosed:
        days = level.policy.reopen_within_days if level else REOPEN_WITHIN_DAYS
        return TicketClosed(
            **_named(self, *_PARTIES),
            employee_id=self.employee_id,
            closed_by=by,
            reason=reason,
            reopen_until=at + timedelta(days=days),
        )

    def _must_not_be_closed(self) -> None:
        if self.status in {TicketStatus.CLOSED, TicketStatus.MERGED}:
            raise TicketIsClosed(status=self.status, into_id=self.into_id)

    def _then(self, events: Sequence[Event]) -> "Ticket":
        return reduce(_after, events, self)

    @staticmethod
    def evolve(state: "Ticket | None", event: Event) -> "Ticket | None":
        if isinstance(event, TicketOpened):
            stated = {n: getattr(event, n) for n in (*_PARTIES, *_CLASS, *_LEVEL, *_ORIGIN)}
            return Ticket(status=TicketStatus.NEW, **stated)
        return None if state is None else _after(state, event)


def _after(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case SlaClockFact():
            return replace(ticket, clocks=clocks_after(ticket.clocks, event))
        case TicketChanged():
            return replace(ticket, **{n: getattr(event, n) for n in (*_PARTIES, *_CLASS)})
        case SlaRebased():
            return replace(ticket, **{n: getattr(event, n) for n in _LEVEL})
        case TicketAssigned():
            taken = replace(ticket, employee_id=event.employee_id, unit_id=event.unit_id)
            return _in_hand(taken)
        case TicketReplied(author=Author.AGENT, is_public=True):
            return _in_hand(replace(ticket, is_answered=True))
        case TicketPended():
            status = TicketStatus.PENDING
            return replace(ticket, status=status, waiting_since=event.waiting_since)
        case TicketResumed():
            return replace(ticket, status=TicketStatus.OPEN, waiting_since=None)
        case TicketResolved():
            handler = ticket.employee_id or event.employee_id
            return replace(ticket, status=TicketStatus.RESOLVED, employee_id=handler)
        case TicketClosed():
            status = TicketStatus.CLOSED
            return replace(ticket, status=status, reopen_until=event.reopen_until)
        case TicketReopened():
            status = TicketStatus.OPEN
            return replace(ticket, status=status, reopened=event.reopened, reopen_until=None)
        case TicketMerged():
            merged = replace(ticket, status=TicketStatus.MERGED, into_id=event.into_id)
            return replace(merged, before_merge=ticket.status)
        case TicketUnmerged():
            status, since = event.status, event.waiting_since
            return replace(ticket, status=status, waiting_since=since, into_id=None)
        case WatcherAdded():
            return replace(ticket, watchers=ticket.watchers | {event.employee_id})
        case WatcherRemoved():
            return replace(ticket, watchers=ticket.watchers - {event.employee_id})
    return ticket


def _resumed(ticket: Ticket, at: datetime, level: ServiceLevel | None) -> list[Event]:
    since = ticket.waiting_since or at
    paused = level.between(since, at) if level else max(at - since, timedelta(0))
    resumed = TicketResumed(**_named(ticket, *_PARTIES), paused_minutes=minutes(paused))
    return [resumed, *(ticket.promise.shift(since, at, level) if level else ())]


def _reopened(
    ticket: Ticket,
    at: datetime,
    level: ServiceLevel | None,
    reason: Label,
    note: str | None = None,
) -> list[Event]:
    reopened = TicketReopened(
        **_named(ticket, *_PARTIES), reopened=ticket.reopened + 1, reason=reason, note=note
    )
    if level is None:
        return [reopened]
    return [reopened, *ticket.promise.start([SlaClock.RESOLUTION], ticket.priority, at, level)]


def _named(ticket: Ticket, *names: str) -> dict[str, Any]:
    return {name: getattr(ticket, name) for name in names}


def _in_hand(ticket: Ticket) -> Ticket:
    if ticket.status is not TicketStatus.NEW:
        return ticket
    return replace(ticket, status=TicketStatus.OPEN)
