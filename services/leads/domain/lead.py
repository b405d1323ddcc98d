"""A lead's life: captured, pooled, owned, followed up, and settled one way or the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
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
    WarnOfRecycling,
)
from services.leads.domain.conversion import converted
from services.leads.domain.duplicates import Origin, Recognised
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
    MoneyHasMoved,
    NotTheOwner,
    PreviousOwnerCoolsDown,
)
from shared.chassis.shapes import FieldViolation, Invalid, NotFound
from shared.events.base import Event
from shared.events.leads import (
    CarriedFollowUp,
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
    LeadProfileFact,
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

__all__ = ["Lead", "LeadStatus"]

RELEASED, RECYCLED = "lead released", "lead recycled"
DISQUALIFIED, CONVERTED = "lead disqualified", "lead converted"


class LeadStatus(StrEnum):
    """How far a lead has come."""

    NEW = "new"
    ASSIGNED = "assigned"
    WORKING = "working"
    QUALIFIED = "qualified"
    NURTURING = "nurturing"
    DISQUALIFIED = "disqualified"
    CONVERTED = "converted"


_SETTLED = {LeadStatus.DISQUALIFIED, LeadStatus.CONVERTED}
_RECYCLABLE = {LeadStatus.ASSIGNED, LeadStatus.WORKING, LeadStatus.QUALIFIED}


@dataclass(frozen=True, kw_only=True)
class Lead:
    """A prospect from the first sign of interest until it is converted or given up."""

    status: LeadStatus = LeadStatus.NEW
    profile: LeadProfileFact
    first: LeadCaptured
    statements: int = 1
    stated_at: datetime | None = None
    owner_id: str | None = None
    unit_id: str | None = None
    pool_id: str | None = None
    """The pool it waits in."""
    home_pool_id: str | None = None
    """The pool it was in last, whose rules go on to apply."""
    previous_owner_id: str | None = None
    cool_down_until: datetime | None = None
    protected_until: datetime | None = None
    locked: bool = False
    idle_since: datetime | None = None
    recycling: RecycleScheduled | None = None
    warned: bool = False
    follow_ups: tuple[CarriedFollowUp, ...] = ()
    plans: Mapping[str, FollowUpPlanned] = field(default_factory=lambda: MappingProxyType({}))
    scored: LeadScored | None = None
    conversion: LeadConverted | None = None
    status_before: LeadStatus = LeadStatus.NEW

    @property
    def is_settled(self) -> bool:
        """Whether it is converted or given up."""
        return self.status in _SETTLED

    @property
    def origin(self) -> Origin:
        """Where it came from first."""
        return Origin(self.first.channel, self.first.campaign_id, self.first.unit_id)

    @property
    def active_at(self) -> datetime | None:
        """When it last showed interest or was spoken to."""
        moments = [f.at for f in self.follow_ups[-1:]]
        return max([*moments, *([self.stated_at] if self.stated_at else [])], default=None)

    def known(self) -> dict[str, Any]:
        """Return what rules may ask about."""
        last = self.follow_ups[-1] if self.follow_ups else None
        return fields_of(self.profile) | {
            "attitude": last.attitude if last else None,
            "campaign_id": self.first.campaign_id,
            "channel": self.first.channel,
            "follow_ups": len(self.follow_ups),
            "source": self.first.source,
            "statements": self.statements,
            "status": self.status.value,
            "unit_id": self.unit_id,
        }

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
        claimed = LeadClaimed(pool_id=pool.id, owner_id=command.by.id, unit_id=unit_of(command.by))
        return [claimed, *self.watch(pool, command.by.id, command.at)]

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
        )
        return [assigned, *self.watch(home, command.owner_id, command.at)]

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

    def watch(self, pool: Pool | None, owner_id: str, since: datetime) -> list[Event]:
        """Start the clock after which the lead is recycled, if the pool's rules say so."""
        if pool is None or self.locked:
            return []
        return pool.recycling(owner_id, since, self.protected_until)

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

    def unlock(self, home: Pool | None) -> list[Event]:
        if not self.locked:
            return []
        unlocked = replace(self, locked=False)
        since = self.idle_since
        watched = (
            unlocked.watch(home, self.owner_id, since)
            if self.owner_id and since and self.status in _RECYCLABLE
            else []
        )
        return [LeadUnlocked(), *watched]

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
        since = max(command.at, self.idle_since or command.at)
        if self.status is not LeadStatus.NURTURING and since != self.idle_since:
            events += self.watch(home, self.owner_id, since)
        return events

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

    def score(self, scored: LeadScored) -> list[Event]:
        before = self.scored
        if before is not None and (before.score, before.grade, before.parts) == (
            scored.score,
            scored.grade,
            scored.parts,
        ):
            return []
        return [scored]

    def qualify(self, command: QualifyLead) -> list[Event]:
        self._refuse_settled()
        if self.status is LeadStatus.QUALIFIED:
            return []
        if self.owner_id is None:
            raise LeadHasNoOwner
        return [
            LeadQualified(
                owner_id=self.owner_id,
                score=self.scored.score if self.scored else None,
                note=command.note,
            )
        ]

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

    def disqualify(self, command: DisqualifyLead) -> list[Event]:
        if self.status is LeadStatus.DISQUALIFIED:
            return []
        self._refuse_settled()
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
        return [reopened, *(self.watch(home, owner_id, command.at) if owner_id else [])]

    # Becoming a customer.

    def convert(
        self, command: ConvertLead, contact_account_ids: Sequence[str] | None = None
    ) -> list[Event]:
        """Convert; `contact_account_ids` are the accounts an existing contact acts for."""
        if self.conversion is not None and _same_conversion(self.conversion, command):
            return []
        self._refuse_settled()
        owner_id = self.owner_id or command.owner_id
        if owner_id is None:
            raise LeadHasNoOwner
        taken: list[Event] = []
        if self.owner_id is None:
            taken.append(
                LeadAssigned(
                    owner_id=owner_id, pool_id=self.pool_id, method=AssignmentMethod.MANUAL
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
            reason=command.reason,
        )
        if self.owner_id is None or self.status_before not in _RECYCLABLE:
            return [reverted]
        return [reverted, *self.watch(home, self.owner_id, command.at)]

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
            or self.status not in _RECYCLABLE
            or due.owner_id != self.owner_id
            or due.idle_since != idle_since
        ):
            return None
        return due

    # How it came to be what it is.

    @staticmethod
    def evolve(state: "Lead | None", event: Event) -> "Lead | None":
        if isinstance(event, LeadCaptured):
            return Lead(
                profile=event, first=event, stated_at=event.stated_at, unit_id=event.unit_id
            )
        if state is None:
            return None
        match event:
            case StatementMerged():
                return replace(
                    state,
                    profile=event,
                    statements=event.statements,
                    stated_at=event.stated_at or state.stated_at,
                )
            case LeadProfileChanged():
                return replace(state, profile=event)
            case LeadScored():
                return replace(state, scored=event)
            case LeadAssigned():
                return state._owned_by(event.owner_id, event.unit_id, event.pool_id)
            case LeadClaimed():
                return state._owned_by(event.owner_id, event.unit_id, event.pool_id)
            case LeadPooled():
                return replace(
                    state._in_pool(event.pool_id, event.previous_owner_id, None),
                    protected_until=event.protected_until or state.protected_until,
                )
            case LeadReleased() | LeadRecycled():
                return state._in_pool(event.pool_id, event.owner_id, event.cool_down_until)
            case RecycleScheduled():
                return replace(
                    state,
                    recycling=event,
                    idle_since=event.idle_since,
                    home_pool_id=event.pool_id,
                    warned=False,
                )
            case RecycleWarned():
                return replace(state, warned=True)
            case LeadLocked():
                return replace(state, locked=True)
            case LeadUnlocked():
                return replace(state, locked=False)
            case FollowUpRecorded():
                return state._followed_up(event)
            case FollowUpPlanned():
                return replace(
                    state, plans=MappingProxyType({**state.plans, event.follow_up_id: event})
                )
            case FollowUpCancelled():
                return replace(state, plans=state._plans_without(event.follow_up_id))
            case LeadQualified():
                return replace(state, status=LeadStatus.QUALIFIED)
            case LeadNurtured():
                return replace(state, status=LeadStatus.NURTURING, recycling=None)
            case LeadDisqualified():
                return replace(state, status=LeadStatus.DISQUALIFIED, pool_id=None, recycling=None)
            case LeadReopened():
                return replace(state, status=state._open_status(), owner_id=event.owner_id)
            case LeadConverted():
                return replace(
                    state,
                    status=LeadStatus.CONVERTED,
                    status_before=state.status,
                    conversion=event,
                    pool_id=None,
                    recycling=None,
                )
            case ConversionReverted():
                return replace(state, status=state.status_before, conversion=None)
        return state

    def _owned_by(self, owner_id: str, unit_id: str | None, pool_id: str | None) -> "Lead":
        return replace(
            self,
            status=LeadStatus.ASSIGNED if self.status is LeadStatus.NEW else self.status,
            owner_id=owner_id,
            unit_id=unit_id or self.unit_id,
            pool_id=None,
            home_pool_id=pool_id or self.home_pool_id,
            recycling=None,
            idle_since=None,
        )

    def _in_pool(
        self, pool_id: str, previous_owner_id: str | None, cool_down_until: datetime | None
    ) -> "Lead":
        return replace(
            self,
            status=LeadStatus.NEW,
            owner_id=None,
            pool_id=pool_id,
            home_pool_id=pool_id,
            previous_owner_id=previous_owner_id,
            cool_down_until=cool_down_until,
            recycling=None,
            idle_since=None,
        )

    def _followed_up(self, event: FollowUpRecorded) -> "Lead":
        carried = CarriedFollowUp(
            **{name: getattr(event, name) for name in CarriedFollowUp.model_fields}
        )
        return replace(
            self,
            status=LeadStatus.WORKING if self.status is LeadStatus.ASSIGNED else self.status,
            follow_ups=(*self.follow_ups, carried),
            plans=self._plans_without(event.plan_id),
        )

    def _plans_without(self, done: str | None) -> Mapping[str, FollowUpPlanned]:
        return MappingProxyType({key: plan for key, plan in self.plans.items() if key != done})

    def _open_status(self) -> LeadStatus:
        if self.owner_id is None:
            return LeadStatus.NEW
        return LeadStatus.WORKING if self.follow_ups else LeadStatus.ASSIGNED


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
