"""A service opened on its databases: what it offers, and answers that wait for what was written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from shared.chassis import service as opening
from shared.chassis import tracking
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.shapes import Answer, Query, Question, Reader, Unavailable, View
from shared.chassis.testing import NOON, TESTER
from tests.chassis.harbour import BoatBuilt, BuildBoat, Harbour, do, load
from tests.chassis.quay import PROJECTIONS, Boats, Loads, Quay, Visits


class CountBoats(Query, http="GET /v1/boats:count"):
    """How many boats there are."""


class BoatCount(View):
    boats: int


def count_boats(query: CountBoats, reader: Reader) -> BoatCount:
    found = select(func.count()).select_from(Boats.table)
    return BoatCount(boats=reader.connection.execute(found).scalar_one())


ASKED = Question.of(count_boats)


@pytest.fixture
def quay(tmp_path: Path) -> Iterator[Quay]:
    opened = Quay(tmp_path)
    yield opened
    opened.close()


def count(opened: OpenService, min_position: str | None = None) -> int:
    answer: BoatCount = opened.ask(ASKED, CountBoats(min_position=min_position), TESTER)
    return answer.boats


def test_a_question_that_waits_for_nothing_is_answered_from_what_is_known(quay: Quay) -> None:
    quay.write(("gull", BoatBuilt(name="Möwe")))
    assert count(quay.opened) == 0
    quay.follow()
    assert count(quay.opened) == 1


def test_a_question_waits_until_the_read_models_know_what_was_written(quay: Quay) -> None:
    quay.write(("gull", BoatBuilt(name="Möwe")))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(count, quay.opened, "harbour:1")
        quay.follow()
        assert asked.result() == 1


def test_every_read_model_that_hears_the_context_must_be_there(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_PATIENCE", 0.05)
    quay.write(("gull", BoatBuilt(name="Möwe")))
    quay.follow_with(Boats)
    quay.follow_with(Loads)
    with pytest.raises(Unavailable):
        count(quay.opened, "harbour:1")
    quay.follow_with(Visits)
    assert count(quay.opened, "harbour:1") == 1


def test_patience_has_an_end(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_PATIENCE", 0.05)
    with pytest.raises(Unavailable, match="harbour:7"):
        count(quay.opened, "harbour:7")


def test_a_context_that_no_read_model_hears_is_not_waited_for(quay: Quay) -> None:
    assert count(quay.opened, "kitchen:7") == 0


def test_an_answer_comes_from_one_moment(quay: Quay) -> None:
    """What is written between two looks of one question does not show in the second."""

    def twice(query: CountBoats, reader: Reader) -> BoatCount:
        first = count_boats(query, reader).boats
        quay.write(("gull", BoatBuilt(name="Möwe")))
        quay.follow()
        return BoatCount(boats=first * 10 + count_boats(query, reader).boats)

    assert quay.opened.ask(Question.of(twice), CountBoats(), TESTER).boats == 0
    assert count(quay.opened) == 1


def test_a_question_knows_who_asks_and_when(quay: Quay) -> None:
    seen: list[Reader] = []

    def look(query: CountBoats, reader: Reader) -> BoatCount:
        seen.append(reader)
        return BoatCount(boats=0)

    class Noon:
        def now(self) -> Any:
            return NOON

    quay.opened.clock = Noon()
    quay.opened.ask(Question.of(look), CountBoats(), TESTER)
    assert (seen[0].actor, seen[0].now) == (TESTER, NOON)


def test_a_service_offers_its_commands_and_questions_by_name() -> None:
    service = Service("harbour", application=Harbour, questions=(count_boats,))
    requests = service.requests()
    assert set(requests) == {
        "BuildBoat",
        "LaunchBoat",
        "LoadCargo",
        "MoorBoat",
        "LeaveBerth",
        "CountBoats",
    }
    assert requests["BuildBoat"] == ("BuildBoat", BuildBoat, Answer)
    assert requests["CountBoats"] == ("CountBoats", CountBoats, BoatCount)


def test_a_service_that_only_reads_has_no_commands() -> None:
    assert set(Service("reports", questions=(count_boats,)).requests()) == {"CountBoats"}


def test_a_service_hears_the_contexts_of_its_read_models() -> None:
    assert Service("harbour", projections=PROJECTIONS).listens() == {"harbour", "workplace"}


def test_a_service_finds_on_disk_what_it_left_there(tmp_path: Path) -> None:
    first = Quay(tmp_path)
    assert isinstance(first.opened.application, Harbour)
    do(first.opened.application, BuildBoat(boat_id="gull"), command_id="one")
    first.follow()
    first.close()
    assert {path.name for path in tmp_path.iterdir()} >= {"harbour.log.db", "harbour.views.db"}
    again = Quay(tmp_path)
    assert isinstance(again.opened.application, Harbour)
    assert do(again.opened.application, load(5), command_id="two").version == 2
    assert do(again.opened.application, load(9), command_id="one").version == 1
    again.follow()
    assert again.rows(Boats)["gull",]["loads"] == [5]
    again.close()


def test_services_in_memory_share_nothing() -> None:
    one, other = open_service(HARBOUR), open_service(HARBOUR)
    assert isinstance(one.application, Harbour)
    do(one.application, BuildBoat(boat_id="gull"))
    assert (one.log.tip(), other.log.tip()) == (1, 0)
    one.close()
    other.close()


HARBOUR = Service("harbour", application=Harbour)


@pytest.mark.parametrize("wrong", ["harbour", "harbour:", "harbour:-1", ":5", "Harbour:5", "a:1 b"])
def test_a_position_that_is_none_is_refused_at_the_door(wrong: str) -> None:
    with pytest.raises(ValueError, match="min_position"):
        CountBoats(min_position=wrong)


def test_positions_are_kept_by_consumer_and_context(quay: Quay) -> None:
    with quay.views.transaction() as connection:
        tracking.advance_all(connection, ["a", "b"], "leads", 5)
        tracking.advance_all(connection, ["b", "c"], "leads", 7)
        tracking.advance(connection, "a", "accounts", 1)
        tracking.advance_all(connection, [], "leads", 99)
        tracking.forget(connection, "c")
    with quay.views.read() as connection:
        assert tracking.positions(connection) == {
            ("a", "leads"): 5,
            ("b", "leads"): 7,
            ("a", "accounts"): 1,
        }
        assert tracking.position(connection, "b", "leads") == 7
        assert tracking.position(connection, "b", "accounts") == 0
