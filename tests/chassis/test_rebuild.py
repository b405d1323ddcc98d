"""Read models are folded anew while the system runs; a check tells whether they still are right."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Happening
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, inspect, text

from shared.chassis import tracking
from shared.chassis.database import Database
from shared.chassis.projections import rebuild as rebuilding
from shared.chassis.projections.rebuild import CannotFold, Rebuilt, digest, rebuild
from shared.chassis.shapes import Key, Projection, Row, Unavailable
from shared.events.base import Event, Recorded, upcaster
from tests.chassis.harbour import BoatBuilt, BoatMoored, BoatSunk, CargoLoaded
from tests.chassis.quay import HISTORIES, PROJECTIONS, Boats, Loads, Quay, Visits
from tests.servers.ground import Ground

pytestmark = pytest.mark.capability("PLT-03")

STORY: Sequence[tuple[str, Event]] = [
    ("gull", BoatBuilt(name="Möwe")),
    ("gull", CargoLoaded(tons=3)),
    ("tern", BoatBuilt(name="海鸥")),
    ("gull", BoatMoored(berth="north")),
    ("tern", CargoLoaded(tons=60)),
    ("skua", BoatBuilt(name="Skua")),
    ("skua", BoatSunk()),
    ("gull", CargoLoaded(tons=4)),
]


@pytest.fixture
def quay(ground: Ground, tmp_path: Path) -> Iterator[Quay]:
    """A harbour whose read models know the story; on files, or on a server."""
    opened = harbour(ground, tmp_path)
    opened.write(*STORY)
    opened.follow()
    yield opened
    opened.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a few facts at a time and keep hardly a row in memory."""
    monkeypatch.setattr(rebuilding, "_BATCH", 2)
    monkeypatch.setattr(rebuilding, "_ROWS_IN_MEMORY", 1)


@pytest.fixture(autouse=True)
def _healthy() -> Iterator[None]:
    yield
    Boats.poisonous.clear()


def harbour(ground: Ground, folder: Path) -> Quay:
    return Quay(database=ground.database()) if ground.server else Quay(folder)


def anew(quay: Quay, **options: object) -> list[Rebuilt]:
    return rebuild(quay.views, PROJECTIONS, {"harbour": quay.log}, **options)  # type: ignore[arg-type]


def everything(quay: Quay) -> dict[str, dict[Key, Row]]:
    return {projection.name: quay.rows(projection) for projection in PROJECTIONS}


def tampered(quay: Quay, statement: str) -> None:
    with quay.views.transaction() as connection:
        connection.execute(text(statement))


def tables(quay: Quay) -> set[str]:
    return set(inspect(quay.views.engine).get_table_names())


@settings(max_examples=40)
@given(HISTORIES, st.integers(0, 25), st.booleans(), st.integers(1, 5), st.integers(0, 6))
def test_a_rebuild_equals_what_grew(
    ground: Ground,
    history: Sequence[tuple[str, Event]],
    known: int,
    check: bool,
    batch: int,
    rows: int,
) -> None:
    quay = Quay(database=ground.database())
    quay.write(*history[:known])
    quay.follow()
    quay.write(*history[known:])
    before = everything(quay)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "_BATCH", batch)
        patch.setattr(rebuilding, "_ROWS_IN_MEMORY", rows)
        reports = anew(quay, check=check)
    if check:
        assert [report.equal for report in reports] == [True] * 3
        assert everything(quay) == before
    quay.follow()
    assert everything(quay) == {p.name: quay.told(p) for p in PROJECTIONS}
    quay.close()


def test_a_rebuild_mends_what_somebody_changed(quay: Quay) -> None:
    before = everything(quay)
    tampered(quay, "UPDATE boats SET name = 'x'")
    tampered(quay, "DELETE FROM loads")
    reports = anew(quay)
    assert everything(quay) == before
    assert [(r.projection, r.facts, r.rows, r.equal) for r in reports] == [
        ("boats", 7, 2, None),
        ("visits", 1, 2, None),
        ("loads", 3, 3, None),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE boats SET tons = tons + 1 WHERE boat_id = 'gull'",
        "UPDATE boats SET loads = '[3, 4]' WHERE boat_id = 'gull'",
        "UPDATE boats SET name = NULL WHERE boat_id = 'tern'",
        "DELETE FROM boats WHERE boat_id = 'tern'",
        "INSERT INTO boats (boat_id, tons, loads) VALUES ('skua', 0, '[]')",
        "UPDATE boats SET boat_id = 'Gull' WHERE boat_id = 'gull'",
    ],
    ids=["number", "list", "empty", "missing", "extra", "key"],
)
def test_a_check_tells_which_read_model_was_tampered_with(quay: Quay, statement: str) -> None:
    assert [report.equal for report in anew(quay, check=True)] == [True, True, True]
    tampered(quay, statement)
    changed = everything(quay)
    reports = anew(quay, check=True)
    assert [report.equal for report in reports] == [False, True, True]
    assert reports[0].digest != reports[0].live_digest
    assert everything(quay) == changed
    assert not {name for name in tables(quay) if "copy" in name}


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("check", [True, False])
def test_facts_that_arrive_meanwhile_are_neither_lost_nor_doubled(
    quay: Quay, *, check: bool
) -> None:
    seen: list[tuple[int, int]] = []

    def meanwhile(_: str, position: int, tip: int) -> None:
        seen.append((position, tip))
        quay.write(("gull", CargoLoaded(tons=1)))
        if len(seen) % 2:
            quay.follow()

    reports = anew(quay, check=check, progress=meanwhile)
    # A rebuild goes on until hardly anything is left for the moment in which nobody may read.
    later = [] if check else [(10, 12), (12, 12), (14, 14)]
    assert seen == [(2, 8), (4, 8), (6, 8), (8, 8), *later]
    assert [report.equal for report in reports] == [True if check else None] * 3
    quay.write(("gull", CargoLoaded(tons=2)))
    quay.follow()
    loads = [3, 4, *[1 for _ in seen], 2]
    assert quay.rows(Boats)["gull",]["loads"] == loads
    assert len(quay.rows(Loads)) == len(loads) + 1


@pytest.mark.usefixtures("small_steps")
def test_the_old_rows_serve_until_the_new_ones_take_their_place(quay: Quay) -> None:
    tampered(quay, "UPDATE boats SET name = 'old'")
    seen = []

    def look(*_: object) -> None:
        seen.append({row["name"] for row in quay.rows(Boats).values()})

    anew(quay, progress=look)
    assert seen == [{"old"}] * 4
    assert {row["name"] for row in quay.rows(Boats).values()} == {"Möwe", "海鸥"}


def test_who_reads_goes_on_reading_the_old_rows(quay: Quay) -> None:
    """Files let both go on; a server has the rebuild wait for them, and then say so."""
    names = "SELECT DISTINCT name FROM boats"
    tampered(quay, "UPDATE boats SET name = 'old'")
    with quay.views.read() as earlier, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "_READERS_END", 0.0)
        assert earlier.execute(text(names)).scalars().all() == ["old"]
        if quay.views.dialect == "sqlite":
            anew(quay)
        else:
            with pytest.raises(Unavailable):
                anew(quay)
        assert earlier.execute(text(names)).scalars().all() == ["old"]
    anew(quay)
    assert {row["name"] for row in quay.rows(Boats).values()} == {"Möwe", "海鸥"}


def test_two_who_rebuild_take_turns(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = Happening(), Happening()

    def slowly(*_: object) -> None:
        began.set()
        assert go_on.wait(60)

    def rest(_: float) -> None:
        go_on.set()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(anew, quay, progress=slowly)
        assert began.wait(60)
        monkeypatch.setattr(rebuilding, "_OTHERS_END", 0.0)
        with pytest.raises(Unavailable, match="another process"):
            anew(quay, check=True)
        monkeypatch.undo()
        monkeypatch.setattr("time.sleep", rest)
        assert [report.equal for report in anew(quay, check=True)] == [True] * 3
        first.result()


@pytest.fixture
def served(postgres_database: str) -> Iterator[Quay]:
    """A harbour on a server whose read models know the story."""
    opened = Quay(database=Database.postgres(postgres_database))
    opened.write(*STORY)
    opened.follow()
    yield opened
    opened.close()


@pytest.mark.servers
def test_who_began_to_read_before_the_rebuild_finds_rows(
    served: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its snapshot is older than the new rows, which take their place when it has ended."""
    waiting, sleep = Happening(), time.sleep

    def rest(seconds: float) -> None:
        waiting.set()
        sleep(seconds)

    monkeypatch.setattr("time.sleep", rest)
    monkeypatch.setattr(rebuilding, "_READERS_END", 60.0)
    with ThreadPoolExecutor(1) as pool:
        with served.views.read() as earlier:
            earlier.execute(text("SELECT 1"))
            rebuilt = pool.submit(served.rebuild, Boats)
            while not (waiting.is_set() or rebuilt.done()):
                waiting.wait(0.01)
            found = earlier.execute(text("SELECT count(*) FROM boats")).scalar_one()
        rebuilt.result()
    assert found == 2
    assert served.rows(Boats) == served.told(Boats)


_WAITING = """
SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.mark.servers
def test_who_rebuilds_waits_for_the_consumer_that_applies_facts(
    served: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.write(("gull", CargoLoaded(tons=1)))
    applying, go_on, keys = Happening(), Happening(), Loads.keys

    def slowly(recorded: Recorded[Any]) -> Iterable[Key]:
        if not applying.is_set():
            applying.set()
            assert go_on.wait(60)
        return keys(recorded)

    monkeypatch.setattr(Loads, "keys", slowly)
    with ThreadPoolExecutor(2) as pool:
        followed = pool.submit(served.follow)
        assert applying.wait(60)
        rebuilt = pool.submit(served.rebuild, Loads)
        while not (rebuilt.done() or served.views.fetch(_WAITING)):
            go_on.wait(0.01)
        overtook = rebuilt.done()
        go_on.set()
        followed.result()
        rebuilt.result()
    assert not overtook
    assert served.rows(Loads) == served.told(Loads)
    assert served.parked() == []


def test_the_new_table_is_made_like_the_old_one(quay: Quay) -> None:
    def shape() -> dict[str, object]:
        found = inspect(quay.views.engine)
        return {
            name: (found.get_columns(name), found.get_indexes(name), found.get_pk_constraint(name))
            for name in ("boats", "visits", "loads")
        }

    def plain(value: object) -> str:
        return repr(value)

    before = plain(shape())
    names = tables(quay)
    anew(quay)
    anew(quay)
    assert plain(shape()) == before
    assert tables(quay) == names


def test_what_is_rebuilt_counts_as_applied(quay: Quay) -> None:
    quay.write(("tern", CargoLoaded(tons=9)))
    anew(quay)
    with quay.views.read() as connection:
        known = tracking.positions(connection)
    assert {known[projection.name, "harbour"] for projection in PROJECTIONS} == {9}
    assert quay.rows(Boats)["tern",]["loads"] == [60, 9]
    quay.follow()
    assert quay.rows(Boats)["tern",]["loads"] == [60, 9]


class LightSeen(Event, topic="harbour.LightSeen.v2"):
    colour: str


@upcaster("harbour.LightSeen.v1", LightSeen)
def _when_there_was_one_lamp(_: dict[str, Any]) -> dict[str, Any]:
    return {"colour": "white"}


class Lights(Projection):
    table = Table("lights", MetaData(), Column("colour", String, primary_key=True))
    events = (LightSeen,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Sequence[Key]:
        return [(recorded.event.colour,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        return {}


def test_a_fact_stored_under_an_earlier_version_is_rebuilt_too(quay: Quay) -> None:
    quay.write(("mole", LightSeen(colour="red")), ("mole", LightSeen(colour="green")))
    with quay.opened.log_database.transaction() as connection:
        connection.execute(
            text("UPDATE events SET topic = 'harbour.LightSeen.v1' WHERE position = 9")
        )
    with quay.views.transaction() as connection:
        Lights.table.create(connection)
    (report,) = rebuild(quay.views, [Lights], {"harbour": quay.log})
    assert report.facts == 2
    assert set(quay.rows(Lights)) == {("white",), ("green",)}


def test_facts_that_no_read_model_folds_are_passed_over(quay: Quay) -> None:
    (report,) = rebuild(quay.views, [Visits], {"harbour": quay.log})
    assert (report.facts, report.rows) == (1, 2)
    with quay.views.read() as connection:
        assert tracking.position(connection, "visits", "harbour") == len(STORY)


@pytest.mark.parametrize("batch", [2, 2000])
def test_read_models_are_compared_each_at_its_own_position(
    quay: Quay, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    quay.write(*[("gull", CargoLoaded(tons=tons)) for tons in range(1, 8)])
    quay.follow_with(Boats)
    monkeypatch.setattr(rebuilding, "_BATCH", batch)
    assert [report.equal for report in anew(quay, check=True)] == [True, True, True]
    assert len(quay.rows(Loads)) == 3
    quay.follow()
    assert len(quay.rows(Loads)) == 10
    assert [report.equal for report in anew(quay, check=True)] == [True, True, True]


def test_read_models_that_are_not_asked_for_stay(quay: Quay) -> None:
    tampered(quay, "DELETE FROM loads")
    rebuild(quay.views, [Boats, Visits], {"harbour": quay.log})
    assert quay.rows(Loads) == {}


@pytest.mark.usefixtures("small_steps")
def test_a_fact_that_cannot_be_folded_is_named_and_nothing_has_changed(quay: Quay) -> None:
    before, names = everything(quay), tables(quay)
    Boats.poisonous.add(60)
    with pytest.raises(CannotFold, match=r"boats cannot fold harbour:5 \(harbour\.CargoLoaded\.v1"):
        anew(quay)
    assert everything(quay) == before
    assert tables(quay) == names
    Boats.poisonous.clear()
    tampered(quay, "DELETE FROM boats")
    anew(quay)
    assert everything(quay) == before


def test_a_fact_whose_keys_cannot_be_told_is_named(quay: Quay) -> None:
    class Keyless(Boats):
        table = Boats.table

        @staticmethod
        def keys(recorded: Recorded[Any]) -> Sequence[Key]:
            raise ZeroDivisionError

    with pytest.raises(CannotFold, match="boats cannot fold harbour:1 "):
        rebuild(quay.views, [Keyless], {"harbour": quay.log})


def test_what_an_interrupted_rebuild_left_is_cleared_away(quay: Quay) -> None:
    tampered(quay, "CREATE TABLE boats__copy (nonsense TEXT)")
    before = everything(quay)
    anew(quay)
    assert everything(quay) == before


def test_equal_rows_have_one_digest_in_whatever_order_they_were_written(
    ground: Ground, tmp_path: Path
) -> None:
    found = []
    for number, story in enumerate([STORY, [*STORY[2:], *STORY[:2]]]):
        quay = harbour(ground, tmp_path / str(number))
        quay.write(*story)
        quay.follow()
        with quay.views.read() as connection:
            found.append(digest(connection, Visits.table))
        quay.close()
    assert found[0] == found[1]
    assert found[0][0] == 2


def test_projections_are_independent(quay: Quay) -> None:
    kinds: list[type[Projection]] = [Loads, Boats]
    single = [rebuild(quay.views, [kind], {"harbour": quay.log})[0].digest for kind in kinds]
    both = rebuild(quay.views, kinds, {"harbour": quay.log})
    assert [report.digest for report in both] == single
