"""A lead's life: captured, pooled, owned, followed up, and settled one way or the other."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.leads.commands import (
    AssignLead,
    CancelFollowUp,
    ChangeLead,
    ClaimLead,
    ConvertLead,
    DisqualifyLead,
    LockLead,
    MoveLeadToPool,
    NurtureLead,
    PlanFollowUp,
    QualifyLead,
    RecordFollowUp,
    RecycleLead,
    ReleaseLead,
    ReopenLead,
    RevertConversion,
    Statement,
    UnlockLead,
    WarnOfRecycling,
)
from services.leads.domain.conversion import converted
from services.leads.domain.duplicates import Recognised
from services.leads.domain.lead_state import RECYCLABLE, LeadState, LeadStatus
from services.leads.domain.pool import Pool, unit_of
from services.leads.domain.profile import PROFILE_FIELDS, completed, fields_of
from services.leads.domain.refusals import (
    AlreadyCustomer,
    LeadHasNoOwner,
    LeadHasOwner,
    LeadIsInNoPool,
    LeadIsNotConverted,
    LeadIsOpen,
    LeadIsProtected,
    LeadIsSettled,
    LeadWaitsInPool,
    MoneyHasMoved,
    NotTheOwner,
    PreviousOwnerCoolsDown,
)
from shared.chassis.shapes import Actor, FieldViolation, Invalid, NotFound
from shared.events.base import Event
from shared.events.leads import (
    ConversionReverted,
    FollowUpCancelled,
    FollowUpPlanned,
    FollowUpRecorded,
    LeadAssigned,
    LeadCaptured,
    LeadClaimed,
    LeadConverted,
    LeadDisqualified,
    LeadLocked,
    LeadNurtured,
    LeadPooled,
    LeadProfileChanged,
    LeadQualified,
    LeadRecycled,
    LeadReleased,
    LeadReopened,
    LeadScored,
    LeadUnlocked,
    PoolEntry,
    RecycleScheduled,
    RecycleWarned,
    StatementMerged,
)
from shared.events.values import AssignmentMethod

__all__ = ["Lead"]

RELEASED, RECYCLED = "lead released", "lead recycled"
DISQUALIFIED, CONVERTED = "lead disqualified", "lead converted"


class Lead(LeadState):
    """A prospect from the first sign of interest until it is converted or given up."""

    # Becoming known.

    @staticmethod
    def capture(
        command: Statement, profile: Mapping[str, Any], recognised: Recognised
    ) -> LeadCaptured:
        return LeadCaptured(
            **profile,
            **_statement(command),
            unit_id=command.unit_id,
            suspected_lead_ids=recognised.suspected_lead_ids,
            suspected_account_ids=recognised.suspected_account_ids,
        )

    def merge(
        self, command: Statement, profile: dict[str, Any], matched_on: tuple[str, ...], rules: str
    ) -> list[Event]:
        if self.conversion is not None:
            raise AlreadyCustomer(self.conversion.account_id, rules, fields=list(matched_on))
        return [
            StatementMerged(
                **completed(self.profile, profile),
                **_statement(command),
                matched_on=matched_on,
                statements=self.statements + 1,
            )
        ]

    def change(self, command: ChangeLead, given: Mapping[str, Any]) -> list[Event]:
        self._refuse_converted()
        unknown = [
            FieldViolation(f"clear.{index}", f"leads have no profile field {name!r}")
            for index, name in enumerate(command.clear)
            if name not in PROFILE_FIELDS
        ]
        if unknown:
            raise Invalid(unknown)
        before = fields_of(self.profile)
        after = {**before, **given}
        for name in command.clear:
            after.pop(name, None)
        changed = tuple(n for n in PROFILE_FIELDS if before.get(n) != after.get(n))
        return [LeadProfileChanged(**after, changed=changed)] if changed else []

    # Having an owner, or waiting in a pool.

    def enter(self, pool: Pool, entry: PoolEntry, at: datetime) -> list[Event]:
        new = entry is PoolEntry.CAPTURED
        return [
            LeadPooled(
                pool_id=pool.id,
                entry=entry,
                previous_pool_id=self.pool_id,
                previous_owner_id=self.owner_id,
                protected_until=pool.protected_until(at) if new else None,
            )
        ]

    def move_to_pool(self, command: MoveLeadToPool, pool: Pool) -> list[Event]:
        self._refuse_settled()
        if self.pool_id == pool.id:
            return []
        return [*self.enter(pool, PoolEntry.MOVED, command.at), *self._drop_plans(RELEASED)]

    def claim(self, command: ClaimLead, pool: Pool | None) -> list[Event]:
        self._refuse_settled()
        if self.owner_id == command.by.id:
            return []
        if self.owner_id is not None:
            raise LeadHasOwner(self.owner_id)
        if pool is None:
            raise LeadIsInNoPool
        pool.admit(command.by)
        if self.protected_until and command.at < self.protected_until:
            raise LeadIsProtected(self.protected_until)
        if (
            self.previous_owner_id == command.by.id
            and self.cool_down_until
            and command.at < self.cool_down_until
        ):
            raise PreviousOwnerCoolsDown(self.cool_down_until)
        claimed = LeadClaimed(
            pool_id=pool.id, owner_id=command.by.id, unit_id=unit_of(command.by), at=command.at
        )
        return self._watched([claimed], pool, command.at)

    def assign(
        self, command: AssignLead, home: Pool | None, method: AssignmentMethod
    ) -> list[Event]:
        self._refuse_settled()
        if self.owner_id == command.owner_id:
            return []
        assigned = LeadAssigned(
            owner_id=command.owner_id,
            unit_id=command.unit_id,
            previous_owner_id=self.owner_id,
            pool_id=self.pool_id,
            method=method,
            note=command.note,
            at=command.at,
        )
        passed_on = [
            plan.model_copy(update={"employee_id": command.owner_id})
            for plan in self.plans.values()
            if plan.employee_id == self.owner_id
        ]
        return self._watched([assigned, *passed_on], home, command.at)

    def release(self, command: ReleaseLead, pool: Pool) -> list[Event]:
        self._refuse_settled()
        if self.owner_id is None:
            if self.pool_id == pool.id:
                return []
            raise LeadHasNoOwner
        if command.by.id != self.owner_id and not pool.is_admin(command.by):
            raise NotTheOwner(owner_id=self.owner_id)
        return [
            LeadReleased(
                pool_id=pool.id,
                owner_id=self.owner_id,
                reason=command.reason,
                note=command.note,
                cool_down_until=pool.cool_down_until(command.at),
            ),
            *self._drop_plans(RELEASED),
        ]

    def _watched(self, events: list[Event], home: Pool | None, at: datetime) -> list[Event]:
        """Add when the lead is recycled, if its home's rules say so of what it becomes."""
        after: LeadState = self
        for event in events:
            after = after.evolve(after, event) or after
        exempt = after.locked or after.status not in RECYCLABLE
        if home is None or after.owner_id is None or exempt:
            return events
        since = after.idle_since or at
        return [*events, *home.recycling(after.owner_id, since, after.protected_until)]

    def warn_of_recycling(self, command: WarnOfRecycling) -> list[Event]:
        due = self._due_for_recycling(command.idle_since)
        if due is None or self.warned:
            return []
        return [
            RecycleWarned(
                pool_id=due.pool_id,
                owner_id=due.owner_id,
                recycle_at=due.recycle_at,
                idle_days=(command.at - due.idle_since).days,
            )
        ]

    def recycle(self, command: RecycleLead, pool: Pool) -> list[Event]:
        due = self._due_for_recycling(command.idle_since)
        if due is None:
            return []
        return [
            LeadRecycled(
                pool_id=due.pool_id,
                owner_id=due.owner_id,
                idle_days=(command.at - due.idle_since).days,
                idle_since=due.idle_since,
                cool_down_until=pool.cool_down_until(command.at),
            ),
            *self._drop_plans(RECYCLED),
        ]

    def lock(self, command: LockLead) -> list[Event]:
        self._refuse_settled()
        return [] if self.locked else [LeadLocked(reason=command.reason)]

    def unlock(self, command: UnlockLead, home: Pool | None) -> list[Event]:
        return self._watched([LeadUnlocked()], home, command.at) if self.locked else []

    # Being in touch.

    def record_follow_up(self, command: RecordFollowUp, home: Pool | None) -> list[Event]:
        self._refuse_settled()
        if self.owner_id is None:
            raise LeadHasNoOwner
        if command.plan_id is not None and command.plan_id not in self.plans:
            raise NotFound("planned follow-up", command.plan_id)
        follow_up_id = command.follow_up_id or command.new_id("follow_up")
        if any(done.follow_up_id == follow_up_id for done in self.follow_ups):
            return []
        events: list[Event] = [
            FollowUpRecorded(
                follow_up_id=follow_up_id,
                plan_id=command.plan_id,
                employee_id=command.by.id,
                owner_id=self.owner_id,
                at=command.at,
                **command.model_dump(
                    include={"method", "content", "outcome", "attitude", "duration_minutes"}
                ),
                cost=command.cost,
                attachments=command.attachments or None,
            )
        ]
        if (step := command.next) is not None:
            planned = PlanFollowUp(lead_id=command.lead_id, **dict(step)).issued(command.envelope)
            events += self._plan(planned, step.follow_up_id or command.new_id("next"), follow_up_id)
        if self.idle_since is not None and command.at <= self.idle_since:
            return events
        return self._watched(events, home, command.at)

    def plan_follow_up(self, command: PlanFollowUp) -> list[Event]:
        self._refuse_settled()
        follow_up_id = command.follow_up_id or command.new_id("follow_up")
        return self._plan(command, follow_up_id, None)

    def cancel_follow_up(self, command: CancelFollowUp) -> list[Event]:
        if command.follow_up_id not in self.plans:
            raise NotFound("planned follow-up", command.follow_up_id)
        return [FollowUpCancelled(follow_up_id=command.follow_up_id, reason=command.reason)]

    def _plan(self, command: PlanFollowUp, follow_up_id: str, after_id: str | None) -> list[Event]:
        if follow_up_id in self.plans:
            return []
        if command.due_at <= command.at:
            raise Invalid.one("due_at", "a next step lies ahead")
        return [
            FollowUpPlanned(
                follow_up_id=follow_up_id,
                after_id=after_id,
                employee_id=command.employee_id or command.by.id,
                method=command.method,
                next_step=command.next_step,
                due_at=command.due_at,
            )
        ]

    def _drop_plans(self, reason: str) -> list[Event]:
        return [FollowUpCancelled(follow_up_id=plan, reason=reason) for plan in self.plans]

    # Being judged.

    def score(self, scored: LeadScored, at: datetime) -> list[Event]:
        before = self.scored
        if before is None or (before.score, before.grade, before.parts) != (
            scored.score,
            scored.grade,
            scored.parts,
        ):
            return [scored]
        awaited = before.rescore_at is not None and at < before.rescore_at
        return [] if awaited or scored.rescore_at is None else [scored]

    def qualify(self, command: QualifyLead, home: Pool | None) -> list[Event]:
        self._refuse_settled()
        if self.status is LeadStatus.QUALIFIED:
            return []
        if self.owner_id is None:
            raise LeadHasNoOwner
        qualified = LeadQualified(
            owner_id=self.owner_id,
            score=self.scored.score if self.scored else None,
            note=command.note,
        )
        if self.status is not LeadStatus.NURTURING:
            return [qualified]
        return self._watched([qualified], home, command.at)

    def nurture(self, command: NurtureLead) -> list[Event]:
        self._refuse_settled()
        if self.status is LeadStatus.NURTURING:
            return []
        if self.owner_id is None:
            raise LeadHasNoOwner
        if command.until is not None and command.until <= command.at.date():
            raise Invalid.one("until", "must lie ahead")
        return [
            LeadNurtured(
                owner_id=self.owner_id,
                until=command.until,
                reason=command.reason,
                note=command.note,
            )
        ]

    def disqualify(self, command: DisqualifyLead, pool: Pool | None = None) -> list[Event]:
        if self.status is LeadStatus.DISQUALIFIED:
            return []
        self._refuse_settled()
        _refuse_unclaimed(pool, command.by)
        return [
            LeadDisqualified(owner_id=self.owner_id, reason=command.reason, note=command.note),
            *self._drop_plans(DISQUALIFIED),
        ]

    def reopen(self, command: ReopenLead, pool: Pool | None, home: Pool | None) -> list[Event]:
        """Go back to the last owner; or into `pool`, when one is named or nobody had the lead."""
        self._refuse_converted()
        if self.status not in {LeadStatus.NURTURING, LeadStatus.DISQUALIFIED}:
            raise LeadIsOpen(status=self.status)
        owner_id = None if pool else self.owner_id
        reopened = LeadReopened(owner_id=owner_id, reason=command.reason, note=command.note)
        if pool is not None:
            return [
                reopened,
                *self.enter(pool, PoolEntry.REOPENED, command.at),
                *self._drop_plans(RELEASED),
            ]
        return self._watched([reopened], home, command.at)

    # Becoming a customer.

    def convert(
        self,
        command: ConvertLead,
        contact_account_ids: Sequence[str] | None = None,
        pool: Pool | None = None,
    ) -> list[Event]:
        """Convert; `contact_account_ids` are the accounts an existing contact acts for."""
        if self.conversion is not None and _same_conversion(self.conversion, command):
            return []
        self._refuse_settled()
        _refuse_unclaimed(pool, command.by)
        owner_id = self.owner_id or command.owner_id
        if owner_id is None:
            raise LeadHasNoOwner
        taken: list[Event] = []
        if self.owner_id is None:
            taken.append(
                LeadAssigned(
                    owner_id=owner_id,
                    pool_id=self.pool_id,
                    method=AssignmentMethod.MANUAL,
                    at=command.at,
                )
            )
        return [
            *taken,
            converted(
                command, self.first, self.profile, owner_id, self.unit_id, self.follow_ups,
                contact_account_ids,
            ),
            *self._drop_plans(CONVERTED),
        ]  # fmt: skip

    def revert_conversion(
        self, command: RevertConversion, home: Pool | None, *, paid: bool
    ) -> list[Event]:
        made = self.conversion
        if made is None:
            raise LeadIsNotConverted
        if paid:
            raise MoneyHasMoved(account_id=made.account_id)
        reverted = ConversionReverted(
            account_id=made.account_id,
            withdraws_account=made.opens_account,
            contact_id=made.contact_id,
            withdraws_contact=made.opens_contact,
            opportunity_id=made.opportunity_id,
            owner_id=self.owner_id,
            follow_up_ids=tuple(done.follow_up_id for done in self.follow_ups),
            reason=command.reason,
        )
        return self._watched([reverted], home, command.at)

    # What it refuses.

    def _refuse_settled(self) -> None:
        if self.is_settled:
            raise LeadIsSettled(self.status)

    def _refuse_converted(self) -> None:
        if self.status is LeadStatus.CONVERTED:
            raise LeadIsSettled(self.status)

    def _due_for_recycling(self, idle_since: datetime) -> RecycleScheduled | None:
        due = self.recycling
        if (
            due is None
            or self.locked
            or self.status not in RECYCLABLE
            or due.owner_id != self.owner_id
            or due.idle_since != idle_since
        ):
            return None
        return due


def _refuse_unclaimed(pool: Pool | None, actor: Actor) -> None:
    """Refuse to settle what waits in a pool past the pool's rules for claiming it."""
    if pool is not None and not pool.is_admin(actor):
        raise LeadWaitsInPool(pool.id)


def _statement(command: Statement) -> dict[str, Any]:
    return {
        "channel": command.channel,
        "stated_at": command.at,
        "campaign_id": command.campaign_id,
        "landing_page": command.landing_page,
        "utm": command.utm,
        "referrer": command.referrer,
        "raw": command.raw or None,
        "source": command.source,
        "external_id": command.external_id,
    }


def _same_conversion(made: LeadConverted, command: ConvertLead) -> bool:
    """Whether the command asks for nothing but what the conversion has done."""
    asked = command.opportunity
    return (
        (command.existing_account_id or command.account_id) in {None, made.account_id}
        and (command.existing_contact_id or command.contact_id) in {None, made.contact_id}
        and (asked is None or made.opportunity_id is not None)
        and (asked is None or asked.opportunity_id in {None, made.opportunity_id})
    )
