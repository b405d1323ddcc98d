"""A row told by PostgreSQL says what its view says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, Field, computed_field
from sqlalchemy import JSON, Boolean, Column, Date, Integer, MetaData, String, Table, Text

from shared.chassis.database import Database
from shared.chassis.projections.rows import rows_of
from shared.chassis.reading import Reading
from shared.chassis.shapes import Amount, Instant, Listed, Mapped, NotFound, Reader, View
from shared.chassis.shapes.columns import portable
from shared.chassis.shapes.telling import Telling, first, found
from shared.chassis.testing import TESTER
from tests.servers.found import Servers, fresh_database

pytestmark = pytest.mark.servers


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Place(BaseModel):
    street: str | None = None
    number: int = 1


class Point(BaseModel):
    rule: str
    points: int


volumes = portable(
    Table(
        "volumes",
        MetaData(),
        Column("id", String, primary_key=True),
        Column("title", Text),
        Column("user", String),  # a word that SQL keeps for itself
        Column("pages", Integer, nullable=False),
        Column("lent", Boolean),
        Column("price", Amount),
        Column("bought_on", Date),
        Column("read_at", Instant),
        Column("colour", String),
        Column("tags", JSON),
        Column("numbers", JSON),
        Column("names", JSON),
        Column("custom", JSON),
        Column("place", JSON),
        Column("points", JSON),
    )
)


class Volume(View):
    id: str
    title: str | None = None
    user: str | None = None
    pages: int
    lent: bool | None = None
    price: Decimal | None = None
    bought_on: date | None = None
    read_at: datetime | None = None
    colour: Colour | None = None
    tags: Listed[str] = Field(default_factory=list)
    numbers: Listed[int] = Field(default_factory=list)
    names: Mapped[str] = Field(default_factory=dict)
    custom: dict[str, Any] | None = None
    place: Place | None = None
    points: Listed[Point] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    kind: Literal['it\'s a "volume"'] = 'it\'s a "volume"'


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
whole = st.integers(-(2**62), 2**62)
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
custom = st.dictionaries(texts, plain | st.lists(plain, max_size=3), max_size=3)
amounts = st.decimals(-(10**12), 10**12, places=4)
moments = st.datetimes(timezones=st.just(UTC))
places = st.fixed_dictionaries({}, optional={"street": texts, "number": whole})
rows = st.fixed_dictionaries(
    {
        "title": st.none() | texts,
        "user": st.none() | texts,
        "pages": whole,
        "lent": st.none() | st.booleans(),
        "price": st.none() | amounts | amounts.map(round) | st.just(Decimal("-0.5")),
        "bought_on": st.none() | st.dates(),
        "read_at": st.none() | moments | moments.map(lambda at: at.replace(microsecond=0)),
        "colour": st.none() | st.sampled_from(["red", "green"]),
        "tags": st.none() | st.lists(texts, max_size=3),
        "numbers": st.none() | st.lists(whole, max_size=3),
        "names": st.none() | st.dictionaries(texts, texts, max_size=3),
        "custom": st.none() | custom,
        "place": st.none() | places,
        "points": st.none()
        | st.lists(st.fixed_dictionaries({"rule": texts, "points": whole}), max_size=2),
    }
)


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[Database]:
    with fresh_database(servers.postgres) as url:
        opened = Database.postgres(url, pool=2)
        with opened.transaction() as connection:
            volumes.create(connection)
        yield opened
        opened.close()


def read(database: Database, id: str, *, tells: bool) -> Any:
    with Reading(database) as reading:
        return found(Reader(reading, TESTER, tells=tells), volumes, Volume, "volume", id)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=rows)
def test_a_told_row_says_what_its_view_says(database: Database, row: dict[str, Any]) -> None:
    row = {"id": "one", **row, "price": None if row["price"] is None else Decimal(row["price"])}
    with database.transaction() as connection:
        rows_of(volumes, connection).write(connection, [(("one",), row)])
    view = read(database, "one", tells=False)
    assert orjson.loads(read(database, "one", tells=True)) == orjson.loads(view.model_dump_json())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(only=st.frozensets(st.sampled_from(sorted(Volume.model_fields)), min_size=1))
def test_a_row_told_in_part_has_the_fields_that_are_wanted(
    database: Database, only: frozenset[str]
) -> None:
    kept = {"id": "part", "pages": 3, "place": {"street": "南京路"}, "tags": ["old"]}
    with database.transaction() as connection:
        rows_of(volumes, connection).write(connection, [(("part",), kept)])
    telling = Telling.of(volumes, Volume, only)
    assert telling is not None
    with database.read() as connection:
        told = telling.told(connection.execute(telling.select.where(volumes.c.id == "part")).one())
    whole = read(database, "part", tells=False).model_dump(mode="json")
    assert orjson.loads(told) == {name: whole[name] for name in only}


def test_amounts_and_moments_are_told_to_the_letter(database: Database) -> None:
    row = {"id": "exact", "pages": 1, "price": Decimal("1200.50"), "colour": "red"}
    row["read_at"] = datetime(2026, 3, 1, 8, 30, 0, 120000, UTC)
    with database.transaction() as connection:
        rows_of(volumes, connection).write(connection, [(("exact",), row)])
    told = orjson.loads(read(database, "exact", tells=True))
    assert told["price"] == "1200.50"
    assert told["read_at"] == "2026-03-01T08:30:00.120000Z"
    assert (told["kind"], told["notes"]) == ('it\'s a "volume"', [])


def test_who_is_not_there_is_not_found_in_either_form(database: Database) -> None:
    for tells in (False, True):
        with pytest.raises(NotFound):
            read(database, "nobody", tells=tells)


def test_a_condition_may_keep_a_row_back(database: Database) -> None:
    with database.transaction() as connection:
        rows_of(volumes, connection).write(connection, [(("kept",), {"id": "kept", "pages": 3})])
    few = volumes.c.pages < 3
    for tells in (False, True):
        with Reading(database) as reading:
            assert first(Reader(reading, TESTER, tells=tells), volumes, Volume, "kept", few) is None


def test_a_question_sees_one_moment_once_it_has_a_snapshot(database: Database) -> None:
    with Reading(database) as reading:
        reader = Reader(reading, TESTER, tells=True)
        reader.connection.execute(volumes.select().limit(1)).all()
        with database.transaction() as connection:
            late = {"id": "late", "pages": 1}
            rows_of(volumes, connection).write(connection, [(("late",), late)])
        assert first(reader, volumes, Volume, "late") is None
    assert orjson.loads(read(database, "late", tells=True))["id"] == "late"


class Computed(View):
    id: str

    @computed_field
    def length(self) -> int:
        return len(self.id)


class Mended(View):
    id: str
    title: Annotated[str, BeforeValidator(lambda title: title or "untitled")]


class Wanting(View):
    id: str
    shelf: str


class Renamed(View):
    id: str
    title: str = Field(serialization_alias="name")


class Otherwise(View):
    id: str
    pages: str


@pytest.mark.parametrize("view", [Computed, Mended, Wanting, Renamed, Otherwise])
def test_a_view_that_does_more_than_show_columns_is_not_told(view: type[View]) -> None:
    assert Telling.of(volumes, view) is None


def test_models_that_may_be_kept_with_less_are_written_by_the_view() -> None:
    telling = Telling.of(volumes, Volume)
    assert telling is not None
    assert [part.name for part in telling.parts] == ["place"]
