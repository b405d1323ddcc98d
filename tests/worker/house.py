"""A worker process over the toy services: `python -m tests.worker.house <folder>`.

It ends at once, with a code of its own, when a green thread gives way inside a transaction.
"""
# ruff: noqa: E402 - the patch comes first

from shared.chassis.worker.green import patch

patch()

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import greenlet  # type: ignore[import-untyped]

from shared.chassis import logs
from shared.chassis.clock import FileClock
from shared.chassis.database import Database
from shared.chassis.service import open_service
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.runner import run
from tests.messaging.toys import DINING, KITCHEN

GAVE_WAY = 66


def guard_transactions() -> None:
    inside: set[Any] = set()
    transaction = Database.transaction

    @contextmanager
    def watched(self: Database, **how: Any) -> Iterator[Any]:
        me, joined = greenlet.getcurrent(), self.in_transaction
        with transaction(self, **how) as connection:
            inside.add(me)
            try:
                yield connection
            finally:
                if not joined:
                    inside.discard(me)

    def trace(what: str, way: tuple[Any, Any]) -> None:
        if what == "switch" and way[0] in inside:
            os._exit(GAVE_WAY)

    Database.transaction = watched  # type: ignore[method-assign]
    greenlet.settrace(trace)


def say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    logs.configure("warning", "json")
    guard_transactions()
    clock = FileClock(folder / "clock")
    services = [
        open_service(service, folder, clock, durable=False) for service in (DINING, KITCHEN)
    ]
    run(services, Broker.embedded(), say_ready, os.getppid())
    for opened in services:
        opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
