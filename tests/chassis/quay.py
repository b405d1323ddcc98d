"""Read models of the harbour, and a harbour whose read models are kept up with its log."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, String, Table, select

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.messaging import Delivery, parking, pull_from
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.shapes import Amount, Instant, Key, Projection, Row, blank, fresh_id
from shared.chassis.testing import NOON, folded
from shared.events.base import Event, Recorded
from tests.chassis.harbour import BoatBuilt, BoatLeft, BoatMoored, BoatSunk, CargoLoaded, Harbour

metadata = MetaData()


class Boats(Projection):
    """What is on board of every boat that swims."""

    table = Table(
        "boats",
        metadata,
        Column("boat_id", String, primary_key=True),
        Column("name", String),
        Column("tons", Amount, nullable=False),
        Column("loads", JSON, nullable=False),
        Column("built_on", Date),
        Column("seen_at", Instant),
        Column("full", Boolean),
        Index("boats_by_name", "name"),
    )
    events = (BoatBuilt, CargoLoaded, BoatSunk)
    poisonous: ClassVar[set[int]] = set()
    """Cargo that makes the fold fail."""

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        row = row or {**blank(Boats.table, key), "tons": Decimal(0), "loads": []}
        seen = {**row, "seen_at": recorded.occurred_at}
        match recorded.event:
            case BoatBuilt(name=name):
                return {**seen, "name": name, "built_on": recorded.occurred_at.date()}
            case CargoLoaded(tons=tons) if tons in Boats.poisonous:
                raise ZeroDivisionError
            case CargoLoaded(tons=tons):
                aboard = row["tons"] + Decimal(tons) / 10
                return {
                    **seen,
                    "tons": aboard,
                    "loads": [*row["loads"], tons],
                    "full": aboard > 10,
                }
        return None


class Visits(Projection):
    """Who lies at which berth: a link of two ids that comes and goes."""

    table = Table(
        "visits",
        metadata,
        Column("berth", String, primary_key=True),
        Column("boat_id", String, primary_key=True),
        Column("times", Integer, nullable=False),
    )
    events = (BoatMoored, BoatLeft)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.event.berth, recorded.stream_id), (recorded.event.berth, "anybody")]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        match recorded.event:
            case BoatMoored():
                return {"times": (row["times"] if row else 0) + 1}
        return None


class Loads(Projection):
    """Every load, once."""

    table = Table(
        "loads",
        metadata,
        Column("boat_id", String, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("tons", Integer, nullable=False),
    )
    events = (CargoLoaded,)
    once = True

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id, recorded.version)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        assert row is None
        return {"tons": recorded.event.tons}


PROJECTIONS = (Boats, Visits, Loads)
HARBOUR = Service(name="harbour", application=Harbour, projections=PROJECTIONS)

_BERTHS = st.sampled_from(["north", "south"])
EVENTS = st.one_of(
    st.builds(BoatBuilt, name=st.sampled_from(["Möwe", "海鸥"])),
    st.builds(CargoLoaded, tons=st.integers(0, 60)),
    st.builds(BoatMoored, berth=_BERTHS),
    st.builds(BoatLeft, berth=_BERTHS),
    st.just(BoatSunk()),
)
HISTORIES = st.lists(
    st.tuples(st.sampled_from(["gull", "tern", "红"]), EVENTS), min_size=1, max_size=25
)


class Quay:
    """A harbour whose log is written directly, and followed when a test says so."""

    def __init__(self, data: Path | None = None, database: Database | None = None) -> None:
        self.opened: OpenService = open_service(HARBOUR, data, database=database, durable=False)
        self.log = self.opened.log
        self.views = self.opened.views_database
        delivery = Delivery(self.opened, pull_from([self.opened]), lambda _: None)
        assert delivery.views is not None
        self.subscription = delivery.views

    def write(self, *events: tuple[str, Event]) -> None:
        for stream_id, event in events:
            version = self.log.version(stream_id) + 1
            at = NOON + timedelta(minutes=self.log.tip())
            self.log.append(
                [Recorded("harbour", 0, stream_id, version, event, at, at, "t", fresh_id(), "c")]
            )

    def follow(self) -> None:
        """Bring the read models up to the log."""
        self.subscription.catch_up()

    def follow_with(self, projection: type[Projection]) -> None:
        """Bring one read model up to the log; the others stay behind."""
        with self.views.transaction() as connection:
            after = tracking.position(connection, projection.name, "harbour")
            self.opened.projector.apply(connection, projection, self.log.read(after))
            tracking.advance(connection, projection.name, "harbour", self.log.tip())

    def parked(self) -> list[parking.Letter]:
        """Return what waits."""
        with self.views.read() as connection:
            return parking.letters(connection)

    def rebuild(self, *projections: type[Projection]) -> None:
        """Fold read models anew in place of what is there."""
        rebuild(self.views, projections, {"harbour": self.log}, subscription=self.subscription.name)

    def rows(self, projection: type[Projection]) -> dict[Key, Row]:
        table = projection.table
        keys = [column.name for column in table.primary_key.columns]
        with self.views.read() as connection:
            found = connection.execute(select(table)).mappings().all()
        return {tuple(row[name] for name in keys): dict(row) for row in found}

    def told(self, projection: type[Projection]) -> dict[Key, Row]:
        """Return the rows that the pure folds make of the whole log in one go."""
        names = [column.name for column in projection.table.columns]
        keys = [column.name for column in projection.table.primary_key.columns]
        return {
            key: {**dict.fromkeys(names), **row, **dict(zip(keys, key, strict=True))}
            for key, row in folded(projection, self.log.read(0, 1000)).items()
        }

    def close(self) -> None:
        self.opened.close()
