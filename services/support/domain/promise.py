"""The service promised for one ticket: its clocks, and the facts that come of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.support.domain.sla_policy import ServiceLevel
from shared.events.base import Event
from shared.events.support import (
    Priority,
    SlaBreached,
    SlaClock,
    SlaClockFact,
    SlaDueSet,
    SlaMet,
    SlaRiskRaised,
)

__all__ = ["Clock", "Promise", "clocks_after", "minutes"]


class Handling(StrEnum):
    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """By when something was promised, and whether the promise still stands."""

    due_at: datetime
    promised: timedelta
    at_risk: bool = False
    handling: Handling = Handling.RUNNING

    @property
    def runs(self) -> bool:
        """Whether the promise is neither kept nor broken yet."""
        return self.handling is Handling.RUNNING


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A ticket's clocks with what their facts say of the ticket; it decides, the ticket records."""

    clocks: Mapping[SlaClock, Clock]
    about: Mapping[str, Any]

    def start(
        self, names: Iterable[SlaClock], priority: Priority, at: datetime, level: ServiceLevel
    ) -> list[Event]:
        """Promise the full time for a priority from now on."""
        promises = [(name, level.promised(priority, name)) for name in names]
        return [
            self._due_after(name, at, promised, promised, level)
            for name, promised in promises
            if promised is not None
        ]

    def keep(self, name: SlaClock, at: datetime, level: ServiceLevel | None) -> list[Event]:
        """What was promised is done."""
        clock = self.clocks.get(name)
        if clock is None or not clock.runs or level is None:
            return []
        used = clock.promised - level.between(at, clock.due_at)
        return [
            SlaMet(**self.about, clock=name, due_at=clock.due_at, working_minutes=minutes(used))
        ]

    def overrun(self, moment: datetime) -> list[Event]:
        """Return the breaches that nobody has noted by now."""
        return [
            SlaBreached(**self.about, clock=name, due_at=clock.due_at)
            for name, clock in self._running()
            if clock.due_at < moment
        ]

    def shift(self, since: datetime, at: datetime, level: ServiceLevel) -> list[Event]:
        """Give back, from now on, the time that was left when the clocks were stopped."""
        return [
            self._due_after(name, at, level.between(since, clock.due_at), clock.promised, level)
            for name, clock in self._running()
        ]

    def change(
        self,
        priority: Priority,
        at: datetime,
        level: ServiceLevel,
        before: ServiceLevel | None = None,
    ) -> list[Event]:
        """Promise the time of another priority or level, less what was used under the one before.

        What is promised nothing by it stays promised as it was.
        """
        events: list[Event] = []
        for name, clock in self._running():
            promised = level.promised(priority, name)
            if promised is not None:
                used = clock.promised - (before or level).between(at, clock.due_at)
                left = max(promised - used, timedelta(0))
                events.append(self._due_after(name, at, left, promised, level))
        return events

    def risk(self, name: SlaClock, due_at: datetime) -> list[Event]:
        """Warn, once, that the time is nearly used up."""
        clock = self.clocks.get(name)
        if clock is None or not clock.runs or clock.at_risk or clock.due_at != due_at:
            return []
        return [SlaRiskRaised(**self.about, clock=name, due_at=due_at)]

    def breach(self, name: SlaClock, due_at: datetime, at: datetime) -> list[Event]:
        """Note that the time ran out."""
        clock = self.clocks.get(name)
        if clock is None or not clock.runs or clock.due_at != due_at or at < due_at:
            return []
        return [SlaBreached(**self.about, clock=name, due_at=due_at)]

    def _running(self) -> list[tuple[SlaClock, Clock]]:
        return [(name, clock) for name, clock in self.clocks.items() if clock.runs]

    def _due_after(
        self,
        name: SlaClock,
        start: datetime,
        left: timedelta,
        promised: timedelta,
        level: ServiceLevel,
    ) -> SlaDueSet:
        clock = self.clocks.get(name)
        warned = clock is not None and clock.runs and clock.at_risk
        safe = max(left - level.reserve(promised), timedelta(0))
        return SlaDueSet(
            **self.about,
            clock=name,
            due_at=level.after(start, left),
            warn_at=level.after(start, safe) if safe or not warned else None,
            target_minutes=minutes(promised),
        )


def clocks_after(clocks: Mapping[SlaClock, Clock], fact: SlaClockFact) -> Mapping[SlaClock, Clock]:
    """Return the clocks as they stand after a fact about one of them."""
    clock = clocks.get(fact.clock)
    match fact:
        case SlaDueSet():
            clock = Clock(
                due_at=fact.due_at,
                promised=timedelta(minutes=fact.target_minutes),
                at_risk=clock is not None and clock.runs and clock.at_risk and fact.warn_at is None,
            )
        case SlaRiskRaised() if clock is not None:
            clock = replace(clock, at_risk=True)
        case SlaMet() if clock is not None:
            clock = replace(clock, handling=Handling.MET)
        case SlaBreached() if clock is not None:
            clock = replace(clock, handling=Handling.BREACHED)
    return clocks if clock is None else {**clocks, fact.clock: clock}


def minutes(duration: timedelta) -> int:
    """Return the whole minutes of a duration, rounded up."""
    return -(-duration // timedelta(minutes=1))
