"""Every service deployed apart, on PostgreSQL and RabbitMQ, does what the embedded runtime does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.projections.rebuild import rebuild
from tests.acceptance.installation import wait
from tests.acceptance.life import START, live, reached
from tests.production.load import Load, recorded_once
from tests.production.topology import Topology, topology
from tests.servers.private import PrivateBroker, PrivatePostgres

pytestmark = [pytest.mark.slow, pytest.mark.servers]


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
