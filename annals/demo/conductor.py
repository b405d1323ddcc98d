"""The conductor: plays the acts in their order, day by day, and remembers how far it has come."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, Protocol

from annals.demo.act import Act, Found
from annals.demo.journal import Journal

__all__ = ["Conductor", "Stage", "Tally"]

_MONDAY, _WEDNESDAY, _FRIDAY = 1, 3, 5
_DAY = timedelta(days=1)
_FIRST_DAYS = 3 * _DAY


class Stage(Protocol):
    """Where a story is played: an installation whose clock can be turned."""

    def turn(self, moment: datetime | None) -> None:
        """Let it be this moment everywhere; None brings the machine's time back."""
        ...

    def settle(self) -> None:
        """Wait until policies have reacted to everything and no deadline is due."""
        ...

    def rest(self) -> None:
        """Wait until, besides, read models know everything."""
        ...

    def perform(self, act: Act, request: Mapping[str, Any]) -> str | None:
        """Issue a command until its answer is known; return the rule that refused it, if any."""
        ...

    def find(self, found: Found) -> str | None:
        """Return the id looked for, None when there is no such thing."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a story has come."""

    day: date
    acts: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    """Accepted commands by name."""
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals the story expected, by rule."""


class Conductor:
    """Plays acts on a stage, several at a time, those of one lane one after another.

    Mondays, Wednesdays and Fridays, or the next days of acts, begin once policies have reacted to
    all before and no deadline is due; Mondays, and the first days after each start, once read
    models know everything as well. What builds on a reaction is told two days later or more.

    Whoever is interrupted plays the unfinished day again: accepted commands are repeated with their
    ids, which changes nothing, and refused ones are not, for what refused them may be gone.

    Args:
        stage: where.
        journal: remembers finished days, refusals and surprises.
        width: how many acts are under way at once; with 1 nothing runs in parallel.
        told: hears how far the story has come.
    """

    def __init__(
        self,
        stage: Stage,
        journal: Journal,
        *,
        width: int = 1,
        told: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        self._stage = stage
        self._journal = journal
        self._width = width
        self._told = told
        self._found: dict[Found, str] = {}
        self._settled_on = self._rested_on = date.min

    def play(self, acts: Sequence[Act], ends: datetime) -> Tally:
        """Play the acts that are not played yet.

        Args:
            acts: the whole story, earliest first.
            ends: when it ends; afterwards the machine's time is back.

        Returns:
            What came of the whole story, whoever played which part of it.
        """
        tally = Tally(ends.date())
        started: date | None = None
        with ThreadPoolExecutor(self._width, thread_name_prefix="act") as crew:
            for day, of_the_day in groupby(acts, key=lambda act: act.at.date()):
                todays = list(of_the_day)
                if not self._journal.has_played(day):
                    started = started or day
                    self._begin(day, is_first=day < started + _FIRST_DAYS)
                    self._play_day(crew, todays)
                    self._journal.day_is_over(day)
                tally = _counted(tally, day, todays)
                self._told(tally)
        self._stage.turn(ends)
        self._stage.rest()
        self._stage.turn(None)
        self._stage.rest()
        self._journal.story_is_over()
        return tally

    def _begin(self, day: date, *, is_first: bool) -> None:
        self._stage.turn(datetime.combine(day, time(), UTC))
        if is_first or self._rested_on < _latest(day, {_MONDAY}):
            self._stage.rest()
            self._rested_on = self._settled_on = day
        elif self._settled_on < _latest(day, {_MONDAY, _WEDNESDAY, _FRIDAY}):
            self._stage.settle()
            self._settled_on = day

    def _play_day(self, crew: ThreadPoolExecutor, acts: Sequence[Act]) -> None:
        """Start each act once those before it in its lanes are done."""
        lanes: dict[str, Future[None]] = {}
        room = threading.Semaphore(self._width)
        for act in acts:
            for lane in act.lanes:
                if before := lanes.get(lane):
                    before.result()
            room.acquire()
            self._stage.turn(act.at)
            playing = crew.submit(self._play, act)
            playing.add_done_callback(lambda _: room.release())
            lanes |= dict.fromkeys(act.lanes, playing)
        for playing in lanes.values():
            playing.result()

    def _play(self, act: Act) -> None:
        if act.refused and self._journal.was_refused(act.id):
            return
        try:
            request = {name: self._resolved(value) for name, value in act.request.items()}
        except LookupError as error:
            self._journal.surprise(f"{act.at:%Y-%m-%d} {act.context}.{act.rpc}: {error}")
            return
        rule = self._stage.perform(act, request)
        if rule != act.refused:
            expected = f"refused by {act.refused}" if act.refused else "accepted"
            self._journal.surprise(
                f"{act.at:%Y-%m-%d} {act.context}.{act.rpc}: {rule or 'accepted'}, not {expected}"
            )
        elif act.refused:
            self._journal.refusal(act.id)

    def _resolved(self, value: Any) -> Any:
        if not isinstance(value, Found):
            return value
        if value not in self._found:
            id = self._stage.find(value)
            if id is None:
                raise LookupError(f"{value.rpc} finds nothing with {value.filter}")
            self._found[value] = id
        return self._found[value]


def _latest(day: date, weekdays: AbstractSet[int]) -> date:
    """Return the day itself, or the last one before it, that is one of these days of the week."""
    while day.isoweekday() not in weekdays:
        day -= _DAY
    return day


def _counted(tally: Tally, day: date, acts: Sequence[Act]) -> Tally:
    accepted = Counter(act.rpc for act in acts if act.refused is None)
    refused = Counter(act.refused for act in acts if act.refused)
    return replace(
        tally,
        day=day,
        acts=tally.acts + len(acts),
        accepted=tally.accepted + accepted,
        refused=tally.refused + refused,
    )
