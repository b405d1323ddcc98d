"""The processes of an embedded installation."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from annals.processes import Life, api
from tests.servers.private import free_port


@pytest.mark.usefixtures("logging_restored")
def test_nothing_is_answered_while_the_console_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNALS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ANNALS_GRPC_PORT", str(port))
    answered = []

    def serve(_app: Any, _settings: Any, ready: Callable[[], None], _grace: float) -> None:
        answered.append(answers(port))
        ready()
        answered.append(answers(port))

    monkeypatch.setattr("annals.http.serve_http", serve)
    # A process mounts its console once, and this one may have done so in another test.
    monkeypatch.setattr("services.analytics.console.mount", lambda _app: None)
    told, ready = os.pipe()
    api(Life(os.getppid(), ready))
    assert answered == [False, True]
    assert os.read(told, 100) == b"ready"


def answers(port: int) -> bool:
    """Whether somebody answers over gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        asked = health_pb2.HealthCheckRequest()
        try:
            found = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=2)
        except grpc.RpcError:
            return False
        return bool(found.status == health_pb2.HealthCheckResponse.SERVING)
