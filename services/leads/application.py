"""Leads: load, decide, record."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from services.leads.commands import (
    AssignLead,
    AssignNext,
    CancelFollowUp,
    CaptureLead,
    ChangeLead,
    ChangePool,
    ChangePoolMembers,
    ClaimLead,
    ClaimManyLeads,
    ConfigureAssignmentRules,
    ConfigureDuplicateRules,
    ConfigurePoolRules,
    ConfigureScoringRules,
    ConvertLead,
    DisqualifyLead,
    ImportLead,
    LockLead,
    MoveLeadToPool,
    NurtureLead,
    OpenPool,
    PlanFollowUp,
    QualifyLead,
    RecordFollowUp,
    RecycleLead,
    ReleaseLead,
    ReleaseManyLeads,
    ReopenLead,
    RevertConversion,
    ScoreLead,
    Statement,
    UnlockLead,
    WarnOfRecycling,
)
from services.leads.domain import history
from services.leads.domain.assignment import (
    ASSIGNMENT_RULES,
    AssignmentRules,
    Rota,
    rota_id,
)
from services.leads.domain.claim_book import ClaimBook, book_id
from services.leads.domain.duplicates import (
    DUPLICATE_RULES,
    DuplicateRules,
    UniqueKey,
)
from services.leads.domain.lead import Lead
from services.leads.domain.pool import PUBLIC_POOL, Pool
from services.leads.domain.profile import checked, fields_of
from services.leads.domain.refusals import (
    LeadHasNoOwner,
    NoPoolToReturnTo,
)
from services.leads.domain.scoring import SCORING_RULES, ScoringRules
from services.leads.known import Known, foresee, stated
from services.leads.projections.customer_payments import has_paid
from services.leads.projections.known_customers import (
    accounts_of,
    is_account,
    is_known,
)
from shared.chassis.application import Application, Work
from shared.chassis.database import Database
from shared.chassis.shapes import Answer, Command, NotFound, Refused, Taken
from shared.chassis.shapes.aggregate import fold
from shared.events.base import Event
from shared.events.leads import (
    FollowUpPlanned,
    FollowUpRecorded,
    HoldingEnd,
    HoldingWay,
    LeadCaptured,
    PoolEntry,
)
from shared.events.values import AssignmentMethod

__all__ = ["LeadsApplication"]

C = TypeVar("C", bound=Command)

_DEFAULT_RULES = DuplicateRules()
_OPENED = "converted:{}"
"""Scope of the ids that callers chose for what conversions open, by kind."""
_FOLLOW_UP = "follow_up"
"""Scope of the ids of follow-ups, planned and done."""


class LeadsApplication(Application):
    """The commands of leads, pools and the rules that sort them."""

    context = "leads"

    # Becoming known.

    def capture_lead(self, command: CaptureLead) -> Answer:
        outcome: dict[str, str] = {}

        def decide(work: Work) -> str:
            outcome.clear()
            return self._take_in(work, command, outcome)

        return self.commit(command, decide, lambda: dict(outcome))

    def import_lead(self, command: ImportLead) -> Answer:
        history.check(command)
        outcome: dict[str, str] = {}

        def decide(work: Work) -> str:
            outcome.clear()
            return self._take_in(work, command, outcome)

        return self.commit(command, decide, lambda: dict(outcome))

    def change_lead(self, command: ChangeLead) -> Answer:
        given = checked(command)

        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            events = lead.change(command, given)
            if events:
                self._rekey(work, command.lead_id, lead, events, command.at)
            work.record(command.lead_id, events)
            return command.lead_id

        return self.commit(command, decide)

    # Having an owner, or waiting in a pool.

    def claim_lead(self, command: ClaimLead) -> Answer:
        def decide(work: Work) -> str:
            _claim(work, command)
            return command.lead_id

        return self.commit(command, decide)

    def claim_many_leads(self, command: ClaimManyLeads) -> Answer:
        def claim(work: Work, lead_id: str) -> bool:
            return _claim(work, _part(ClaimLead(lead_id=lead_id), command))

        return self._each(command, command.lead_ids, claim)

    def release_lead(self, command: ReleaseLead) -> Answer:
        def decide(work: Work) -> str:
            _release(work, command)
            return command.lead_id

        return self.commit(command, decide)

    def release_many_leads(self, command: ReleaseManyLeads) -> Answer:
        def release(work: Work, lead_id: str) -> bool:
            one = ReleaseLead(lead_id=lead_id, reason=command.reason, note=command.note)
            return _release(work, _part(one, command))

        return self._each(command, command.lead_ids, release)

    def assign_lead(self, command: AssignLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            _assign(work, lead, command, _home(work, lead), AssignmentMethod.MANUAL)
            return command.lead_id

        return self.commit(command, decide)

    def assign_next(self, command: AssignNext) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            if lead.owner_id is None and lead.pool_id is None and not lead.is_settled:
                _place(work, lead, command)
            return command.lead_id

        return self.commit(command, decide)

    def move_lead_to_pool(self, command: MoveLeadToPool) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            events = lead.move_to_pool(command, _pool(work, command.pool_id))
            work.record(command.lead_id, events)
            if events:
                _strike(work, command.lead_id, lead, HoldingEnd.REASSIGNED)
            return command.lead_id

        return self.commit(command, decide)

    def lock_lead(self, command: LockLead) -> Answer:
        return self.change(Lead, command.lead_id, lambda lead: lead.lock(command), command)

    def unlock_lead(self, command: UnlockLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            work.record(command.lead_id, lead.unlock(command, _home(work, lead)))
            return command.lead_id

        return self.commit(command, decide)

    def warn_of_recycling(self, command: WarnOfRecycling) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            rule = _recycling_rule(lead)
            work.record(command.lead_id, lead.warn_of_recycling(command), rule=rule)
            return command.lead_id

        return self.commit(command, decide)

    def recycle_lead(self, command: RecycleLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            if lead.recycling is not None:
                pool = _pool(work, lead.recycling.pool_id)
                events = lead.recycle(command, pool)
                work.record(command.lead_id, events, rule=_recycling_rule(lead))
                if events:
                    _strike(work, command.lead_id, lead, HoldingEnd.RECYCLED)
            return command.lead_id

        return self.commit(command, decide)

    # Being in touch.

    def record_follow_up(self, command: RecordFollowUp) -> Answer:
        follow_up_id = command.follow_up_id or command.new_id("follow_up")

        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            events = lead.record_follow_up(command, _home(work, lead))
            _take_follow_up_ids(work, command.lead_id, events)
            work.record(command.lead_id, events)
            return command.lead_id

        return self.commit(command, decide, lambda: {"follow_up_id": follow_up_id})

    def plan_follow_up(self, command: PlanFollowUp) -> Answer:
        follow_up_id = command.follow_up_id or command.new_id("follow_up")

        def decide(work: Work) -> str:
            events = work.load(Lead, command.lead_id).plan_follow_up(command)
            _take_follow_up_ids(work, command.lead_id, events)
            work.record(command.lead_id, events)
            return command.lead_id

        return self.commit(command, decide, lambda: {"follow_up_id": follow_up_id})

    def cancel_follow_up(self, command: CancelFollowUp) -> Answer:
        return self.change(
            Lead, command.lead_id, lambda lead: lead.cancel_follow_up(command), command
        )

    # Being judged.

    def score_lead(self, command: ScoreLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            if not lead.is_settled:
                rules = work.find(ScoringRules, SCORING_RULES) or ScoringRules()
                scored = rules.score(lead.known(), lead.active_at or command.at, command.at)
                work.record(command.lead_id, lead.score(scored, command.at), rule=rules.name)
            return command.lead_id

        return self.commit(command, decide)

    def qualify_lead(self, command: QualifyLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            work.record(command.lead_id, lead.qualify(command, _home(work, lead)))
            return command.lead_id

        return self.commit(command, decide)

    def nurture_lead(self, command: NurtureLead) -> Answer:
        return self.change(Lead, command.lead_id, lambda lead: lead.nurture(command), command)

    def disqualify_lead(self, command: DisqualifyLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            work.record(command.lead_id, lead.disqualify(command, _waits_in(work, lead)))
            _strike(work, command.lead_id, lead, HoldingEnd.DISQUALIFIED)
            return command.lead_id

        return self.commit(command, decide)

    def reopen_lead(self, command: ReopenLead) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            home = _home(work, lead)
            pool = _pool(work, command.pool_id) if command.pool_id else None
            if pool is None and lead.owner_id is None:
                pool = home
            work.record(command.lead_id, lead.reopen(command, pool, home))
            if pool is not None:
                _strike(work, command.lead_id, lead, HoldingEnd.RELEASED)
            else:
                _take_back(work, command.lead_id, lead, home, command.at)
            return command.lead_id

        return self.commit(command, decide)

    # Becoming a customer.

    def convert_lead(self, command: ConvertLead) -> Answer:
        outcome: dict[str, str] = {}

        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            accounts, pool = self._contact_accounts(command), _waits_in(work, lead)
            if events := lead.convert(command, accounts, pool):
                self._take_new_ids(work, command)
            work.record(command.lead_id, events)
            _strike(work, command.lead_id, lead, HoldingEnd.CONVERTED)
            outcome.update(_made(work.load(Lead, command.lead_id)))
            return command.lead_id

        return self.commit(command, decide, lambda: dict(outcome))

    def revert_conversion(self, command: RevertConversion) -> Answer:
        def decide(work: Work) -> str:
            lead = work.load(Lead, command.lead_id)
            home = _home(work, lead)
            paid = self._has_paid(command.lead_id, lead)
            work.record(command.lead_id, lead.revert_conversion(command, home, paid=paid))
            _take_back(work, command.lead_id, lead, home, command.at)
            return command.lead_id

        return self.commit(command, decide)

    # Pools and rules.

    def open_pool(self, command: OpenPool) -> Answer:
        pool_id = command.pool_id or command.new_id("pool")

        def decide(work: Work) -> str:
            work.record(pool_id, Pool.open(command))
            return pool_id

        return self.commit(command, decide)

    def change_pool(self, command: ChangePool) -> Answer:
        return self.change(Pool, command.pool_id, lambda pool: pool.change(command), command)

    def change_pool_members(self, command: ChangePoolMembers) -> Answer:
        return self.change(
            Pool, command.pool_id, lambda pool: pool.change_members(command), command
        )

    def configure_pool_rules(self, command: ConfigurePoolRules) -> Answer:
        return self.change(
            Pool, command.pool_id, lambda pool: pool.configure_rules(command), command
        )

    def configure_duplicate_rules(self, command: ConfigureDuplicateRules) -> Answer:
        def decide(work: Work) -> str:
            work.record(DUPLICATE_RULES, _duplicate_rules(work).configure(command))
            return DUPLICATE_RULES

        return self.commit(command, decide)

    def configure_scoring_rules(self, command: ConfigureScoringRules) -> Answer:
        def decide(work: Work) -> str:
            rules = work.find(ScoringRules, SCORING_RULES) or ScoringRules()
            work.record(SCORING_RULES, rules.configure(command))
            return SCORING_RULES

        return self.commit(command, decide)

    def configure_assignment_rules(self, command: ConfigureAssignmentRules) -> Answer:
        def decide(work: Work) -> str:
            rules = work.find(AssignmentRules, ASSIGNMENT_RULES) or AssignmentRules()
            events = rules.configure(command, lambda pool: work.find(Pool, pool) is not None)
            work.record(ASSIGNMENT_RULES, events)
            return ASSIGNMENT_RULES

        return self.commit(command, decide)

    # Shared steps.

    def foresee(self, work: Work, commands: Sequence[Command]) -> None:
        """Look up at once whom the duplicate rules will ask for."""
        statements = [command for command in commands if isinstance(command, Statement)]
        if statements:
            foresee(work, _duplicate_rules(work), self.views, statements)

    def _take_in(self, work: Work, command: Statement, outcome: dict[str, str]) -> str:
        """Record a new lead, or what the statement adds to a known one; return its id."""
        lead_id = command.lead_id or command.new_id("lead")
        rules = _duplicate_rules(work)
        if command.envelope.command_id not in work.foreseen:
            self.foresee(work, [command])
        statement = stated(work, rules, command)
        _refuse_known_record(work, command)
        recognised = rules.recognise(statement, command.at, Known(work, self.views))
        if recognised.merge_into is not None:
            outcome["merged_into"] = lead_id = recognised.merge_into
            lead = work.load(Lead, lead_id)
            events = lead.merge(command, statement.profile, recognised.matched_on, rules.name)
            work.record(lead_id, events, rule=rules.name)
            profile = fields_of(work.load(Lead, lead_id).profile)
            keys = rules.comparable(profile, lead.origin).keys
        else:
            keys = recognised.keys
            captured = Lead.capture(command, statement.profile, recognised)
            warned = recognised.suspected_lead_ids or recognised.suspected_account_ids
            work.record(lead_id, [captured], rule=rules.name if warned else None)
            _put(work, lead_id, captured, command)
        _hold_keys(work, lead_id, keys)
        if command.source and command.external_id:
            work.claim(f"external:{command.source}", command.external_id, lead_id)
        return lead_id

    def _rekey(
        self, work: Work, lead_id: str, lead: Lead, events: Sequence[Event], at: datetime
    ) -> None:
        """Let the lead be recognised by what it says now, if no rule refuses that."""
        changed = Lead.evolve(lead, events[0])
        if changed is None:
            return
        rules = _duplicate_rules(work)
        before = set(rules.comparable(fields_of(lead.profile), lead.origin).keys)
        statement = rules.comparable(fields_of(changed.profile), lead.origin)
        after = statement.keys
        new = [key for key in after if key not in before]
        if new:
            known = Known(work, self.views)
            rules.recognise(statement, at, known, itself=lead_id, news=frozenset(new))
        for key in before.difference(after):
            if work.holder(*key) == lead_id:
                work.release(*key)
        _hold_keys(work, lead_id, new)

    def _each(
        self, command: Command, lead_ids: Sequence[str], act: Callable[[Work, str], bool]
    ) -> Answer:
        """Do the same to several leads; each is done, skipped or refused on its own."""
        outcome: dict[str, str] = {}

        def decide(work: Work) -> str:
            outcome.clear()
            for lead_id in dict.fromkeys(lead_ids):
                try:
                    outcome[lead_id] = "done" if act(work, lead_id) else "skipped"
                except Refused as refusal:
                    outcome[lead_id] = f"refused: {refusal.rule}: {refusal.message}"
            return book_id(command.by.id)

        return self.commit(command, decide, lambda: dict(outcome))

    def _take_new_ids(self, work: Work, command: ConvertLead) -> None:
        """Keep the ids that the caller chose for what is opened; each is used once and for all."""
        wanted = command.opportunity
        chosen = {
            "account": command.account_id,
            "contact": command.contact_id,
            "opportunity": wanted.opportunity_id if wanted else None,
        }
        for kind, new_id in chosen.items():
            if new_id is None:
                continue
            if holder := work.holder(_OPENED.format(kind), new_id):
                raise Taken(f"a conversion opened {kind} {new_id} already", holder=holder)
            work.claim(_OPENED.format(kind), new_id, command.lead_id)
        with self._read() as views:
            for party in filter(None, (command.account_id, command.contact_id)):
                if views is not None and is_known(views, party):
                    raise Taken(f"{party} exists already; name it as an existing one", holder=party)

    def _contact_accounts(self, command: ConvertLead) -> list[str] | None:
        """Return whose contact is attached to; both it and the account must be in the books."""
        with self._read() as views:
            if views is None:
                return None
            existing = command.existing_account_id
            if existing is not None and not is_account(views, existing):
                raise NotFound("account", existing)
            if command.existing_contact_id is None:
                return None
            accounts = accounts_of(views, command.existing_contact_id)
            if accounts is None:
                raise NotFound("contact", command.existing_contact_id)
            return accounts

    def _has_paid(self, lead_id: str, lead: Lead) -> bool:
        with self._read() as views:
            made = lead.conversion
            return made is not None and views is not None and has_paid(views, lead_id, made)

    def _read(self) -> AbstractContextManager[Connection | None]:
        views: Database | None = self.views
        return views.read() if views is not None else nullcontext()


def _duplicate_rules(work: Work) -> DuplicateRules:
    return work.find(DuplicateRules, DUPLICATE_RULES) or _DEFAULT_RULES


def _refuse_known_record(work: Work, command: Statement) -> None:
    if command.source and command.external_id:
        scope = f"external:{command.source}"
        holder = work.holder(scope, command.external_id)
        if holder is not None:
            raise Taken(
                f"{command.external_id} of {command.source} is lead {holder}",
                holder=holder,
                scope=scope,
            )


def _hold_keys(work: Work, lead_id: str, keys: Sequence[UniqueKey]) -> None:
    """Let the newest lead be the one found under a key."""
    for key in keys:
        if work.holder(*key) not in {None, lead_id}:
            work.release(*key)
        work.claim(*key, lead_id)


def _pool(work: Work, pool_id: str) -> Pool:
    return replace(work.load(Pool, pool_id), id=pool_id)


def _waits_in(work: Work, lead: Lead) -> Pool | None:
    return _pool(work, lead.pool_id) if lead.pool_id else None


def _home(work: Work, lead: Lead) -> Pool | None:
    """Return the pool whose rules apply: where the lead waits or was last, else the public one."""
    pool_id = lead.pool_id or lead.home_pool_id or PUBLIC_POOL
    pool = work.find(Pool, pool_id)
    return replace(pool, id=pool_id) if pool else None


def _book(work: Work, employee_id: str) -> ClaimBook:
    return work.find(ClaimBook, book_id(employee_id)) or ClaimBook()


def _strike(work: Work, lead_id: str, lead: Lead, end: HoldingEnd) -> None:
    if lead.owner_id is not None:
        struck = _book(work, lead.owner_id).strike(lead.owner_id, lead_id, end)
        work.record(book_id(lead.owner_id), struck)


def _take_back(work: Work, lead_id: str, lead: Lead, home: Pool | None, at: datetime) -> None:
    if lead.owner_id is not None and home is not None:
        taken = _book(work, lead.owner_id).take_back(lead.owner_id, lead_id, home, at)
        work.record(book_id(lead.owner_id), taken)


def _claim(work: Work, command: ClaimLead) -> bool:
    lead = work.load(Lead, command.lead_id)
    pool = _waits_in(work, lead)
    events = lead.claim(command, pool)
    if not events or pool is None:
        return False
    me = command.by.id
    taken = _book(work, me).take(me, command.lead_id, pool, HoldingWay.CLAIMED, command.at)
    work.record(command.lead_id, events)
    work.record(book_id(me), taken)
    return True


def _release(work: Work, command: ReleaseLead) -> bool:
    lead = work.load(Lead, command.lead_id)
    pool = _pool(work, command.pool_id) if command.pool_id else _home(work, lead)
    if pool is None:
        raise LeadHasNoOwner if lead.owner_id is None else NoPoolToReturnTo
    events = lead.release(command, pool)
    work.record(command.lead_id, events)
    if events:
        _strike(work, command.lead_id, lead, HoldingEnd.RELEASED)
    return bool(events)


def _assign(
    work: Work,
    lead: Lead,
    command: AssignLead,
    home: Pool | None,
    method: AssignmentMethod,
    rule: str | None = None,
) -> None:
    events = lead.assign(command, home, method)
    if not events:
        return
    if home is not None:
        owner, way = command.owner_id, HoldingWay.ASSIGNED
        taken = _book(work, owner).take(owner, command.lead_id, home, way, command.at)
        work.record(book_id(owner), taken, rule=rule)
    work.record(command.lead_id, events, rule=rule)
    _strike(work, command.lead_id, lead, HoldingEnd.REASSIGNED)


def _place(work: Work, lead: Lead, command: AssignNext) -> None:
    """Give a new lead to whose turn it is, or put it into the rule's pool or the public one."""
    rules = work.find(AssignmentRules, ASSIGNMENT_RULES) or AssignmentRules()
    rule = rules.fitting(lead.known())
    home = _pool(work, rule.pool_id) if rule and rule.pool_id else _home(work, lead)
    if rule is not None and rule.candidate_ids:
        rota = work.find(Rota, rota_id(rule)) or Rota()
        turns = rota.take(
            command.lead_id,
            rule.candidate_ids,
            lambda candidate: home is None or _book(work, candidate).has_room(home),
        )
        if turns:
            work.record(rota_id(rule), turns, rule=rules.name)
            chosen = AssignLead(lead_id=command.lead_id, owner_id=turns[0].employee_id)
            method = AssignmentMethod.ROUND_ROBIN
            _assign(work, lead, _part(chosen, command), home, method, rules.name)
            return
    if home is not None:
        entered = lead.enter(home, PoolEntry.CAPTURED, command.at)
        work.record(command.lead_id, entered, rule=rules.name if rule else None)


def _put(work: Work, lead_id: str, captured: LeadCaptured, command: Statement) -> None:
    """Put a lead where its statement says: to an owner, or into a pool."""
    pool = _pool(work, command.pool_id) if command.pool_id else None
    lead = fold(Lead, [captured])
    if lead is None:
        return
    if command.owner_id is None:
        if pool is not None:
            work.record(lead_id, lead.enter(pool, PoolEntry.CAPTURED, command.at))
    elif isinstance(command, ImportLead):
        for step in history.later_life(lead_id, command, captured):
            work.record(lead_id, step.events, at=step.at)
    else:
        assign = AssignLead(lead_id=lead_id, owner_id=command.owner_id, unit_id=command.unit_id)
        home = pool or _home(work, lead)
        _assign(work, lead, _part(assign, command), home, AssignmentMethod.MANUAL)


def _take_follow_up_ids(work: Work, lead_id: str, events: Sequence[Event]) -> None:
    """Let each follow-up have its id to itself, among those of all leads."""
    for event in events:
        if isinstance(event, FollowUpRecorded | FollowUpPlanned):
            if holder := work.holder(_FOLLOW_UP, event.follow_up_id):
                raise Taken(f"follow-up {event.follow_up_id} exists already", holder=holder)
            work.claim(_FOLLOW_UP, event.follow_up_id, lead_id)


def _recycling_rule(lead: Lead) -> str | None:
    due = lead.recycling
    return f"{due.pool_id}@{due.rules_version}" if due else None


def _made(lead: Lead) -> dict[str, str]:
    """Return the ids a conversion chose."""
    made = lead.conversion
    if made is None:
        return {}
    ids = {
        "account_id": made.account_id,
        "contact_id": made.contact_id,
        "opportunity_id": made.opportunity_id,
    }
    return {name: value for name, value in ids.items() if value}


def _part(part: C, command: Command) -> C:
    """Return a command that is part of another, issued with it."""
    return part.issued(command.envelope)
