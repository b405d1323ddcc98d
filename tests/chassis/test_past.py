"""Looking back gives the rows that a log cut off at that moment would have given."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Column, Connection, MetaData, String, Table, select

from shared.chassis.database import Database
from shared.chassis.projections import Projector, past
from shared.chassis.projections.past import Hindsight
from shared.chassis.shapes import Key, PastQuery, Projection, Reader, Row, Unavailable, blank
from shared.chassis.shapes.history import Concerns, Facts, history
from shared.chassis.shapes.query import Opened, Past
from shared.chassis.testing import NOON, TESTER, folded, recorded
from shared.events.accounts import AccountTagged
from shared.events.base import Event, Recorded
from shared.events.leads import LeadAssigned, LeadProfileChanged, LeadQualified, LeadReleased
from shared.events.values import AssignmentMethod
from tests.servers.ground import Ground

pytestmark = pytest.mark.capability("PLT-04")

metadata = MetaData()
DAY = timedelta(days=1)


class Persons(Projection):
    """What two contexts say about one id."""

    table = Table(
        "persons",
        metadata,
        Column("id", String, primary_key=True),
        Column("scores", JSON),
        Column("tags", JSON),
    )
    events = (LeadQualified, AccountTagged)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        row = row or blank(Persons.table, key)
        match recorded.event:
            case LeadQualified(score=score):
                return {**row, "scores": [*(row["scores"] or ()), score]}
            case AccountTagged(tag=tag):
                return {**row, "tags": [*(row["tags"] or ()), tag]}
        return row


class Owners(Projection):
    """Who has whom: a link that comes and goes."""

    table = Table(
        "owners",
        metadata,
        Column("owner_id", String, primary_key=True),
        Column("lead_id", String, primary_key=True),
    )
    events = (LeadAssigned, LeadReleased)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.event.owner_id, recorded.stream_id)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        return {} if isinstance(recorded.event, LeadAssigned) else None


SHOWN: tuple[type[Projection], ...] = (Persons, Owners)
ALL: tuple[type[Projection], ...] = (Facts, Concerns, *SHOWN)


class Views:
    """Read models that keep the facts they were told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.projector = Projector(ALL)
        self.hindsight = Hindsight(ALL)
        self.facts: list[Recorded[Any]] = []
        with self.database.transaction() as connection:
            self.projector.prepare(connection)

    def tell(
        self,
        stream_id: str,
        event: Event,
        occurred: timedelta = timedelta(),
        recorded_at: timedelta | None = None,
    ) -> None:
        context = event.context()
        position = sum(fact.context == context for fact in self.facts) + 1
        fact = recorded(
            event,
            stream_id,
            position=position,
            version=position,
            at=NOON + occurred,
            recorded_at=NOON + (occurred if recorded_at is None else recorded_at),
        )
        self.facts.append(fact)
        with self.database.transaction() as connection:
            for projection in ALL:
                self.projector.apply(connection, projection, [fact])

    def then(
        self, moment: datetime, time: Past = "occurred", about: Sequence[str] | None = None
    ) -> dict[str, dict[Key, Row]]:
        with (
            self.database.read() as live,
            self.hindsight.at(live, moment, time, about) as connection,
        ):
            return {p.name: rows(connection, p) for p in SHOWN}

    def cut(self, moment: datetime, time: Past) -> dict[str, dict[Key, Row]]:
        """Return what the pure folds make of the facts up to a moment."""
        some = [fact for fact in self.facts if getattr(fact, f"{time}_at") <= moment]
        return {
            p.name: {key: {**blank(p.table, key), **row} for key, row in folded(p, some).items()}
            for p in SHOWN
        }


def rows(connection: Connection, projection: type[Projection]) -> dict[Key, Row]:
    keys = [column.name for column in projection.table.primary_key.columns]
    found = connection.execute(select(projection.table)).mappings().all()
    return {tuple(row[name] for name in keys): dict(row) for row in found}


@pytest.fixture
def views(ground: Ground) -> Iterator[Views]:
    opened = Views(ground.database())
    yield opened
    opened.database.close()


def assigned(owner: str) -> LeadAssigned:
    return LeadAssigned(owner_id=owner, method=AssignmentMethod.MANUAL)


def released(owner: str) -> LeadReleased:
    return LeadReleased(owner_id=owner, pool_id="pool", reason="idle")


ids = st.sampled_from(["x", "y", "红"])
staff = st.sampled_from(["anna", "x"])
events = st.one_of(
    st.builds(LeadQualified, score=st.integers(0, 9), note=st.none() | st.just("王芳")),
    st.builds(AccountTagged, tag=st.sampled_from(["重点", "vip"])),
    staff.map(assigned),
    staff.map(released),
)
days = st.integers(0, 5).map(lambda number: number * DAY)
times: st.SearchStrategy[Past] = st.sampled_from(["occurred", "recorded"])
questions = st.tuples(days, times, st.none() | st.lists(ids, min_size=1, max_size=2))
told = st.tuples(ids, events, days, days)


@settings(max_examples=50)
@given(st.lists(told | questions, min_size=1, max_size=20))
def test_the_past_is_what_a_log_cut_off_there_says(ground: Ground, acts: Sequence[Any]) -> None:
    views = Views(ground.database())
    for act in acts:
        if len(act) == 4:
            views.tell(*act)
            continue
        after, time, about = act
        moment = NOON + after
        said, expected = views.then(moment, time, about), views.cut(moment, time)
        if about is None:
            assert said == expected
        for one in about or ():
            assert said["persons"].get((one,)) == expected["persons"].get((one,))
            assert links(said, one) == links(expected, one)
    views.database.close()


def links(said: dict[str, dict[Key, Row]], one: str) -> set[Key]:
    return {key for key in said["owners"] if one in key}


def test_a_late_entry_is_known_by_its_business_time_and_unknown_by_its_recording(
    views: Views,
) -> None:
    views.tell("x", LeadQualified(score=1))
    views.tell("x", LeadQualified(score=2), occurred=DAY, recorded_at=9 * DAY)
    on_day_two = NOON + 2 * DAY
    assert views.then(on_day_two, "occurred")["persons"]["x",]["scores"] == [1, 2]
    assert views.then(on_day_two, "recorded")["persons"]["x",]["scores"] == [1]
    assert views.then(NOON + 9 * DAY, "recorded")["persons"]["x",]["scores"] == [1, 2]


def test_the_moment_itself_belongs_to_the_past(views: Views) -> None:
    views.tell("x", LeadQualified(score=1))
    assert views.then(NOON)["persons"]
    assert not views.then(NOON - timedelta(microseconds=1))["persons"]


@pytest.mark.parametrize("about", [None, ["x"]])
def test_what_comes_in_later_shows_in_the_same_question(
    views: Views, about: Sequence[str] | None
) -> None:
    views.tell("x", LeadQualified(score=1))
    assert views.then(NOON, about=about)["persons"]["x",]["scores"] == [1]
    assert views.then(NOON, about=about)["persons"]["x",]["scores"] == [1]
    views.tell("x", LeadQualified(score=2))
    assert views.then(NOON, about=about)["persons"]["x",]["scores"] == [1, 2]


def test_everybodys_past_is_folded_once_whatever_happens_later(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[datetime] = []

    def counted(live: Connection, until: datetime, *more: Any) -> Iterator[list[Recorded[Event]]]:
        folds.append(until)
        return history(live, until, *more)

    monkeypatch.setattr(past, "history", counted)
    views.tell("x", LeadQualified(score=1))
    views.then(NOON)
    views.tell("x", LeadQualified(score=2), occurred=DAY)
    assert views.then(NOON)["persons"]["x",]["scores"] == [1]
    assert len(folds) == 1
    monkeypatch.setattr(past, "_KEPT_FOR", -1.0)
    assert views.then(NOON)["persons"]["x",]["scores"] == [1]
    assert len(folds) == 2


def test_a_question_does_not_wait_for_ever_while_others_fold(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "_TURN", 0.05)
    views.tell("x", LeadQualified(score=1))
    with views.hindsight._lock, pytest.raises(Unavailable, match="try again"):
        views.then(NOON)
    assert views.then(NOON)["persons"]


def test_more_moments_may_be_asked_for_than_are_kept(views: Views) -> None:
    for number in range(8):
        views.tell("x", LeadQualified(score=number), occurred=number * DAY)
    for _ in range(2):
        for number in range(8):
            said = views.then(NOON + number * DAY)["persons"]["x",]["scores"]
            assert said == list(range(number + 1))


def test_a_question_sees_only_what_it_is_about(views: Views) -> None:
    views.tell("x", LeadQualified(score=1))
    views.tell("y", LeadQualified(score=2))
    views.tell("z", assigned("anna"))
    assert set(views.then(NOON, about=["x"])["persons"]) == {("x",)}
    assert views.then(NOON, about=["anna"])["owners"] == {
        ("anna", "z"): {"owner_id": "anna", "lead_id": "z"}
    }
    assert views.then(NOON, about=["nobody"]) == {"persons": {}, "owners": {}}
    assert views.then(NOON, about=[]) == {"persons": {}, "owners": {}}


def test_a_fact_concerns_its_stream_and_every_id_it_names(views: Views) -> None:
    profile = LeadProfileChanged(changed=(), product_ids=("p1", "p2"))
    views.tell("x", profile)
    views.tell("y", assigned("anna"))
    with views.database.read() as live:
        for one in ("x", "p1", "p2"):
            (batch,) = history(live, about=[one])
            assert [fact.event for fact in batch] == [profile]
        ((first, second),) = history(live, about=["p1", "p2", "anna"])
        assert (first.stream_id, second.stream_id) == ("x", "y")


def test_a_question_that_fails_leaves_nothing_behind(views: Views) -> None:
    views.tell("x", LeadQualified(score=1))
    with (  # noqa: PT012 - what fails is a question within its block
        pytest.raises(ZeroDivisionError),
        views.database.read() as live,
        views.hindsight.at(live, NOON, "occurred", ["x"]) as connection,
    ):
        assert rows(connection, Persons)
        raise ZeroDivisionError
    assert views.then(NOON, about=["nobody"])["persons"] == {}


def test_a_question_may_be_asked_within_another(views: Views) -> None:
    views.tell("x", LeadQualified(score=1))
    views.tell("x", LeadQualified(score=2), occurred=DAY)
    with views.database.read() as live:
        reader = Reader(Opened(live), TESTER, NOON + 9 * DAY, views.hindsight)
        later, earlier = PastQuery(as_of=NOON + DAY), PastQuery(as_of=NOON)
        with reader.at(later, ["x"]) as then, reader.at(earlier, ["x"]) as before:
            assert rows(then.connection, Persons)["x",]["scores"] == [1, 2]
            assert rows(before.connection, Persons)["x",]["scores"] == [1]
            assert (then.now, before.now) == (NOON + DAY, NOON)
        with reader.at(PastQuery()) as now:
            assert now is reader


def test_a_service_that_keeps_no_facts_says_so(views: Views) -> None:
    with (
        views.database.read() as live,
        pytest.raises(LookupError),
        Reader(Opened(live), TESTER).at(PastQuery(as_of=NOON)),
    ):
        pass


def test_many_may_look_back_at_once(ground: Ground, tmp_path: Path) -> None:
    views = Views(ground.database() if ground.server else Database.sqlite(tmp_path / "views.db"))
    for number in range(6):
        views.tell("x", LeadQualified(score=number), occurred=number * DAY)

    def ask(number: int) -> bool:
        day, about = number % 6, None if number % 3 else ["x"]
        said = views.then(NOON + day * DAY, about=about)["persons"]["x",]["scores"]
        return bool(said == list(range(day + 1)))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, range(60)))
    views.database.close()
