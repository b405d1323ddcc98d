"""The operations port tells how a process is."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import structlog

from shared.chassis.messaging.lag import Beyond, beyond_in, lag, quiescent
from shared.chassis.telemetry.metrics import NAMES, STANDING
from shared.chassis.telemetry.operations import Operations
from shared.chassis.telemetry.standing import Standing, answers, keeps_up
from tests.messaging.conftest import House, house

__all__ = ["house"]

_MINUTES = timedelta(minutes=5)


def get(operations: Operations, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{operations.port}{path}")


@pytest.mark.capability("PLT-14")
def test_readiness_names_what_is_missing_and_comes_and_goes() -> None:
    wrong: dict[str, str] = {"broker": "not connected"}
    checks = {"database": lambda: None, "broker": lambda: wrong.get("broker")}
    with Operations(checks) as operations:
        answer = get(operations, "/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "not ready",
            "checks": {"database": "ok", "broker": "not connected"},
        }
        wrong.clear()
        answer = get(operations, "/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_a_check_that_raises_is_not_ready_and_does_not_tell_the_words() -> None:
    def check() -> str | None:
        raise ConnectionError("password of 王小明 is wrong")

    with Operations({"database": check}) as operations:
        answer = get(operations, "/readyz")
        assert answer.json()["checks"] == {"database": "ConnectionError"}
        assert get(operations, "/livez").status_code == 200


def test_other_paths_are_not_there_and_head_is_get_without_body() -> None:
    with Operations({}) as operations:
        assert get(operations, "/secrets").status_code == 404
        url = f"http://127.0.0.1:{operations.port}/metrics"
        head = httpx.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["Content-Length"]) > 0


def test_a_caller_that_hangs_up_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    at_once = struct.pack("ii", 1, 0)
    with Operations({}) as operations:
        with socket.create_connection(("127.0.0.1", operations.port)) as caller:
            caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\n")
            _until(lambda: _answering() == 1)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        _until(lambda: _answering() == 0)
        assert get(operations, "/livez").status_code == 200
    assert capfd.readouterr().err == ""


def test_an_answer_that_fails_is_told_to_the_log_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: str) -> None:
        raise ValueError("王小明")

    with Operations({}) as operations, structlog.testing.capture_logs() as told:
        monkeypatch.setattr(operations, "answer", fail)
        with pytest.raises(httpx.RemoteProtocolError):
            get(operations, "/metrics")
        _until(lambda: _answering() == 0)
    assert [line["event"] for line in told] == ["request failed"]
    assert capfd.readouterr().err == ""


def test_the_port_is_free_again_afterwards() -> None:
    with Operations({}) as operations:
        port = operations.port
    with Operations({}, port=port) as again:
        assert get(again, "/livez").status_code == 200


def test_a_database_that_is_gone_makes_a_process_not_ready(house: House) -> None:
    with Operations({"database": answers(house.services)}) as operations:
        assert get(operations, "/readyz").status_code == 200
        house.kitchen.views_database.fetch = _gone  # type: ignore[method-assign, assignment]
        assert get(operations, "/readyz").json()["checks"] == {"database": "OSError"}


def test_a_consumer_that_falls_behind_makes_a_worker_not_ready(house: House) -> None:
    standing = Standing(house.services)
    check = keeps_up(standing, late=60)
    house.order("o-1")
    assert check() is None
    house.clock.moment += _MINUTES
    assert keeps_up(Standing(house.services), late=60)() is not None
    house.delivery().views.catch_up()  # type: ignore[union-attr]
    house.delivery().policies.catch_up()  # type: ignore[union-attr]
    assert keeps_up(Standing(house.services), late=60)() is None


def test_every_metric_has_a_sentence_and_says_what_it_counts() -> None:
    assert all(name.startswith("annals_") for name in NAMES)
    with Operations({}) as operations:
        text = get(operations, "/metrics").text
    for name in NAMES - STANDING.keys():
        assert f"# HELP {name} " in text


def _answering() -> int:
    """How many requests threads of the port are at work on."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def _until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def _gone(*_: object) -> None:
    raise OSError("connection refused")


def test_the_owner_of_a_log_tells_what_is_ahead(house: House) -> None:
    house.order("o-1")
    house.order("o-2")
    asked: list[tuple[str, int]] = []

    def elsewhere(context: str, position: int) -> Beyond | None:
        asked.append((context, position))
        return beyond_in([house.dining])(context, position)

    alone = lag([house.kitchen])
    assert {row.context for row in alone} == {"kitchen"}
    told = {(row.consumer, row.context): row for row in lag([house.kitchen], elsewhere)}
    assert (told["tables", "dining"].events, told["tables", "dining"].seconds) == (2, 0)
    assert len(asked) == len(set(asked))  # however many consumers stand there
    assert lag([house.kitchen], lambda *_: None) == alone
    assert quiescent([house.kitchen])
    assert not quiescent([house.kitchen], elsewhere)
