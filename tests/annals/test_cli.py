"""The command line over two toy services in a data folder, as an operator would use it."""

import base64
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import jwt
import pytest

from annals import cli, installation
from shared.chassis.service import Service, open_service
from shared.chassis.testing import recorded
from shared.events.leads import LeadCaptured
from shared.events.workplace import EmployeeJoined, RoleGranted, UnitCreated
from tests.messaging.conftest import open_house
from tests.messaging.toys import DINING, KITCHEN, Kitchen, Tables

WORKPLACE = Service(name="workplace")
COMPANY = installation.service_values()


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_restored: None,
) -> Iterator[Run]:
    """Give `annals …` over an empty data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNALS_KEY_ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode())
    monkeypatch.setenv("ANNALS_TIME_ZONE", "Asia/Shanghai")
    monkeypatch.setattr(installation, "service_values", lambda *_: (DINING, KITCHEN, WORKPLACE))

    def annals(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["annals", "--data", str(tmp_path / "data"), *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), out, err)

    yield annals
    Tables.poisonous.clear()
    Kitchen.stock.clear()


@pytest.fixture
def evening(run: Run, tmp_path: Path) -> None:
    """Two guests ordered, one dish of which the kitchen is out; delivery has done what it could."""
    Tables.poisonous.add("fugu")
    Kitchen.stock.add("fugu")
    house = open_house(tmp_path / "data")
    house.order("order-1", "soup")
    house.order("order-2", "fugu", table=2)
    delivery = house.delivery()
    for subscription in delivery.subscriptions:
        subscription.catch_up()
    delivery.close()
    house.close()


@pytest.mark.parametrize("command", ["log", "history x", "lag", "parked", "rebuild", "token Ada"])
def test_without_an_installation_the_exit_code_is_3(run: Run, command: str) -> None:
    outcome = run(*command.split())
    assert outcome.code == 3
    assert "no installation" in outcome.err


def test_a_wrong_setting_is_named_and_the_exit_code_is_2(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNALS_HTTP_PORT", "eighty")
    outcome = run("log")
    assert outcome.code == 2
    assert "ANNALS_HTTP_PORT in the environment" in outcome.err


@pytest.mark.parametrize("arguments", [["lgo"], ["log", "--limit", "-1"], ["history"], ["token"]])
def test_a_wrong_command_line_has_exit_code_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


@pytest.mark.usefixtures("evening")
def test_log_shows_the_latest_facts_of_all_contexts_in_order(run: Run) -> None:
    outcome = run("log")
    assert outcome.code == 0
    words = [line.split() for line in outcome.out.splitlines()[1:]]
    assert [(line[2], line[3], line[4]) for line in words] == [
        ("dining:1", "OrderPlaced", "order-1"),
        ("dining:2", "OrderPlaced", "order-2"),
        ("kitchen:1", "DishCooked", "order-1"),
    ]
    assert words[0][:2] == ["2026-03-02", "20:00:00"]


@pytest.mark.usefixtures("evening")
def test_log_speaks_json_with_the_whole_fact(run: Run) -> None:
    (fact,) = run("log", "--context", "dining", "-n", "1", "--json").lines()
    assert fact["topic"] == "dining.OrderPlaced.v1"
    assert fact["stream_id"] == "order-2"
    assert fact["data"] == {"table": 2, "dish": "fugu", "guest": "王小明"}
    assert fact["recorded_at"] == "2026-03-02T12:00:00+00:00"


@pytest.mark.usefixtures("evening")
@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--event", "OrderPlaced"], 2),
        (["--event", "kitchen.*"], 1),
        (["--actor", "system:cook_what_is_ordered"], 1),
        (["--since", "2026-03-02T20:00:00"], 3),
        (["--since", "2026-03-02T20:00:01"], 0),
        (["--until", "2026-03-02T12:00:00+00:00"], 0),
        (["--event", "OrderPlaced", "-n", "1"], 1),
        (["-n", "0"], 3),
    ],
)
def test_log_shows_what_is_asked_for(run: Run, arguments: list[str], number: int) -> None:
    assert len(run("log", "--json", *arguments).lines()) == number


@pytest.mark.usefixtures("evening")
def test_an_unknown_context_is_answered_with_the_known_ones(run: Run) -> None:
    outcome = run("log", "--context", "cellar")
    assert outcome.code == 2
    assert "there are dining, kitchen, workplace" in outcome.err


@pytest.mark.usefixtures("evening")
def test_history_follows_an_id_through_the_contexts(run: Run) -> None:
    facts = run("history", "order-1", "--json").lines()
    assert {fact["topic"] for fact in facts} == {"dining.OrderPlaced.v1", "kitchen.DishCooked.v1"}
    story = run("history", "order-1").out
    assert "OrderPlaced" in story
    assert "guest: 王小明" in story


def test_history_with_related_finds_who_names_the_id(run: Run, tmp_path: Path) -> None:
    staff(tmp_path)
    alone = run("history", "north", "--json").lines()
    related = run("history", "north", "--related", "--json").lines()
    assert [fact["topic"] for fact in alone] == ["workplace.UnitCreated.v1"]
    assert [fact["topic"] for fact in related] == [
        "workplace.UnitCreated.v1",
        "workplace.EmployeeJoined.v1",
    ]


@pytest.mark.usefixtures("evening")
def test_history_of_nothing_fails(run: Run) -> None:
    outcome = run("history", "order-9")
    assert outcome.code == 1
    assert "nothing is recorded about order-9" in outcome.err


@pytest.mark.usefixtures("evening")
def test_lag_names_who_is_behind(run: Run, tmp_path: Path) -> None:
    rows = {(row["consumer"], row["context"]): row for row in run("lag", "--json").json()}
    assert rows["tables", "dining"]["events"] == 0
    house = open_house(tmp_path / "data")
    house.order("order-3")
    house.close()
    rows = {(row["consumer"], row["context"]): row for row in run("lag", "--json").json()}
    assert rows["tables", "dining"]["events"] == 1
    assert rows["tables", "dining"]["seconds"] > 0
    outcome = run("lag", "--wait", "0.01")
    assert outcome.code == 3
    assert "tables" in outcome.out
    outcome = run("lag", "--max-seconds", "0")
    assert outcome.code == 1
    assert re.search(r"\w+\.\w+ is \d+ s behind dining", outcome.err)
    assert run("lag", "--max-seconds", "9e9").code == 0


@pytest.mark.usefixtures("evening")
def test_what_is_parked_is_shown_with_its_reason(run: Run) -> None:
    letters = {letter["consumer"]: letter for letter in run("parked", "--json").json()}
    assert letters["tables"]["error"].startswith("ZeroDivisionError")
    assert letters["policies"]["error"].startswith("OutOfStock")
    assert letters["policies"]["letter"] in run("parked").out


@pytest.mark.usefixtures("evening")
def test_retry_applies_once_the_cause_is_gone(run: Run) -> None:
    outcome = run("parked", "retry")
    assert outcome.code == 1
    assert "still parked" in outcome.err
    Tables.poisonous.clear()
    Kitchen.stock.clear()
    assert run("parked", "retry").code == 0
    assert run("parked").out == "nothing is parked\n"
    assert len(run("log", "--event", "DishCooked", "--json").lines()) == 2


@pytest.mark.usefixtures("evening")
def test_a_letter_is_skipped_with_a_reason_only(run: Run) -> None:
    name = next(
        letter["letter"]
        for letter in run("parked", "--json").json()
        if letter["consumer"] == "tables"
    )
    assert run("parked", "skip", name).code == 2
    assert run("parked", "skip", name, "--reason", " ").code == 2
    assert run("parked", "skip", name, "--reason", "the guest left").code == 0
    assert [letter["consumer"] for letter in run("parked", "--json").json()] == ["policies"]
    assert run("parked", "skip", name, "--reason", "again").code == 1


@pytest.mark.usefixtures("evening")
def test_a_letter_behind_another_waits_its_turn(run: Run, tmp_path: Path) -> None:
    house = open_house(tmp_path / "data")
    house.order("order-3", "fugu", table=2)
    delivery = house.delivery()
    for subscription in delivery.subscriptions:
        subscription.catch_up()
    delivery.close()
    house.close()
    first, second = (
        letter["letter"]
        for letter in run("parked", "--json").json()
        if letter["consumer"] == "tables"
    )
    outcome = run("parked", "skip", second, "--reason", "impatience")
    assert outcome.code == 1
    assert "begin with that one" in outcome.err
    assert first in outcome.err


@pytest.mark.usefixtures("evening")
def test_check_proves_the_read_models_or_names_what_differs(run: Run, tmp_path: Path) -> None:
    Tables.poisonous.clear()
    assert run("parked", "retry").code == 1
    proof = run("rebuild", "--check", "--json")
    assert proof.code == 0
    equal = {row["projection"]: row["equal"] for row in proof.json()}
    assert equal.keys() >= {"tables", "dishes"}
    assert all(equal.values())
    with closing(sqlite3.connect(tmp_path / "data/kitchen.views.db")) as views, views:
        views.execute("update dishes set ordered = 'stew' where order_id = 'order-1'")
    outcome = run("rebuild", "--check")
    assert outcome.code == 1
    assert "not what the logs say: dishes" in outcome.err
    assert run("rebuild", "dishes").code == 0
    assert run("rebuild", "--check", "kitchen").code == 0


@pytest.mark.usefixtures("evening")
def test_a_rebuilt_read_model_has_applied_what_was_parked_for_it(run: Run) -> None:
    outcome = run("rebuild")
    assert outcome.code == 1
    assert "tables cannot fold dining:2 (dining.OrderPlaced.v1)" in outcome.err
    Tables.poisonous.clear()
    assert run("rebuild").code == 0
    assert [letter["consumer"] for letter in run("parked", "--json").json()] == ["policies"]
    assert run("rebuild", "--check").code == 0


@pytest.mark.usefixtures("evening")
def test_the_key_that_wraps_keys_is_exchanged(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (base64.b64encode(key).decode() for key in (bytes(32), b"n" * 32))
    monkeypatch.setenv("ANNALS_KEY_ENCRYPTION_KEY", f"{new},{old}")
    first, again = run("rotate-keys", "--json").json(), run("rotate-keys", "--json").json()
    changed = {one["service"]: one["wrapped_anew"] for one in first}
    assert min(changed["dining"], changed["kitchen"]) > 0
    assert [one["wrapped_anew"] for one in again] == [0, 0, 0]
    monkeypatch.setenv("ANNALS_KEY_ENCRYPTION_KEY", new)
    assert run("log").code == 0
    monkeypatch.setenv("ANNALS_KEY_ENCRYPTION_KEY", old)
    refused = run("log")
    assert refused.code == 2
    assert "ANNALS_KEY_ENCRYPTION_KEY: dining: the key-encryption key does not open" in refused.err


@pytest.mark.capability("PLT-12")
def test_a_person_is_erased_from_the_facts_and_from_what_is_made_of_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "service_values", lambda *_: COMPANY)
    for service in COMPANY:
        opened = open_service(service, tmp_path / "data")
        if service.name == "leads":
            said = LeadCaptured(channel="web", name="王小明", phones=("+8613912345678",))
            opened.log.append([recorded(said, who) for who in ("him", "her")])
        opened.close()

    def kept(service: str, who: str = "him") -> str:
        with closing(sqlite3.connect(tmp_path / f"data/{service}.views.db")) as views:
            table, key = ("facts", "stream_id") if service == "analytics" else ("leads", "lead_id")
            return repr(views.execute(f"select * from {table} where {key} = ?", (who,)).fetchall())

    names = ["leads", "facts", "concerns"]
    assert run("rebuild", *names).code == 0
    assert all("王小明" in kept(name) and "39123" in kept(name) for name in ("leads", "analytics"))
    erased = run("erase", "him", "--yes", "--json")
    assert (erased.code, erased.json()) == (0, [{"service": "leads", "erased": "him"}])
    assert json.loads(erased.err.splitlines()[0])["subject_id"] == "him"
    for name in ("leads", "analytics"):
        assert "web" in kept(name)
        assert not any(told in kept(name) for told in ("王小明", "39123"))
    assert "personal data erased" in run("history", "him").out
    assert "王小明" in run("history", "her").out
    assert run("rebuild", "--check").code == 0
    assert run("erase", "him", "--yes").code == 0
    alone = run("erase", "her", "--service", "leads", "--keys-only", "--yes", "--json")
    assert alone.json() == [{"service": "leads", "erased": "her"}]
    assert "王小明" in kept("leads", "her")  # until the read models are made anew
    assert run("rebuild", "--service", "leads").code == 0
    assert "王小明" not in kept("leads", "her")


@pytest.mark.capability("PLT-12")
@pytest.mark.usefixtures("evening")
def test_erasing_is_asked_for_and_names_somebody_who_is_known(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = run("erase", "order-99", "order-1", "--yes")
    assert unknown.code == 1
    assert "no log has personal data of order-99" in unknown.err
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    assert run("erase", "order-1").code == 1
    assert "erased" not in run("history", "order-1").out


@pytest.mark.usefixtures("evening")
def test_an_unknown_read_model_is_a_wrong_command(run: Run) -> None:
    outcome = run("rebuild", "menus")
    assert outcome.code == 2
    assert "no read model or service menus" in outcome.err


def staff(folder: Path) -> None:
    """Write a small workplace into the data folder."""
    opened = open_service(WORKPLACE, folder / "data")
    facts = [
        recorded(UnitCreated(name="Company"), "company"),
        recorded(UnitCreated(name="North", parent_id="company"), "north"),
        recorded(
            EmployeeJoined(name="Ada Okafor", unit_id="north", joined_on=date(2026, 1, 1)), "ada"
        ),
        recorded(RoleGranted(role="sales-rep"), "ada", version=2),
    ]
    opened.log.append(facts)
    opened.close()


def test_a_token_names_the_employee_with_roles_and_unit(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff(tmp_path)
    monkeypatch.setenv("ANNALS_TOKEN_SECRET", "s" * 40)
    outcome = run("token", "ada okafor", "--hours", "1")
    assert outcome.code == 0
    claims = jwt.decode(outcome.out.strip(), "s" * 40, ["HS256"], audience="annals")
    assert claims["sub"] == "ada"
    assert claims["roles"] == ["sales-rep"]
    assert claims["unit"] == "company/north"
    assert claims["exp"] - claims["iat"] == 3600
    stranger = run("token", "Grace")
    assert stranger.code == 1
    assert "nobody on the staff is called Grace" in stranger.err
