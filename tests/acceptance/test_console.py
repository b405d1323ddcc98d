"""The console's pages in a real browser."""

import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.acceptance.installation import Installation, installation, wait

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.capability("PLT-17"),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def annals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return an installation with one customer who was a lead."""
    with installation(tmp_path_factory.mktemp("annals")) as running:
        lead = {
            "lead_id": "wang-fang",
            "name": "王芳",
            "company": "晨光设备",
            "channel": "web_form",
        }
        running.post("/v1/leads", lead)
        running.post("/v1/leads/wang-fang:assign", {"owner_id": "mei"})
        running.post("/v1/leads/wang-fang:qualify")
        running.post("/v1/leads/wang-fang:convert", {"account_id": "sunrise"})
        running.settle()
        yield running


@pytest.fixture(scope="module")
def page(annals: Installation) -> Iterator[Page]:
    """Return a browser's page on the installation."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=list(QUIET))
        opened = browser.new_page(base_url=str(annals.client.base_url))
        yield opened
        browser.close()


def test_the_first_page_shows_how_business_goes(page: Page) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    assert page.url.endswith("/console/")
    expect(page.get_by_text("captured so far")).to_be_visible()
    expect(page.get_by_text("balanced", exact=True)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    assert complaints == []


def test_a_customer_is_found_by_a_chinese_name_and_followed_through_time(page: Page) -> None:
    page.goto("/console/customers")
    page.get_by_label("Search customers by name").fill("晨光")
    page.get_by_label("Search customers by name").press("Enter")
    page.wait_for_url("**/customers?q=*")
    page.get_by_role("link", name="晨光").click()
    expect(page.get_by_text("王芳").first).to_be_visible()
    expect(page.get_by_text("lead converted")).to_be_visible()
    page.get_by_label("As of the end of").fill("2020-01-01")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Not a customer yet at that moment")).to_be_visible()


def visit(annals: Installation, path: str, role: str) -> str:
    """Open a page as somebody with this role; return what it holds."""
    answer = annals.ask("GET", f"/console{path}", by="somebody", roles=[role])
    assert answer.status_code == 200
    return answer.text


@pytest.mark.capability("WRK-02")
def test_a_service_agent_sees_a_customer_and_what_happened(annals: Installation) -> None:
    page = visit(annals, "/customers/sunrise", "service_agent")
    assert "lead converted" in page
    assert "Opportunities and contracts" in page
    assert "this needs the right" not in page


def may_ask(annals: Installation, path: str, role: str) -> bool:
    """Whether a role is in force, which takes a second."""
    return annals.ask("GET", path, by="somebody", roles=[role]).status_code == 200


def test_what_a_visitor_may_not_see_leaves_the_rest_of_the_page(annals: Installation) -> None:
    for role, right, path in (
        ("looks_back", "ListTimeline", "/v1/customers/sunrise/timeline"),
        ("looks_around", "GetFunnel", "/v1/funnel"),
    ):
        annals.post("/v1/roles", {"role": role, "title": role, "rights": [f"analytics.{right}"]})
        wait(partial(may_ask, annals, path, role))
    page = visit(annals, "/customers/sunrise", "looks_back")
    assert "this needs the right analytics.GetCustomer360" in page
    assert "lead converted" in page
    page = visit(annals, "/", "looks_around")
    assert "captured so far" in page
    assert "this needs the right analytics.GetTrialBalance" in page


def test_only_who_was_no_customer_is_said_to_be_none_yet(annals: Installation) -> None:
    none_yet = "Not a customer yet at that moment"
    assert none_yet in visit(annals, "/customers/sunrise?as_of=2020-01-01", "administrator")
    page = visit(annals, "/customers/sunrise?as_of=2020-01-01", "guest")
    assert none_yet not in page
    assert "this needs the right" in page
    page = visit(annals, "/customers/sunrise?as_of=2020-13-01", "administrator")
    assert none_yet not in page
    assert "as_of" in page


def test_a_search_that_finds_nothing_says_so(page: Page) -> None:
    page.goto('/console/leads?q=nobody"here')
    expect(page.get_by_text("Nothing yet")).to_be_visible()


def test_an_unknown_customer_is_told_in_words(page: Page) -> None:
    page.goto("/console/customers/nobody")
    expect(page.get_by_text("there is no customer nobody")).to_be_visible()


def test_the_api_page_needs_no_network(page: Page) -> None:
    page.goto("/docs")
    expect(page.get_by_text("/v1/customers/{account_id}/360")).to_be_visible()
