"""Read models are folded anew while the system runs; a check tells whether they still are right."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, inspect, text

from shared.chassis import tracking
from shared.chassis.projections import rebuild as rebuilding
from shared.chassis.projections.rebuild import CannotFold, Rebuilt, digest, rebuild
from shared.chassis.shapes import Key, Projection, Row
from shared.events.base import Event, Recorded, upcaster
from tests.chassis.harbour import BoatBuilt, BoatMoored, BoatSunk, CargoLoaded
from tests.chassis.quay import HISTORIES, PROJECTIONS, Boats, Loads, Quay, Visits

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
def quay(tmp_path: Path) -> Iterator[Quay]:
    """A harbour on files whose read models know the story."""
    opened = Quay(tmp_path)
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
    history: Sequence[tuple[str, Event]], known: int, check: bool, batch: int, rows: int
) -> None:
    quay = Quay()
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
    assert seen == [(2, 8), (4, 8), (6, 8), (8, 8)]
    assert [report.equal for report in reports] == [True if check else None] * 3
    quay.write(("gull", CargoLoaded(tons=2)))
    quay.follow()
    assert quay.rows(Boats)["gull",]["loads"] == [3, 4, 1, 1, 1, 1, 2]
    assert len(quay.rows(Loads)) == 8


@pytest.mark.usefixtures("small_steps")
def test_the_old_rows_serve_until_the_new_ones_take_their_place(quay: Quay) -> None:
    tampered(quay, "UPDATE boats SET name = 'old'")
    seen = []

    def look(*_: object) -> None:
        seen.append({row["name"] for row in quay.rows(Boats).values()})

    with quay.views.read() as earlier:
        names = "SELECT DISTINCT name FROM boats"
        assert earlier.execute(text(names)).scalars().all() == ["old"]
        anew(quay, progress=look)
        assert earlier.execute(text(names)).scalars().all() == ["old"]
    assert seen == [{"old"}] * 4
    assert {row["name"] for row in quay.rows(Boats).values()} == {"Möwe", "海鸥"}


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
    tampered(quay, "CREATE TABLE boats__copy (nonsense)")
    before = everything(quay)
    anew(quay)
    assert everything(quay) == before


def test_equal_rows_have_one_digest_in_whatever_order_they_were_written(tmp_path: Path) -> None:
    found = []
    for number, story in enumerate([STORY, [*STORY[2:], *STORY[:2]]]):
        quay = Quay(tmp_path / str(number))
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
