"""A steady load of commands of every context, which remembers what was acknowledged."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from shared.chassis.service import OpenService

__all__ = ["Acknowledged", "Load", "recorded_once"]

_PATIENCE = 120.0
_PAUSE = 0.05
_REST = 0.2
"""Seconds between two requests of a caller: the machine has other things to do."""
_DAY = date(2020, 1, 1)

Body = Callable[[int], dict[str, Any]]
COMMANDS: dict[str, Body] = {
    "/v1/leads": lambda n: {"name": f"lead {n}", "company": f"company {n}", "channel": "phone"},
    "/v1/accounts": lambda n: {"name": f"account {n}"},
    "/v1/products": lambda n: {"name": f"product {n}"},
    "/v1/exchange-rates": lambda n: {
        "currency": "EUR",
        "reporting_currency": "CNY",
        "rate": "7.8",
        "valid_from": (_DAY + timedelta(days=n)).isoformat(),
    },
    "/v1/tickets": lambda n: {"kind": "fault", "channel": "phone", "subject": f"ticket {n}"},
    "/v1/units": lambda n: {"name": f"unit {n}"},
}
QUESTIONS = ("/v1/leads", "/v1/funnel")


class Acknowledged(NamedTuple):
    """A command that was answered with success."""

    path: str
    command_id: str
    position: str


class Load:
    """Some callers, each sending one request after another as long as the load lasts.

    What does not reach the gateway is sent again with the same key, as an ingress in front of
    several gateways or any careful client does. Everything else than success is a failure.

    Args:
        address: of the gateway.
        token: whose commands these are.
        callers: how many.
    """

    def __init__(self, address: str, token: str, callers: int = 2) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.failures: list[str] = []
        self._address = address
        self._headers = {"authorization": f"Bearer {token}"}
        self._callers = callers
        self._numbers = iter(range(1_000_000))
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests for as long as the block lasts."""
        threads = [threading.Thread(target=self._call) for _ in range(self._callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _call(self) -> None:
        with httpx.Client(base_url=self._address, headers=self._headers, timeout=90) as client:
            while not self._stop.is_set():
                for path, body in COMMANDS.items():
                    self._command(client, path, body(next(self._numbers)))
                    self._stop.wait(_REST)
                for path in QUESTIONS:
                    self._question(client, path)
                    self._stop.wait(_REST)

    def _question(self, client: httpx.Client, path: str) -> None:
        answer = _sent(lambda: client.get(path))
        if not answer.is_success:
            self.failures.append(f"{path}: {answer.status_code} {answer.text}")

    def _command(self, client: httpx.Client, path: str, body: dict[str, Any]) -> None:
        key = {"idempotency-key": str(uuid4())}
        answer = _sent(lambda: client.post(path, json=body, headers=key))
        if answer.is_success:
            told = answer.headers
            self.acknowledged.append(
                Acknowledged(path, told["annals-command-id"], told["annals-position"])
            )
        else:
            self.failures.append(f"{path}: {answer.status_code} {answer.text}")


def _sent(send: Callable[[], httpx.Response]) -> httpx.Response:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return send()
        except httpx.TransportError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_PAUSE)


def recorded_once(
    services: Sequence[OpenService], acknowledged: Sequence[Acknowledged]
) -> list[str]:
    """Return what is wrong with the logs: an acknowledged command that is not there just once."""
    facts: dict[str, Counter[tuple[str, str, str]]] = {}
    for opened in services:
        position = 0
        while batch := opened.log.read(position, 1000):
            for fact in batch:
                counted = facts.setdefault(fact.command_id, Counter())
                counted[fact.context, fact.stream_id, fact.topic] += 1
            position = batch[-1].position
    wrong = []
    for one in acknowledged:
        found = facts.get(one.command_id, Counter())
        context = one.position.partition(":")[0]
        if {where for where, _, _ in found} != {context} or set(found.values()) != {1}:
            wrong.append(f"{one}: {dict(found)}")
    return wrong
