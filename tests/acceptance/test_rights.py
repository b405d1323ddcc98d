"""Who may do what, from the first start of an installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annals.installation import establish, open_installation
from tests.acceptance.installation import Installation, installation

pytestmark = pytest.mark.slow

LEAD = {"name": "王芳", "channel": "web_form"}


@pytest.fixture(scope="module")
def annals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data: Path = tmp_path_factory.mktemp("annals")
    with installation(data) as running:
        yield running


@pytest.mark.capability("WRK-02")
def test_a_role_gives_rights_and_what_it_lacks_is_named(annals: Installation) -> None:
    captured = annals.ask("POST", "/v1/leads", LEAD, by="lin", roles=["sales_rep"])
    assert captured.status_code == 200
    refused = annals.ask("POST", "/v1/invoices/any:issue", by="lin", roles=["sales_rep"])
    assert refused.status_code == 403
    assert refused.json()["details"] == {"right": "billing.IssueInvoice"}
    nobody = annals.ask("GET", "/v1/leads", by="guest", roles=[])
    assert nobody.status_code == 403
    assert nobody.json()["details"] == {"right": "leads.ListLeads"}


@pytest.mark.capability("WRK-02")
def test_the_built_in_roles_are_laid_down_once(annals: Installation) -> None:
    annals.settle()
    roles = {role["role"] for role in annals.get("/v1/roles")["items"]}
    assert {"administrator", "sales_rep", "finance", "service_agent"} <= roles
    with open_installation(annals.settings) as services:
        workplace = next(service for service in services if service.name == "workplace")
        before = workplace.log.tip()
        establish(services)
        assert workplace.log.tip() == before
