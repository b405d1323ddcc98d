"""A small context to carry out commands in: boats take cargo, and berths that only one can hold."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.chassis.application import Application, Work
from shared.chassis.clock import Clock
from shared.chassis.database import Database
from shared.chassis.eventstore import EventLog
from shared.chassis.shapes import Answer, BrokenRule, Command
from shared.chassis.testing import issue
from shared.events.base import Event

CAPACITY = 100
BERTH = "berth"


class BoatBuilt(Event, topic="harbour.BoatBuilt.v1"):
    """It is afloat for the first time."""

    name: str


class CargoLoaded(Event, topic="harbour.CargoLoaded.v1"):
    """Tons came on board."""

    tons: int


class BoatMoored(Event, topic="harbour.BoatMoored.v1"):
    """It lies at a berth."""

    berth: str


class BoatLeft(Event, topic="harbour.BoatLeft.v1"):
    """It gave its berth up."""

    berth: str


class BoatSunk(Event, topic="harbour.BoatSunk.v1"):
    """It is no more."""


class BuildBoat(Command):
    boat_id: str
    name: str = "Möwe"


class LaunchBoat(Command):
    """Like building, but somebody looks whether it swims already."""

    boat_id: str


class LoadCargo(Command):
    boat_id: str
    tons: int


class MoorBoat(Command):
    boat_id: str
    berth: str
    evict: bool = False


class LeaveBerth(Command):
    boat_id: str


class Overloaded(BrokenRule):
    """It would sink."""


class AlreadyAfloat(BrokenRule):
    """It was launched before."""


@dataclass(frozen=True)
class Boat:
    tons: int = 0
    berth: str | None = None

    @staticmethod
    def evolve(state: "Boat | None", event: Event) -> "Boat | None":
        match event, state:
            case BoatBuilt(), _:
                return Boat()
            case CargoLoaded(tons=tons), Boat():
                return replace(state, tons=state.tons + tons)
            case BoatMoored(berth=berth), Boat():
                return replace(state, berth=berth)
            case BoatLeft(), Boat():
                return replace(state, berth=None)
        return state

    def load(self, command: LoadCargo) -> list[Event]:
        if self.tons + command.tons > CAPACITY:
            raise Overloaded(aboard=self.tons)
        return [CargoLoaded(tons=command.tons)] if command.tons else []


class Harbour(Application):
    context = "harbour"

    def __init__(
        self, log: EventLog, views: Database | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__(log, views, clock)
        self.before: list[Callable[[], object]] = []
        """What others do, one at a time, before a decision looks at anything."""
        self.meanwhile: list[Callable[[], object]] = []
        """What others do, one at a time, after it looked."""

    def build_boat(self, command: BuildBoat) -> Answer:
        def decide(work: Work) -> str:
            work.record(command.boat_id, [BoatBuilt(name=command.name)])
            return command.boat_id

        return self.commit(command, decide, lambda: {"name": command.name})

    def launch_boat(self, command: LaunchBoat) -> Answer:
        def decide(work: Work) -> str:
            _let(self.before)
            if work.find(Boat, command.boat_id) is not None:
                raise AlreadyAfloat
            work.record(command.boat_id, [BoatBuilt(name="new")])
            return command.boat_id

        return self.commit(command, decide)

    def load_cargo(self, command: LoadCargo) -> Answer:
        def decide(work: Work) -> str:
            boat = work.load(Boat, command.boat_id)
            _let(self.meanwhile)
            work.record(command.boat_id, boat.load(command))
            return command.boat_id

        return self.commit(command, decide)

    def moor_boat(self, command: MoorBoat) -> Answer:
        def decide(work: Work) -> str:
            boat = work.load(Boat, command.boat_id)
            if boat.berth == command.berth:
                return command.boat_id
            if boat.berth is not None:
                work.release(BERTH, boat.berth)
            there = work.holder(BERTH, command.berth)
            if there is not None and command.evict:
                work.load(Boat, there)
                work.record(there, [BoatLeft(berth=command.berth)])
                work.release(BERTH, command.berth)
            work.claim(BERTH, command.berth, command.boat_id)
            _let(self.meanwhile)
            work.record(command.boat_id, [BoatMoored(berth=command.berth)])
            return command.boat_id

        return self.commit(command, decide)

    def leave_berth(self, command: LeaveBerth) -> Answer:
        def decide(work: Work) -> str:
            boat = work.load(Boat, command.boat_id)
            if boat.berth is not None:
                work.record(command.boat_id, [BoatLeft(berth=boat.berth)])
                work.release(BERTH, boat.berth)
            return command.boat_id

        return self.commit(command, decide)


def _let(others: list[Callable[[], object]]) -> None:
    if others:
        others.pop()()


def do(
    harbour: Harbour,
    command: Command,
    *,
    command_id: str | None = None,
    expected_version: int | None = None,
) -> Answer:
    """Let somebody issue a command."""
    return harbour.handle(issue(command, command_id=command_id, expected_version=expected_version))


def built(harbour: Harbour, *boats: str) -> Harbour:
    """Build some boats, or the one called gull."""
    for boat in boats or ("gull",):
        do(harbour, BuildBoat(boat_id=boat))
    return harbour


def load(tons: int, boat: str = "gull") -> LoadCargo:
    return LoadCargo(boat_id=boat, tons=tons)


def said(harbour: Harbour) -> list[Event]:
    """Return everything that happened."""
    return [fact.event for fact in harbour.log.read(0, 1000)]


def write(harbour: Harbour, stream_id: str, event: Event) -> None:
    """Record an event on a stream whatever it says."""

    def decide(work: Work) -> str:
        work.version(stream_id)
        work.record(stream_id, [event])
        return stream_id

    harbour.commit(issue(load(0)), decide)
