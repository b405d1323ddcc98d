"""A steady load of whole customers, by callers who never give up on what they began."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import httpx

from tests.production.load import Acknowledged

__all__ = ["Customers"]

_LATER = frozenset({429, 502, 503, 504})
"""Answers that say nothing of the command: it is sent again with the same key."""
_PAUSE = 0.1
_PATIENCE = 300.0
_PRICE = 1200
_INSTALMENTS = 3


class GaveUp(Exception):
    """A command could not be brought to an answer in all that time."""


class Customers:
    """Callers who make one customer after the other: lead, account, contract, payments, ticket.

    Args:
        address: of the gateway.
        token: whose commands these are.
        callers: how many.
        rest: seconds between two commands of a caller.
    """

    def __init__(self, address: str, token: str, callers: int, rest: float) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.failures: list[str] = []
        self.repeats = 0
        """How often something was sent again."""
        self.finished = 0
        """How many customers have all they were to have."""
        self._address = address
        self._headers = {"authorization": f"Bearer {token}"}
        self._callers = callers
        self._rest = rest
        self._numbers = count(1)
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make customers for as long as the block lasts; those who are begun are finished."""
        threads = [threading.Thread(target=self._work) for _ in range(self._callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        with httpx.Client(base_url=self._address, headers=self._headers, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    self._customer(client, next(self._numbers))
                except GaveUp as failure:
                    self.failures.append(str(failure))
                else:
                    self.finished += 1

    def _customer(self, client: httpx.Client, number: int) -> None:
        price = {"amount": str(_PRICE), "currency": "CNY"}
        part = {"amount": str(_PRICE // _INSTALMENTS), "currency": "CNY"}
        due = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        self._send(
            client,
            "/v1/leads",
            {
                "name": f"王 {number}",
                "phones": [f"+8613{number:09}"],
                "channel": "web_form",
            },
        )
        account = self._send(client, "/v1/accounts", {"name": f"恒湾客户 {number}"})
        line = {"description": "Spectrometer", "unit_price": str(_PRICE)}
        contract = self._send(
            client,
            "/v1/contracts",
            {
                "account_id": account,
                "title": f"Spectrometer {number}",
                "currency": "CNY",
                "lines": [line],
                "starts_on": due,
            },
        )
        place = f"/v1/contracts/{contract}"
        self._send(client, f"{place}:sign", {})
        self._send(
            client,
            f"{place}/payment-plan",
            {"instalments": [{"amount": part, "due_on": due}] * _INSTALMENTS},
        )
        self._send(client, f"{place}:activate", {})
        payment = {"contract_id": contract, "amount": part, "method": "bank_transfer"}
        for _ in range(_INSTALMENTS):
            self._send(client, "/v1/payments", payment)
        invoice = self._send(client, "/v1/invoices", {"contract_id": contract, "amount": price})
        self._send(client, f"/v1/invoices/{invoice}:approve", {})
        self._send(client, f"/v1/invoices/{invoice}:issue", {})
        ticket = {"kind": "fault", "channel": "phone", "subject": f"Does not calibrate {number}"}
        self._send(client, "/v1/tickets", {**ticket, "account_id": account})

    def _send(self, client: httpx.Client, path: str, body: dict[str, Any]) -> str:
        """Send a command until it is answered; return the id the answer is about.

        Raises:
            GaveUp: it is refused, or nobody answers for very long.
        """
        headers = {"idempotency-key": str(uuid4())}
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                answer = client.post(path, json=body, headers=headers)
            except httpx.TransportError as error:
                last = repr(error)
            else:
                if answer.is_success:
                    told = answer.headers
                    self.acknowledged.append(
                        Acknowledged(path, told["annals-command-id"], told["annals-position"])
                    )
                    self._stop.wait(self._rest)
                    return str(answer.json()["id"])
                last = f"{answer.status_code} {answer.text}"
                if answer.status_code not in _LATER:
                    raise GaveUp(f"{path}: {last}")
            if time.monotonic() > give_up:
                raise GaveUp(f"{path}: {last}")
            self.repeats += 1
            time.sleep(_PAUSE)
