"""A company of millions: one customer's facts, made by commands, told again of all the others."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from benchmarks.world import World
from shared.events.base import Event, Recorded, read_event

__all__ = ["Clones", "Company"]

_FIRST = "000000"
"""How the customer of number 0 is named in ids, numbers and addresses."""
_OPENING = ("bench-0-0", "bench-0-1")
"""The commands that make an account of everybody."""
_APART = timedelta(minutes=7)
_SPREAD = 10_000
"""Customers after whom the days begin anew."""


class _Told(NamedTuple):
    """A fact about the first customer, ready to be told of others."""

    recorded: Recorded[Event]
    payload: str

    def again(self, number: int, position: int) -> Recorded[Event]:
        name = f"{number:06}"
        recorded = self.recorded
        event = read_event(recorded.event.topic, orjson.loads(self.payload.replace(_FIRST, name)))
        command_id = f"{recorded.command_id}-{number}"
        return recorded._replace(
            position=position,
            stream_id=recorded.stream_id.replace(_FIRST, name),
            event=event,
            occurred_at=recorded.occurred_at + number % _SPREAD * _APART,
            command_id=command_id,
            correlation_id=command_id,
        )


@dataclass(frozen=True)
class Company:
    """Customers of whom every `lived`'th has a whole life, the others only an account.

    Args:
        customers: how many; up to a million.
        lived: every how many'th.
    """

    customers: int
    lived: int

    @cached_property
    def logs(self) -> Mapping[str, "Clones"]:
        """The log of each context."""
        with tempfile.TemporaryDirectory(prefix="annals-bench-") as folder:
            world = World.build(Path(folder), 1, lived=1)
            told = {
                name: [_told(f) for f in opened.log.read(0, 1000) if _FIRST in f.stream_id]
                for name, opened in world.services.items()
            }
            world.close()
        return {
            name: Clones(self, [t for t in whole if t.recorded.command_id in _OPENING], whole)
            for name, whole in told.items()
        }


@dataclass(frozen=True)
class Clones:
    """One context's log, made up as it is read; see `shared.chassis.projections.rebuild.Source`.

    Args:
        company: of whom it tells.
        opened: what it says of a customer who only has an account.
        whole: what it says of one with a whole life.
    """

    company: Company
    opened: Sequence[_Told]
    whole: Sequence[_Told]

    def tip(self) -> int:
        """Return the last position."""
        lives = -(-self.company.customers // self.company.lived)
        others = self.company.customers - lives
        return lives * len(self.whole) + others * len(self.opened)

    def read(
        self,
        after: int,
        limit: int = 256,
        *,
        upto: int | None = None,
        topics: Collection[str] = (),
    ) -> list[Recorded[Event]]:
        """Return up to `limit` facts of these topics after a position and up to another."""
        last = self.tip() if upto is None else upto
        found: list[Recorded[Event]] = []
        for position, number, told in self._from(after):
            if position > last or len(found) == limit:
                break
            if not topics or told.recorded.event.topic in topics:
                found.append(told.again(number, position))
        return found

    def _from(self, after: int) -> Iterator[tuple[int, int, _Told]]:
        lived = self.company.lived
        block = len(self.whole) + (lived - 1) * len(self.opened)
        blocks = after // block if block else 0
        position = blocks * block
        for number in range(blocks * lived, self.company.customers):
            for told in self.opened if number % lived else self.whole:
                position += 1
                if position > after:
                    yield position, number, told


def _told(fact: Recorded[Any]) -> _Told:
    return _Told(fact, fact.event.model_dump_json(exclude_defaults=True))
