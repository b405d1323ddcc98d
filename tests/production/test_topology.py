"""Every service deployed apart, on PostgreSQL and RabbitMQ, does what the embedded runtime does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from annals.installation import service_values
from services.leads.projections.lead_list import LeadList
from shared.chassis import tracking
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.projections.rebuild import rebuild
from tests.acceptance.installation import wait
from tests.acceptance.life import START, live, reached
from tests.deploy.image import annals as command
from tests.deploy.image import copied, kept
from tests.deploy.running import done
from tests.production.load import Load, recorded_once
from tests.production.topology import Topology, topology
from tests.servers.private import PrivateBroker, PrivatePostgres

pytestmark = [pytest.mark.slow, pytest.mark.servers]

SERVICES = {service.name: service for service in service_values()}


@pytest.fixture(scope="module")
def annals(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_of_module: PrivatePostgres,
    broker_of_module: PrivateBroker,
) -> Iterator[Topology]:
    """Return an installation in which one customer's life was lived, from March on."""
    folder: Path = tmp_path_factory.mktemp("annals")
    with topology(folder, postgres_of_module, broker_of_module) as running:
        running.turn(START)
        live(running)
        yield running


@pytest.mark.capability("PLT-02", "PLT-03", "PLT-15")
def test_a_lead_becomes_a_paying_supported_customer(annals: Topology) -> None:
    assert reached(annals.get("/v1/funnel"))["paid"] == 1


@pytest.mark.capability("PLT-02", "PLT-03", "PLT-09", "PLT-15")
def test_every_process_is_replaced_under_load_without_a_failed_command(annals: Topology) -> None:
    load = Load(str(annals.client.base_url), annals.token("admin", ["administrator"]))

    def goes_on() -> None:
        before = len(load.acknowledged)
        wait(lambda: load.failures or len(load.acknowledged) > before + 12)

    with load.running():
        for command in list(annals.processes):
            goes_on()
            annals.replace(command)
        goes_on()
    assert load.failures == []
    annals.settle()
    with annals.services() as services:
        assert recorded_once(services, load.acknowledged) == []
        logs = {opened.name: opened.log for opened in services}
        for opened in services:
            delivery = Delivery(opened, pull_from(services))
            assert delivery.parked() == []
            delivery.close()
            for report in rebuild(
                opened.views_database, opened.service.projections, logs, check=True
            ):
                assert report.equal, report


@pytest.mark.capability("PLT-03", "PLT-13", "PLT-14", "PLT-15")
def test_a_service_looks_after_itself_without_the_others_databases(
    annals: Topology, tmp_path: Path
) -> None:
    root = kept(copied(tmp_path / "sources"), "analytics", tmp_path)
    annals.settle()

    def said(*words: str) -> Any:
        return json.loads(done(command(root, *words), annals.environment(), tmp_path))

    contexts = {row["context"] for row in said("lag", "--json")}
    assert {"leads", "accounts", "pipeline", "billing", "support"} <= contexts
    assert said("parked", "--json") == []
    checked = said("rebuild", "--check", "--json")
    assert len(checked) == len(SERVICES["analytics"].projections)
    assert all(one["equal"] for one in checked)
    assert sum(one["facts"] for one in checked) > 100


@pytest.mark.capability("PLT-11", "PLT-15")
def test_a_worker_has_the_read_models_of_a_new_version_made_anew(annals: Topology) -> None:
    annals.settle()
    with annals.services() as services:
        leads = next(opened for opened in services if opened.name == "leads")
        with leads.views_database.transaction() as connection:  # as an earlier release left them
            tracking.advance(connection, LeadList.name, tracking.VERSION, LeadList.version - 1)
            connection.execute(LeadList.table.update().values(company="by another fold"))
        annals.replace("worker leads")

        def companies() -> set[str]:
            with leads.views_database.read() as connection:
                return set(connection.scalars(select(LeadList.table.c.company)))

        wait(lambda: "by another fold" not in companies())
        with leads.views_database.read() as connection:
            known = tracking.positions(connection)
        assert known[LeadList.name, tracking.VERSION] == LeadList.version
        logs = {opened.name: opened.log for opened in services}
        (report,) = rebuild(leads.views_database, [LeadList], logs, check=True)
        assert report.equal
