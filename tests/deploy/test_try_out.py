"""The compose file's small layout: its settings, secrets and database script, without Docker."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from shared.chassis.telemetry.metrics import NAMES
from tests.deploy.manifests import DEPLOY, SERVICES
from tests.deploy.running import done, free_port, health, running, wait_for
from tests.deploy.test_compose import composed, environment
from tests.servers.private import PrivateBroker, PrivatePostgres

pytestmark = [
    pytest.mark.capability("PLT-15"),
    pytest.mark.servers,
    pytest.mark.slow,
]


class TryOut(NamedTuple):
    """The addresses of what runs, and who asks."""

    gateway: httpx.Client
    metrics: dict[str, str]


@pytest.fixture(scope="module")
def try_out(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_of_module: PrivatePostgres,
    broker_of_module: PrivateBroker,
) -> Iterator[TryOut]:
    """Start what profile `small` starts, in its order."""
    folder = tmp_path_factory.mktemp("try-out")
    secrets = folder / "secrets"
    subprocess.run([sys.executable, str(DEPLOY / "compose/prepare.py"), str(secrets)], check=True)
    file = composed(environment(secrets))
    create_databases(postgres_of_module.url, file["services"]["postgres"]["environment"])
    ports = {name: (free_port(), free_port()) for name in ("migrate", "api", "worker", "gateway")}
    here = {
        "@postgres:5432/": f"@{place(postgres_of_module.url)}/",
        file["services"]["api"]["environment"]["ANNALS_BROKER_URL"]: broker_of_module.url,
        "/run/secrets/service-token": str(secrets / "service-token"),
        "/run/secrets/token-keys": str(secrets / "token-keys.json"),
    }
    addresses = json.dumps(dict.fromkeys(SERVICES, f"127.0.0.1:{ports['api'][0]}"))

    def given(name: str) -> dict[str, str]:
        text = json.dumps(file["services"][name]["environment"])
        for there, replaced in here.items():
            text = text.replace(there, replaced)
        main, operations = (str(port) for port in ports[name])
        found: dict[str, str] = json.loads(text)
        return found | {
            "PATH": os.environ["PATH"],
            "SERVICE": name,
            "ANNALS_DATA": str(folder / "data"),
            "ANNALS_SERVICE_ADDRESSES": addresses,
            "ANNALS_GRPC_PORT": main,
            "ANNALS_HTTP_PORT": main,
            "ANNALS_OPERATIONS_PORT": operations,
            "NICEGUI_STORAGE_PATH": str(folder / "nicegui"),
        }

    def command(name: str) -> list[str]:
        return [sys.executable, "-m", "annals", *file["services"][name]["command"]]

    done(command("migrate"), given("migrate"), folder)
    started = []
    with ExitStack() as stack:
        for name in ("api", "worker", "gateway"):
            process = stack.enter_context(running(command(name), given(name), folder))
            started.append(process)
            healthy = given(name)
            wait_for(lambda asked=healthy: health(**asked) == 0, process)  # type: ignore[misc]
        token = (secrets / "administrator-token").read_text()
        gateway = httpx.Client(
            base_url=f"http://127.0.0.1:{ports['gateway'][0]}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        metrics = {name: f"http://127.0.0.1:{ports[name][1]}" for name in ("api", "worker")}
        with gateway:
            yield TryOut(gateway, metrics)
    assert [process.returncode for process in started] == [0, 0, 0]


def create_databases(superuser: str, variables: dict[str, str]) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not installed")
    subprocess.run(
        [psql, superuser, "--quiet", "--file", str(DEPLOY / "postgres/databases.sql")],
        env={**os.environ, "ANNALS_DATABASE_PASSWORD": variables["ANNALS_DATABASE_PASSWORD"]},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def families(page: str) -> set[str]:
    """Return the names of the metrics of a page, as Prometheus tells them."""
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}


def place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}"


def test_a_lead_becomes_a_customer_of_another_service(try_out: TryOut) -> None:
    lead = {"lead_id": "wang", "name": "Wang", "emails": ["wang@example.com"], "channel": "email"}
    for path, body in (
        ("pools", {"pool_id": "open", "name": "Open"}),
        ("leads", {**lead, "pool_id": "open"}),
        ("leads/wang:claim", {}),
        ("leads/wang:qualify", {}),
        ("leads/wang:convert", {"account_id": "sunrise"}),
    ):
        answer = try_out.gateway.post(f"/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
    give_up = time.monotonic() + 60
    while (answer := try_out.gateway.get("/v1/accounts/sunrise")).status_code != 200:
        assert time.monotonic() < give_up, answer.text
        time.sleep(0.05)
    assert answer.json()["account_id"] == "sunrise"


def test_nobody_acts_without_a_token(try_out: TryOut) -> None:
    answer = httpx.get(try_out.gateway.base_url.join("/v1/accounts/sunrise"))
    assert answer.status_code == 401, answer.text


def test_readiness_and_metrics_are_where_prometheus_looks(try_out: TryOut) -> None:
    exported = set()
    for address in try_out.metrics.values():
        assert httpx.get(f"{address}/livez").status_code == 200
        exported |= families(httpx.get(f"{address}/metrics").text)
    exported |= families(try_out.gateway.get("/metrics").text)
    assert exported >= NAMES
