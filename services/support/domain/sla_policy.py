"""SLA policies: how soon tickets of each priority are to be answered and resolved."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.support.commands import DefineSlaPolicy
from services.support.domain.business_calendar import BusinessCalendar
from services.support.domain.business_time import (
    BusinessHours,
    add_business_time,
    business_time_between,
)
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.support import Priority, SlaClock, SlaPolicyDefined
from shared.events.values import CalendarId, SlaPolicyId

__all__ = ["ServiceLevel", "SlaPolicy", "define_policy"]


@dataclass(frozen=True, kw_only=True)
class SlaPolicy:
    """A level of service; a ticket keeps the version that held when it was opened."""

    versions: tuple[SlaPolicyDefined, ...]

    @property
    def current(self) -> SlaPolicyDefined:
        """What holds for new tickets."""
        return self.versions[-1]

    def step_back(self) -> list[Event]:
        """Stop being the default, because another policy became it."""
        if not self.current.is_default:
            return []
        update = {"sla_version": len(self.versions) + 1, "is_default": False}
        return [self.current.model_copy(update=update)]

    @staticmethod
    def evolve(state: "SlaPolicy | None", event: Event) -> "SlaPolicy | None":
        match event:
            case SlaPolicyDefined() if state is None:
                return SlaPolicy(versions=(event,))
            case SlaPolicyDefined() if state is not None:
                return replace(state, versions=(*state.versions, event))
        return state


@dataclass(frozen=True, kw_only=True)
class ServiceLevel:
    """One version of a policy with the hours it is reckoned by."""

    sla_policy_id: SlaPolicyId
    policy: SlaPolicyDefined
    calendar_version: int
    hours: BusinessHours

    @classmethod
    def of(
        cls,
        sla_policy_id: SlaPolicyId,
        policy: SlaPolicy,
        calendar: BusinessCalendar,
        *,
        sla_version: int | None = None,
        calendar_version: int | None = None,
    ) -> "ServiceLevel":
        """Return the level in these versions; in the current ones when none are given."""
        calendar_version = calendar_version or calendar.current.calendar_version
        return cls(
            sla_policy_id=sla_policy_id,
            policy=policy.versions[(sla_version or len(policy.versions)) - 1],
            calendar_version=calendar_version,
            hours=calendar.hours(calendar_version),
        )

    @property
    def calendar_id(self) -> CalendarId:
        """The calendar the hours come from."""
        return self.policy.calendar_id

    @property
    def versions(self) -> dict[str, Any]:
        """What a ticket notes of the level that holds for it."""
        return {
            "sla_policy_id": self.sla_policy_id,
            "sla_version": self.policy.sla_version,
            "calendar_id": self.calendar_id,
            "calendar_version": self.calendar_version,
        }

    def promised(self, priority: Priority, clock: SlaClock) -> timedelta | None:
        """Return the working time promised, None when nothing is."""
        for target in self.policy.targets:
            if target.priority is priority:
                minutes = (
                    target.response_minutes
                    if clock is SlaClock.RESPONSE
                    else target.resolution_minutes
                )
                return timedelta(minutes=minutes)
        return None

    def reserve(self, promised: timedelta) -> timedelta:
        """Return how much of the time promised is left when it comes to be at risk."""
        return promised * (100 - self.policy.at_risk_percent) / 100

    def after(self, start: datetime, duration: timedelta) -> datetime:
        """Return when `duration` of working time has passed since `start`."""
        return add_business_time(self.hours, start, duration)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time between two moments."""
        return business_time_between(self.hours, start, end)


def define_policy(policy: SlaPolicy | None, command: DefineSlaPolicy) -> list[Event]:
    """Lay the policy down, or give it a new version."""
    if violations := _violations(command):
        raise Invalid(violations)
    defined = SlaPolicyDefined(
        sla_version=len(policy.versions) + 1 if policy else 1,
        name=command.name,
        calendar_id=command.calendar_id,
        targets=command.targets,
        at_risk_percent=command.at_risk_percent,
        reopen_within_days=command.reopen_within_days,
        is_default=command.is_default,
    )
    unchanged = policy and policy.current.model_copy(update={"sla_version": defined.sla_version})
    return [] if unchanged == defined else [defined]


def _violations(command: DefineSlaPolicy) -> list[FieldViolation]:
    found = []
    seen: set[Priority] = set()
    for index, target in enumerate(command.targets):
        if target.priority in seen:
            found.append(FieldViolation(f"targets.{index}.priority", "stands twice"))
        seen.add(target.priority)
        if target.response_minutes < 1:
            found.append(FieldViolation(f"targets.{index}.response_minutes", "must be at least 1"))
        if target.resolution_minutes < target.response_minutes:
            found.append(
                FieldViolation(
                    f"targets.{index}.resolution_minutes", "must not be less than the response's"
                )
            )
        if target.resolution_minutes > _YEAR_OF_MINUTES:
            found.append(
                FieldViolation(f"targets.{index}.resolution_minutes", "must be within a year")
            )
    return found


_YEAR_OF_MINUTES = 366 * 24 * 60
