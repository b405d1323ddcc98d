"""Two releases of one service, told line by line what to do: `… harbour 1|2 URL`.

The second release tells at an arrival which berth it is, in a new version of the fact, and knows of
departures, which the first has never heard of. Both show in one table who lies in the harbour.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, select

from shared.chassis import logs
from shared.chassis.application import Application
from shared.chassis.database import Database
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.messaging.lag import lag
from shared.chassis.messaging.relay import Relay
from shared.chassis.messaging.slices import Parcel
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.shapes import Actor, Answer, Command, Envelope, Key, Projection, Row, fresh_id
from shared.events.base import Event, Recorded, upcaster

RELEASE = sys.argv[1]


class ShipArrived(Event, topic=f"harbour.ShipArrived.v{RELEASE}"):
    """A ship came in."""

    name: str
    if RELEASE != "1":
        berth: str


if RELEASE != "1":

    @upcaster("harbour.ShipArrived.v1", ShipArrived)
    def arrived_at_the_only_berth(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "berth": "the only one"}

    class ShipLeft(Event, topic="harbour.ShipLeft.v1"):
        """A ship went to sea."""


@dataclass(frozen=True)
class Ship:
    arrivals: int = 0

    @staticmethod
    def evolve(state: "Ship | None", event: Event) -> "Ship | None":
        if isinstance(event, ShipArrived):
            return Ship((state or Ship()).arrivals + 1)
        return state

    def arrive(self, name: str) -> Sequence[Event]:
        return [ShipArrived.model_validate({"name": name, "berth": "north"})]


class Arrive(Command):
    ship: str


class Leave(Command):
    ship: str


class Harbour(Application):
    context = "harbour"

    def arrive(self, command: Arrive) -> Answer:
        def decide(work: Any) -> str:
            ship = work.find(Ship, command.ship) or Ship()
            work.record(command.ship, ship.arrive(command.ship))
            return command.ship

        return self.commit(command, decide)

    def leave(self, command: Leave) -> Answer:
        return self.change(Ship, command.ship, lambda _: [ShipLeft()], command)


class Arrivals(Projection):
    table = Table("arrivals", MetaData(), Column("ship", String, primary_key=True))
    events = (ShipArrived,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, _row: Row | None, _recorded: Recorded[Any]) -> Row | None:
        return {"ship": key[0]}


class Notes(Projection):
    """What is noted of each ship, which the second release does in its own way."""

    version = int(RELEASE)
    table = Table(
        "notes", MetaData(), Column("ship", String, primary_key=True), Column("note", String)
    )
    events = (ShipArrived,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, _row: Row | None, recorded: Recorded[Any]) -> Row | None:
        return {"ship": key[0], "note": f"{recorded.version} by release {RELEASE}"}


def issued(command: Command) -> Command:
    now, id = datetime.now(UTC), fresh_id()
    envelope = Envelope(
        command_id=id, actor=Actor(id="pilot"), occurred_at=now, recorded_at=now, correlation_id=id
    )
    return command.issued(envelope)


def relayed(opened: OpenService) -> list[tuple[dict[str, str | int], str]]:
    """Return the messages that an active relay of this release publishes."""
    sent: list[Parcel] = []
    relay = Relay(opened.log, sent.append)
    while relay.step():
        pass
    relay.close()
    return [(parcel.headers, parcel.body.decode()) for parcel in sent]


def does(opened: OpenService) -> Callable[[str, str], object]:
    """Return what carries out a line."""
    delivery = Delivery(opened, pull_from([opened]))
    assert opened.application is not None
    handle, views = opened.application.handle, delivery.views
    assert views is not None

    def receive(messages: str) -> str:
        for headers, body in json.loads(messages):
            views.deliver((headers, body.encode()))
        return "received"

    def ships(_: str) -> list[str]:
        with opened.views_database.read() as connection:
            return sorted(connection.scalars(select(Arrivals.table.c.ship)))

    def notes(_: str) -> dict[str, str]:
        with opened.views_database.read() as connection:
            rows = connection.execute(select(Notes.table).order_by(Notes.table.c.ship))
            return {row.ship: row.note for row in rows}

    def renew(_: str) -> str:
        rebuild(opened.views_database, [Notes], {"harbour": opened.log}, subscription=views.name)
        return "renewed"

    words: dict[str, Callable[[str], object]] = {
        "arrive": lambda ship: handle(issued(Arrive(ship=ship))).version,
        "leave": lambda ship: handle(issued(Leave(ship=ship))).version,
        "relay": lambda _: json.dumps(relayed(opened)),
        "receive": receive,
        "consume": lambda _: views.catch_up(),
        "lag": lambda _: next(row.events for row in lag([opened]) if row.consumer == "arrivals"),
        "ships": ships,
        "notes": notes,
        "outdated": lambda _: views.outdated(),
        "renew": renew,
    }
    return lambda word, given: words[word](given)


def main() -> None:
    """Do what standard input says, and answer each line with one."""
    logs.configure("error")
    service = Service("harbour", application=Harbour, projections=(Arrivals, Notes))
    do = does(open_service(service, database=Database.postgres(sys.argv[2], pool=2)))
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        word, _, ship = line.strip().partition(" ")
        try:
            print(do(word, ship), flush=True)  # noqa: T201
        except Exception as error:  # noqa: BLE001 - the test asks which
            print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
