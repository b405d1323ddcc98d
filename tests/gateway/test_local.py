"""Where no token is needed, a browser's visitor is safe from the web pages it opens elsewhere."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from annals.http import shielded
from gateway import create_app
from shared.chassis.settings import Mode, Settings

pytestmark = pytest.mark.capability("PLT-17")

HERE = "localhost:8080"
CROSS = {"Sec-Fetch-Site": "cross-site"}
LINK = CROSS | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def asked(
    headers: Mapping[str, str], verb: str = "GET", mode: Mode = Mode.EMBEDDED, host: str = "::1"
) -> httpx.Response:
    """Ask a gateway, whose services are away, for something that needs none of them."""
    app = shielded(
        create_app({"leads": "127.0.0.1:1"}), Settings.model_construct(mode=mode, host=host)
    )

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HERE}") as client:
            return await client.request(verb, "/v1/nothing", headers=headers)

    return asyncio.run(ask())


def refused(answer: httpx.Response) -> str | None:
    """Return the rule by which a request was refused before anybody looked at it."""
    if answer.status_code == 404:
        return None
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["rule"])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "LocalHost:8080"),
        ("127.0.0.1", "127.0.0.1:8080"),
        ("127.0.0.1", "[::1]:8080"),
        ("crm.lan", "crm.lan:8080"),
        ("192.168.1.5", "192.168.1.5"),
        ("0.0.0.0", "192.168.1.5:8080"),
        ("::", "[fd00::5]:8080"),
    ],
)
def test_a_name_of_this_machine_is_answered(host: str, name: str) -> None:
    assert refused(asked({"Host": name}, host=host)) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "attacker.example"),
        ("127.0.0.1", "localhost.attacker.example:8080"),
        ("127.0.0.1", "192.168.1.5"),
        ("127.0.0.1", "localhost@attacker.example@"),
        ("127.0.0.1", "[::1"),
        ("127.0.0.1", ""),
        ("crm.lan", "192.168.1.5"),
        ("0.0.0.0", "attacker.example"),
    ],
)
def test_a_name_that_anybody_can_have_lead_here_is_refused(host: str, name: str) -> None:
    assert refused(asked({"Host": name}, host=host)) == "HostIsForeign"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example", "Content-Type": "text/plain"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Authorization": "Basic bWU6c2VjcmV0", "Origin": "https://attacker.example"},
        CROSS,
        LINK,
    ],
)
def test_a_foreign_page_cannot_issue_a_command(headers: dict[str, str]) -> None:
    assert refused(asked(headers, "POST")) == "OriginIsForeign"


@pytest.mark.parametrize("dest", ["empty", "iframe", "image"])
def test_a_foreign_page_cannot_ask_or_show(dest: str) -> None:
    assert refused(asked(CROSS | {"Sec-Fetch-Dest": dest})) == "OriginIsForeign"


@pytest.mark.parametrize(
    "headers",
    [
        LINK,
        {"Origin": f"http://{HERE}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_links_and_own_pages_lead_here(headers: dict[str, str]) -> None:
    assert refused(asked(headers)) is None


FOREIGN = CROSS | {"Host": "attacker.example", "Origin": "https://attacker.example"}


def test_whoever_has_a_token_may_come_from_anywhere() -> None:
    assert refused(asked(FOREIGN | {"Authorization": "Bearer token"}, "POST")) is None


def test_production_which_asks_everybody_for_a_token_stands_behind_any_name() -> None:
    assert refused(asked(FOREIGN, "POST", Mode.PRODUCTION)) is None
