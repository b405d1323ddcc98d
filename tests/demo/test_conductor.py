from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from annals.demo.act import Act, Found
from annals.demo.conductor import Conductor
from annals.demo.journal import Journal, Plan

PLAN = Plan(seed=7, leads=2, days=2, until=date(2026, 3, 3))
FIRST = datetime(2026, 3, 1, 9, tzinfo=UTC)
CONTRACT = Found("billing", "ListContracts", 'quote_id = "q"', "contract_id")


class Killed(Exception):
    """The conductor dies in the middle of an act."""


class FakeStage:
    """Answers as told, and remembers what was asked of it in which order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.requests: dict[str, Mapping[str, Any]] = {}
        self.rules: dict[str, str] = {}
        self.ids: dict[Found, str] = {}
        self.dies_at: str | None = None
        self._lock = Lock()

    def turn(self, moment: datetime | None) -> None:
        with self._lock:
            self.seen.append(f"turn {moment:%d %H:%M}" if moment else "turn back")

    def settle(self) -> None:
        self.seen.append("settle")

    def rest(self) -> None:
        self.seen.append("rest")

    def perform(self, act: Act, request: Mapping[str, Any]) -> str | None:
        if act.id == self.dies_at:
            raise Killed
        with self._lock:
            self.seen.append(act.id)
            self.requests[act.id] = request
        return self.rules.get(act.id)

    def find(self, found: Found) -> str | None:
        return self.ids.get(found)

    @property
    def acts(self) -> list[str]:
        return [one for one in self.seen if one in self.requests]


def act(name: str, at: datetime = FIRST, **more: Any) -> Act:
    given = {"request": {}, "by": "", "lanes": (name,)} | more
    return Act(at=at, id=name, context="leads", rpc="ClaimLead", **given)


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.begin(tmp_path / "journal", PLAN)
    yield journal
    journal.close()


def play(stage: FakeStage, journal: Journal, *acts: Act, width: int = 1) -> None:
    Conductor(stage, journal, width=width).play(acts, PLAN.ends)


def again(tmp_path: Path) -> Journal:
    journal = Journal.read(tmp_path / "journal")
    assert journal is not None
    return journal


def test_each_act_is_played_at_its_moment(stage: FakeStage, journal: Journal) -> None:
    play(stage, journal, act("a"), act("b", FIRST + timedelta(hours=2)))
    assert stage.seen == [
        "turn 01 00:00", "rest", "turn 01 09:00", "a", "turn 01 11:00", "b",
        "turn 03 00:00", "rest", "turn back", "rest",
    ]  # fmt: skip


def test_policies_and_read_models_are_waited_for_on_fixed_days_and_after_each_start(
    stage: FakeStage, journal: Journal
) -> None:
    acts = [act(f"{FIRST + timedelta(days=n):%a}", FIRST + timedelta(days=n)) for n in range(9)]
    play(stage, journal, *acts)
    waits = {"rest", "settle"}
    told = [one for one in stage.seen if one in waits or one in stage.requests]
    assert told == [
        "rest", "Sun", "rest", "Mon", "rest", "Tue", "settle", "Wed", "Thu", "settle", "Fri",
        "Sat", "Sun", "rest", "Mon", "rest", "rest",
    ]  # fmt: skip


def test_a_quiet_day_is_made_up_for_on_the_next(stage: FakeStage, journal: Journal) -> None:
    days = [FIRST + timedelta(days=n) for n in (0, 5, 7, 9)]
    play(stage, journal, *(act(f"{day:%a}", day) for day in days))
    told = [one for one in stage.seen if not one.startswith("turn")]
    assert told == ["rest", "Sun", "rest", "Fri", "Sun", "rest", "Tue", "rest", "rest"]


def test_acts_of_one_lane_keep_their_order_however_many_are_under_way(
    stage: FakeStage, journal: Journal
) -> None:
    acts = [
        act(f"{number:03}", FIRST + timedelta(minutes=number), lanes=(f"lane {number % 3}",))
        for number in range(200)
    ]
    play(stage, journal, *acts, width=8)
    for lane in range(3):
        played = [name for name in stage.acts if int(name) % 3 == lane]
        assert played == sorted(played)
    assert len(stage.acts) == 200


def test_what_only_a_policy_knows_is_looked_up(stage: FakeStage, journal: Journal) -> None:
    stage.ids[CONTRACT] = "contract-1"
    play(stage, journal, act("a", request={"contract_id": CONTRACT}))
    assert stage.requests["a"] == {"contract_id": "contract-1"}
    assert journal.surprises == []


def test_what_cannot_be_found_is_a_surprise(stage: FakeStage, journal: Journal) -> None:
    play(stage, journal, act("a", request={"contract_id": CONTRACT}))
    assert journal.surprises == [
        '2026-03-01 leads.ClaimLead: ListContracts finds nothing with quote_id = "q"'
    ]


def test_expected_refusals_are_counted_and_others_are_surprises(
    stage: FakeStage, journal: Journal
) -> None:
    stage.rules = {"late": "LeadHasOwner", "bad": "Invalid"}
    acts = act("late", refused="LeadHasOwner"), act("bad"), act("luck", refused="LeadHasOwner")
    tally = Conductor(stage, journal).play(acts, PLAN.ends)
    assert tally.refused == {"LeadHasOwner": 2}
    assert journal.surprises == [
        "2026-03-01 leads.ClaimLead: Invalid, not accepted",
        "2026-03-01 leads.ClaimLead: accepted, not refused by LeadHasOwner",
    ]


def test_finished_days_are_not_played_again(
    stage: FakeStage, journal: Journal, tmp_path: Path
) -> None:
    acts = act("a"), act("b", FIRST + timedelta(days=1))
    stage.dies_at = "b"
    with pytest.raises(Killed):
        play(stage, journal, *acts)
    stage.dies_at = None
    play(stage, again(tmp_path), *acts)
    assert stage.acts == ["a", "b"]
    assert again(tmp_path).is_over


def test_the_unfinished_day_is_played_again_but_for_its_refusals(
    stage: FakeStage, journal: Journal, tmp_path: Path
) -> None:
    stage.rules = {"refused": "LeadHasOwner"}
    acts = act("accepted"), act("refused", refused="LeadHasOwner"), act("last")
    stage.dies_at = "last"
    with pytest.raises(Killed):
        play(stage, journal, *acts)
    stage.dies_at, stage.rules = None, {}
    resumed = again(tmp_path)
    play(stage, resumed, *acts)
    assert stage.acts == ["accepted", "refused", "accepted", "last"]
    assert resumed.surprises == []


def test_surprises_are_remembered_by_whoever_goes_on(
    stage: FakeStage, journal: Journal, tmp_path: Path
) -> None:
    stage.rules = {"a": "Invalid"}
    play(stage, journal, act("a"))
    assert again(tmp_path).surprises == journal.surprises != []


def test_a_journal_says_which_story_was_begun(journal: Journal, tmp_path: Path) -> None:
    assert again(tmp_path).plan == PLAN
    assert Journal.read(tmp_path / "nothing") is None
