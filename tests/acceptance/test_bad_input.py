"""Whatever comes in, it is refused readably and leaves no trace."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from annals.installation import open_installation
from shared.chassis.service import OpenService
from tests.acceptance.installation import Installation, installation

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LEAD = {"name": "王芳", "channel": "web_form"}


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


PAYMENT = {"contract_id": "contract", "method": "bank_transfer", "amount": cny("10")}
QUOTES = "/v1/opportunities/deal/quotes"
FOLLOW_UPS = "/v1/leads/wang/follow-ups"
LINE = {"description": "空压机", "unit_price": "10"}


class Guarded(NamedTuple):
    """An installation in which something has happened, and its services to look into."""

    annals: Installation
    services: Sequence[OpenService]

    def tips(self) -> dict[str, int]:
        return {service.name: service.log.tip() for service in self.services}

    def refusal(self, verb: str, path: str, **request: Any) -> httpx.Response:
        """Send what must be refused; nothing may be stored."""
        before = self.tips()
        answer = self.annals.client.request(verb, path, **request)
        assert self.tips() == before, f"{verb} {path} left a trace: {answer.text}"
        return answer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with installation(tmp_path_factory.mktemp("annals")) as annals:
        live(annals)
        annals.settle()
        with open_installation(annals.settings) as services:
            yield Guarded(annals, services)


def live(annals: Installation) -> None:
    """Let enough happen that illegal moves are possible."""
    annals.post("/v1/leads", LEAD | {"lead_id": "wang", "phones": ["+86 139 0001 2345"]})
    annals.post("/v1/leads", LEAD | {"lead_id": "settled"})
    annals.post("/v1/leads/settled:disqualify", {"reason": "nonsense"})
    annals.post("/v1/accounts", {"account_id": "account", "name": "晨光设备"})
    annals.settle()
    annals.post(
        "/v1/opportunities",
        {"opportunity_id": "deal", "account_id": "account", "name": "两台空压机"},
    )
    annals.post(QUOTES, {"quote_id": "draft", "currency": "CNY", "lines": [LINE]})
    annals.post(
        "/v1/contracts",
        {"contract_id": "contract", "account_id": "account", "amount": cny("100")},
    )
    annals.post("/v1/contracts/contract:sign")
    annals.post(
        "/v1/contracts/contract/payment-plan",
        {"instalments": [{"amount": cny("100"), "due_on": "2030-01-31"}]},
    )
    annals.post("/v1/contracts/contract:activate")
    ticket = {"kind": "fault", "channel": "phone", "subject": "异响"}
    annals.post("/v1/tickets", ticket | {"ticket_id": "ticket"})


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return a refusal's problem document after checking its form (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    rule = document.get("rule")
    assert document["type"] == (f"urn:annals:problem:{rule}" if rule else "about:blank")
    return document


# Fields that do not fit: 422, every one of them named.


@pytest.mark.capability("LEA-03")
@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/v1/leads", {}, ["channel"]),
        ("/v1/leads", [], [""]),
        ("/v1/leads", LEAD | {"colour": "red", "address": {"zip": "1"}}, ["colour", "address.zip"]),
        ("/v1/leads", LEAD | {"name": 5, "phones": "139"}, ["name", "phones"]),
        ("/v1/leads", LEAD | {"phones": ["+86 139 0001 2346", None]}, ["phones.1"]),
        ("/v1/leads", LEAD | {"phones": ["12"], "emails": ["nobody"]}, ["phones.0", "emails.0"]),
        ("/v1/leads", LEAD | {"lead_id": "a b"}, ["lead_id"]),
        ("/v1/leads", LEAD | {"demand_level": "huge"}, ["demand_level"]),
        ("/v1/leads", LEAD | {"win_probability": 101}, ["win_probability"]),
        ("/v1/leads", LEAD | {"win_probability": 2**64}, ["win_probability"]),
        ("/v1/leads", LEAD | {"expected_purchase_on": "2026-02-30"}, ["expected_purchase_on"]),
        ("/v1/leads", LEAD | {"name": "a\0b", "custom": {"k": ["\0"]}}, ["name", "custom.k.0"]),
        ("/v1/leads", LEAD | {"name": "王" * 201}, ["name"]),
        ("/v1/leads", LEAD | {"custom": {"n": 2**60}}, ["custom.n"]),
        ("/v1/leads", LEAD | {"budget": cny("1.23456")}, ["budget.amount"]),
        ("/v1/leads", LEAD | {"budget": cny("-1")}, ["budget"]),
        ("/v1/leads", LEAD | {"budget": cny("ten")}, ["budget.amount"]),
        ("/v1/leads", LEAD | {"budget": cny("Infinity")}, ["budget.amount"]),
        ("/v1/leads", LEAD | {"budget": {"amount": 10, "currency": "CNY"}}, ["budget.amount"]),
        ("/v1/leads", LEAD | {"budget": cny("1") | {"currency": "XYZ"}}, ["budget.currency"]),
        (FOLLOW_UPS, {"next": {"due_at": "2026-05-01T10:00:00"}}, ["next.due_at"]),
        (FOLLOW_UPS, {"next": {"due_at": "2026-02-30T10:00:00Z"}}, ["next.due_at"]),
        (FOLLOW_UPS, {"method": "call", "lead_id": "another"}, ["lead_id"]),
        (QUOTES, {"lines": [LINE | {"unit_price": "-1"}]}, ["lines.0.unit_price"]),
        (QUOTES, {"lines": [LINE | {"discount_percent": "101"}]}, ["lines.0.discount_percent"]),
        (QUOTES, {"lines": []}, ["lines"]),
        ("/v1/payments", PAYMENT | {"amount": cny("-10")}, ["amount"]),
        ("/v1/payments", PAYMENT | {"amount": cny("0.001")}, ["amount"]),
        ("/v1/payments", PAYMENT | {"value_date": "2026-13-01"}, ["value_date"]),
        ("/v1/tickets/ticket/rating", {"score": 6}, ["score"]),
    ],
)  # fmt: skip
def test_every_field_that_does_not_fit_is_named(
    guarded: Guarded, path: str, body: Any, fields: list[str]
) -> None:
    document = problem(guarded.refusal("POST", path, json=body), 422)
    assert document["rule"] == "Invalid"
    named = [violation["field"] for violation in document["violations"]]
    assert set(fields) <= set(named) <= {*fields, "lines"}
    assert all(violation["description"] for violation in document["violations"])


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If-Match", "latest"),
        ("Idempotency-Key", "two words"),
        ("Annals-Occurred-At", "2026-01-01T00:00:00"),
        ("Annals-Occurred-At", "2999-01-01T00:00:00Z"),
    ],
)
def test_a_header_that_does_not_fit_is_named(guarded: Guarded, header: str, value: str) -> None:
    answer = guarded.refusal("POST", "/v1/leads/wang:qualify", headers={header: value})
    (violation,) = problem(answer, 422)["violations"]
    assert violation["field"].lower() == header.lower()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("filter=colour = 1", "filter"),
        ("filter=status", "filter"),
        ("filter=(status = new", "filter"),
        ("filter=score = ten", "filter"),
        ('filter=captured_at > "2026-01-01T00:00:00"', "filter"),
        ("filter=" + "(" * 50, "filter"),
        ("filter=" + "NOT " * 50 + "status = new", "filter"),
        ("filter=status = \0", "filter"),
        ("order_by=colour", "order_by"),
        ("order_by=status sideways", "order_by"),
        ("order_by=status,status", "order_by"),
        ("fields=name,colour", "fields"),
        ("fields=" + "name," * 500, "fields"),
        ("page_token=bm9uc2Vuc2U=", "page_token"),
        ("page_token=%F0%9F%98%80", "page_token"),
        ("page_size=0", "page_size"),
        ("page_size=501", "page_size"),
        ("page_size=many", "page_size"),
        ("page_size=1&page_size=2", "page_size"),
        ("min_position=leads", "min_position"),
        ("as_of=2026-01-01T00:00:00Z", "as_of"),
    ],
)
def test_a_question_that_does_not_fit_is_refused(guarded: Guarded, query: str, field: str) -> None:
    answer = guarded.refusal("GET", f"/v1/leads?{query.replace(chr(0), '%00')}")
    (violation,) = problem(answer, 422)["violations"]
    assert violation["field"] == field


def test_a_page_token_fits_one_list_only(guarded: Guarded) -> None:
    token = guarded.annals.get("/v1/leads", page_size=1)["next_page_token"]
    other = {"page_size": 1, "page_token": token, "order_by": "name"}
    (violation,) = problem(guarded.refusal("GET", "/v1/leads", params=other), 422)["violations"]
    assert violation["field"] == "page_token"


# Rules: 409, the rule named, with what a program needs to know.


@pytest.mark.parametrize(
    ("path", "body", "rule"),
    [
        ("/v1/leads", LEAD | {"phones": ["+8613900012345"]}, "DuplicateLead"),
        ("/v1/leads", LEAD | {"lead_id": "wang"}, "Taken"),
        ("/v1/leads/settled:qualify", {}, "LeadIsSettled"),
        ("/v1/leads/wang:reopen", {"reason": "again"}, "LeadIsOpen"),
        ("/v1/leads/wang:revert-conversion", {"reason": "mistake"}, "LeadIsNotConverted"),
        ("/v1/opportunities/deal:move", {"to_stage": "nowhere"}, "StageIsNotInTheProcess"),
        ("/v1/opportunities/deal:move", {"to_stage": "negotiation"}, "MoveIsNotAllowed"),
        ("/v1/opportunities/deal:reopen", {"reason": "again"}, "OpportunityIsOpen"),
        ("/v1/quotes/draft:accept", {}, "QuoteIsNotSent"),
        ("/v1/contracts/contract:approve", {}, "StepNotAllowed"),
        ("/v1/contracts/contract/payment-plan",
         {"instalments": [{"amount": cny("99.99"), "due_on": "2030-01-31"}]},
         "InstalmentsDoNotAddUp"),
        ("/v1/payments", PAYMENT | {"amount": {"amount": "10", "currency": "EUR"}},
         "CurrencyDiffers"),
        ("/v1/payments", PAYMENT | {"allocations": [{"amount": cny("10.01")}]},
         "AllocationExceedsPayment"),
        ("/v1/payments", PAYMENT | {"amount": cny("200"), "allocations": [{"amount": cny("200")}]},
         "AllocationExceedsDebt"),
        ("/v1/invoices", {"contract_id": "contract", "amount": cny("100.01")},
         "InvoicedBeyondContract"),
        ("/v1/tickets/ticket:resume", {}, "TicketIsNotWaiting"),
        ("/v1/roles/administrator:retire", {}, "AdministratorsMayDoEverything"),
    ],
)  # fmt: skip
def test_an_illegal_move_names_the_rule(
    guarded: Guarded, path: str, body: Mapping[str, Any], rule: str
) -> None:
    document = problem(guarded.refusal("POST", path, json=body), 409)
    assert document["rule"] == rule
    assert document["detail"]


@pytest.mark.capability("PLT-10")
def test_a_stale_version_is_told_the_current_one(guarded: Guarded) -> None:
    current = guarded.annals.get("/v1/leads/wang")["version"]
    answer = guarded.refusal(
        "POST", "/v1/leads/wang:change", json={"title": "总经理"}, headers={"If-Match": '"1"'}
    )
    assert problem(answer, 412)["details"]["current_version"] == current


@pytest.mark.parametrize(
    ("verb", "path", "kind"),
    [
        ("GET", "/v1/leads/nobody", "lead"),
        ("POST", "/v1/leads/nobody:qualify", "lead"),
        ("POST", "/v1/quotes/none:send", "quote"),
        ("GET", "/v1/customers/nobody/360", "customer"),
    ],
)
def test_an_unknown_id_is_not_found(guarded: Guarded, verb: str, path: str, kind: str) -> None:
    assert problem(guarded.refusal(verb, path), 404)["details"]["kind"] == kind


# What cannot even be read.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": ', 400),
        (b'{"name": "\xff\xfe", "channel": "web_form"}', 400),
        (b'{"name": "\\ud800", "channel": "web_form"}', 400),
        (b'{"budget": NaN, "channel": "web_form"}', 400),
        (b"[" * 100_000, 400),
        (json.dumps(LEAD | {"need": "x" * 2_000_000}).encode(), 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(guarded: Guarded, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    problem(guarded.refusal("POST", "/v1/leads", content=body, headers=headers), status)


def test_a_huge_body_of_unsaid_length_is_refused_while_it_comes(guarded: Guarded) -> None:
    headers = {"Content-Type": "application/json"}
    endless = (b" " * 65_536 for _ in range(32))
    problem(guarded.refusal("POST", "/v1/leads", content=endless, headers=headers), 413)


def test_another_kind_of_body_is_refused(guarded: Guarded) -> None:
    problem(guarded.refusal("POST", "/v1/leads", data={"name": "form"}), 415)


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/leads", 405),
        ("POST", "/v1/leads/wang:dance", 405),
        ("GET", "/v1/leads?filter=%FF", 400),
    ],
)
def test_a_request_that_means_nothing_is_refused(
    guarded: Guarded, verb: str, path: str, status: int
) -> None:
    problem(guarded.refusal(verb, path), status)


# What a web page from elsewhere has its visitor's browser send.


def test_a_foreign_page_cannot_act_as_the_administrator(guarded: Guarded) -> None:
    headers = {"Origin": "https://attacker.example", "Content-Type": "text/plain"}
    answer = guarded.refusal("POST", "/v1/leads/wang:qualify", headers=headers)
    assert problem(answer, 403)["rule"] == "OriginIsForeign"


@pytest.mark.parametrize("path", ["/v1/leads", "/console/leads", "/docs"])
def test_a_foreign_name_that_leads_here_shows_nothing(guarded: Guarded, path: str) -> None:
    answer = guarded.refusal("GET", path, headers={"Host": "attacker.example"})
    assert problem(answer, 403)["rule"] == "HostIsForeign"


@pytest.mark.parametrize(("elsewhere", "status"), [(False, 101), (True, 403)])
def test_only_own_pages_stay_connected(guarded: Guarded, elsewhere: bool, status: int) -> None:
    own = str(guarded.annals.client.base_url)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": "https://attacker.example" if elsewhere else own,
    }
    path = "/console/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with guarded.annals.client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == status


def test_a_token_that_proves_nothing_is_refused(guarded: Guarded) -> None:
    answer = guarded.refusal("GET", "/v1/leads", headers={"Authorization": "Bearer nonsense"})
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


# The command line: exit codes that mean something, and a sentence.


def annals(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command in a folder; return its exit code and what it says on standard error."""
    finished = subprocess.run(
        [sys.executable, "-m", "annals", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in finished.stderr
    return finished.returncode, finished.stderr


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("annals.toml", "http_port = [", "annals.toml cannot be read"),
        ("annals.toml", 'http_port = "http"', "ANNALS_HTTP_PORT in annals.toml"),
        ("annals.toml", "http_prot = 8080", "did you mean ANNALS_HTTP_PORT?"),
        (".env", "ANNALS_TIME_ZONE=Mars/Olympus", "ANNALS_TIME_ZONE in .env"),
        (".env", "not a line of settings", ".env line 1"),
    ],
)
def test_a_corrupt_settings_file_is_named(tmp_path: Path, file: str, text: str, names: str) -> None:
    (tmp_path / file).write_text(text)
    code, told = annals(tmp_path, "up")
    assert code == 2
    assert names in told
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_a_settings_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "annals.toml").write_bytes(b"\xff\xfe")
    code, told = annals(tmp_path, "up")
    assert (code, told) == (2, "annals: annals.toml cannot be read: it is not UTF-8 text\n")


def test_a_variable_that_does_not_fit_is_named(tmp_path: Path) -> None:
    code, told = annals(tmp_path, "up", ANNALS_BODY_LIMIT="plenty")
    assert code == 2
    assert "ANNALS_BODY_LIMIT in the environment" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["history", "nobody"], 1),
        (["token", "nobody"], 1),
        (["rebuild", "nothing"], 2),
        (["log", "--context", "nothing"], 2),
        (["log", "--since", "2026-02-30"], 2),
        (["parked", "skip", "leads.views:1", "--reason", "why"], 1),
    ],
)
def test_a_command_about_nothing_fails_with_a_sentence(
    guarded: Guarded, arguments: list[str], code: int
) -> None:
    data = guarded.annals.settings.data
    found, told = annals(data, "--data", str(data), *arguments)
    assert found == code, told
    assert told.strip()


def test_without_an_installation_there_is_nothing_to_read(tmp_path: Path) -> None:
    code, told = annals(tmp_path, "log")
    assert code == 3
    assert "annals up" in told
    assert list(tmp_path.iterdir()) == []
