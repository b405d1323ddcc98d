"""The console shows each visitor what that visitor's own token may see, and nothing else."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from annals.installation import service_values
from gateway import create_app
from services.analytics import console
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR, DevelopmentIdentity, issue_token
from shared.chassis.api.rights import RoleRights
from shared.events.base import Recorded
from shared.events.workplace import DataScope, RoleDefined
from tests.api.conftest import SECRET
from tests.gateway.conftest import serving
from tests.trust.company import MATE, ME, STRANGER, opened

pytestmark = pytest.mark.capability("PLT-17", "WRK-03")

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROLES = (
    ("seller", ("leads.*",), DataScope.SELF),
    ("bookkeeper", ("billing.*",), DataScope.ALL),
)

Visit = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def company() -> Iterator[tuple[str, DevelopmentIdentity]]:
    """The leads of several sellers behind a gateway with a console, and who lets callers in."""
    (leads,) = service_values("leads")
    service = opened(leads)
    facts = [
        Recorded(
            "workplace",
            number,
            name,
            1,
            RoleDefined(role=name, role_version=1, title=name, rights=rights, scope=scope),
            *(NOW, NOW, "system", f"c{number}", "c"),
        )
        for number, (name, rights, scope) in enumerate(ROLES, 1)
    ]
    with service.views_database.transaction() as connection:
        service.projector.apply(connection, RoleRights, facts)
    identity = DevelopmentIdentity(SECRET, anonymous=None)
    server = ApiServer([service], identity=identity)
    server.start()
    app = create_app({"leads": server.address})
    console.mount(app)
    with serving(app) as address:
        yield address, identity
    server.stop(grace=0)
    service.close()


@pytest.fixture
def visit(company: tuple[str, DevelopmentIdentity]) -> Iterator[Visit]:
    """Open the page of leads as whoever signs in, by the same connections for all."""
    with httpx.Client(base_url=company[0], timeout=60) as browser:

        def visit(who: str | None = None, *roles: str, **headers: str) -> httpx.Response:
            if who is not None:
                headers["Authorization"] = f"Bearer {issue_token(SECRET, who, roles=roles)}"
            return browser.get("/console/leads", headers=headers)

        yield visit


def owners(page: httpx.Response) -> set[str]:
    """Return whose leads a page shows."""
    assert page.status_code == 200, page.text
    assert page.headers["Cache-Control"] == "no-store"
    return {who for who in (ME, MATE, STRANGER) if f"name of {who}" in page.text}


def test_every_visitor_sees_what_is_theirs(visit: Visit) -> None:
    assert owners(visit(ME, "seller")) == {ME}
    assert owners(visit(MATE, "seller")) == {MATE}
    assert owners(visit("chief", "administrator")) == {ME, MATE, STRANGER}
    assert owners(visit(ME, "seller")) == {ME}


def test_a_visitor_without_the_right_is_told_so(visit: Visit) -> None:
    page = visit(ME, "bookkeeper")
    assert "This did not work" in page.text
    assert owners(page) == set()


def test_visitors_at_the_same_moment_are_not_mixed_up(visit: Visit) -> None:
    visitors = [ME, MATE, STRANGER] * 6
    with ThreadPoolExecutor(len(visitors)) as pool:
        pages = pool.map(lambda who: owners(visit(who, "seller")), visitors)
    assert list(pages) == [{who} for who in visitors]


@pytest.mark.parametrize("given", [None, "Bearer nonsense", "Basic bWU6c2VjcmV0"])
def test_whoever_is_unknown_is_told_to_sign_in(visit: Visit, given: str | None) -> None:
    assert owners(visit("chief", "administrator"))
    page = visit(**({} if given is None else {"Authorization": given}))
    assert page.status_code == 401
    assert (page.headers["WWW-Authenticate"], page.headers["Cache-Control"]) == (
        "Bearer",
        "no-store",
    )
    assert "Please sign in" in page.text
    assert "name of" not in page.text


def test_an_embedded_installation_needs_no_sign_in(
    company: tuple[str, DevelopmentIdentity], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company[1], "_anonymous", DEVELOPMENT_ADMINISTRATOR)
    assert owners(visit()) == {ME, MATE, STRANGER}
    assert owners(visit(Authorization="Basic bWU6c2VjcmV0")) == {ME, MATE, STRANGER}
