"""What a lead is, folded from its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from services.leads.domain.duplicates import Origin
from services.leads.domain.profile import fields_of
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
    RecycleScheduled,
    RecycleWarned,
    StatementMerged,
)

__all__ = ["RECYCLABLE", "LeadState", "LeadStatus"]


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
RECYCLABLE = {LeadStatus.ASSIGNED, LeadStatus.WORKING, LeadStatus.QUALIFIED}


@dataclass(frozen=True, kw_only=True)
class LeadState:
    """Everything about a lead that its decisions look at."""

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
    """The last follow-up, or since when the owner has it; nothing when taken up again since."""
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

    @classmethod
    def evolve(cls, state: Self | None, event: Event) -> Self | None:
        if isinstance(event, LeadCaptured):
            return cls(profile=event, first=event, stated_at=event.stated_at, unit_id=event.unit_id)
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
                return state._owned_by(event)
            case LeadClaimed():
                return state._owned_by(event)
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
                nurtured = state.status is LeadStatus.NURTURING
                idle_since = None if nurtured else state.idle_since
                return replace(state, status=LeadStatus.QUALIFIED, idle_since=idle_since)
            case LeadNurtured():
                return replace(state, status=LeadStatus.NURTURING, recycling=None)
            case LeadDisqualified():
                return replace(state, status=LeadStatus.DISQUALIFIED, pool_id=None, recycling=None)
            case LeadReopened():
                return replace(
                    state, status=state._open_status(), owner_id=event.owner_id, idle_since=None
                )
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
                return replace(state, status=state.status_before, conversion=None, idle_since=None)
        return state

    def _owned_by(self, event: LeadAssigned | LeadClaimed) -> Self:
        return replace(
            self,
            status=LeadStatus.ASSIGNED if self.status is LeadStatus.NEW else self.status,
            owner_id=event.owner_id,
            unit_id=event.unit_id or self.unit_id,
            pool_id=None,
            home_pool_id=event.pool_id or self.home_pool_id,
            recycling=None,
            idle_since=event.at,
        )

    def _in_pool(
        self, pool_id: str, previous_owner_id: str | None, cool_down_until: datetime | None
    ) -> Self:
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

    def _followed_up(self, event: FollowUpRecorded) -> Self:
        carried = CarriedFollowUp(
            **{name: getattr(event, name) for name in CarriedFollowUp.model_fields}
        )
        return replace(
            self,
            status=LeadStatus.WORKING if self.status is LeadStatus.ASSIGNED else self.status,
            idle_since=max(event.at, self.idle_since or event.at),
            follow_ups=(*self.follow_ups, carried),
            plans=self._plans_without(event.plan_id),
        )

    def _plans_without(self, done: str | None) -> Mapping[str, FollowUpPlanned]:
        return MappingProxyType({key: plan for key, plan in self.plans.items() if key != done})

    def _open_status(self) -> LeadStatus:
        if self.owner_id is None:
            return LeadStatus.NEW
        return LeadStatus.WORKING if self.follow_ups else LeadStatus.ASSIGNED
