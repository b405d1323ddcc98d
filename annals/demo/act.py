"""Acts: what somebody does at a moment, as the request that the services get for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from annals.demo.diary import Diary, Place
from shared.chassis.shapes import derived_id

__all__ = ["ADMINISTRATOR", "Act", "Found", "Script"]

ADMINISTRATOR = ""
"""Acts without a token: whoever sets the company up before there is any staff."""


@dataclass(frozen=True, slots=True)
class Found:
    """An id that a policy gave, looked up when the act is played.

    Args:
        context: who is asked.
        rpc: a list query.
        filter: what picks the one item.
        field: the item's field that holds the id.
    """

    context: str
    rpc: str
    filter: str
    field: str


@dataclass(frozen=True, slots=True)
class Act:
    """One command of the story.

    Args:
        at: when it happens (UTC, whole seconds).
        id: its command id; the same whenever the story is told with the same seed.
        context: the service that decides it.
        rpc: the command's name.
        request: its fields as JSON values; ids may be `Found`.
        by: who acts, `ADMINISTRATOR` for nobody in particular.
        lanes: acts that share a lane are played one after another.
        refused: the rule by which the story expects a refusal.
    """

    at: datetime
    id: str
    context: str
    rpc: str
    request: Mapping[str, Any]
    by: str
    lanes: tuple[str, ...]
    refused: str | None = None


class Script:
    """What happens around one prospect, written down as it goes.

    Args:
        seed: of the story.
        name: tells this script from all others; its acts share a lane of this name.
        begins: when it begins.
        place: whose working days count.
    """

    def __init__(self, seed: int, name: str, begins: datetime, place: Place) -> None:
        self.name = name
        self.rng = Random(f"{seed}/{name}")
        self.diary = Diary(self.rng, begins, place)
        self.acts: list[Act] = []
        self._seed = str(seed)
        self._begins = begins

    def id(self, *names: str) -> str:
        """Return the id of something this script creates, the same in every telling."""
        return derived_id(self._begins, "demo", self._seed, self.name, *names)

    def do(
        self,
        call: str,
        by: str,
        at: datetime,
        *,
        refused: str | None = None,
        lanes: tuple[str, ...] = (),
        **request: Any,
    ) -> None:
        """Write down an act.

        Args:
            call: context and command, e.g. `leads.ClaimLead`.
            by: who acts.
            at: when.
            refused: the rule that will forbid it, if one will.
            lanes: further lanes in which it must keep its place.
            request: the command's fields; None leaves one out.
        """
        context, _, rpc = call.partition(".")
        command_id = derived_id(at, "demo", self._seed, self.name, str(len(self.acts)), call)
        given = {name: value for name, value in request.items() if value is not None}
        if context == "leads" and rpc != "CaptureLead":
            lanes = (*lanes, f"hands:{by}")  # what they may hold depends on their acts' order
        lanes = (self.name, *lanes)
        self.acts.append(Act(at, command_id, context, rpc, given, by, lanes, refused))
