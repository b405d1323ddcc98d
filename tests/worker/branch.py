"""A worker process over toy services and real servers: `python -m tests.worker.branch <json>`."""
# ruff: noqa: E402 - the patch comes first

from shared.chassis.worker.green import patch

patch()

import json
import os
import sys
from pathlib import Path
from typing import Any

from shared.chassis import logs
from shared.chassis.clock import FileClock
from shared.chassis.database import Database
from shared.chassis.service import open_service
from shared.chassis.worker.broker import Broker
from shared.chassis.worker.pulling import Elsewhere
from shared.chassis.worker.runner import run
from tests.messaging.toys import DINING, KITCHEN, Tables

TOYS = {service.name: service for service in (DINING, KITCHEN)}


def say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main(told: dict[str, Any]) -> None:
    """Run one worker as told by a test: see `tests.worker.conftest.Branch`."""
    logs.configure("info", "json")
    Tables.poisonous.update(told["poisonous"])
    folder = Path(told["folder"])
    databases = {name: Database.postgres(url) for name, url in told["databases"].items()}
    services = [
        open_service(
            TOYS[name],
            folder,
            FileClock(folder / "clock"),
            durable=False,
            database=databases.get(name),
        )
        for name in told["services"]
    ]
    run(
        services,
        Broker.amqp(told["broker"], prefix=told["prefix"]),
        say_ready,
        os.getppid(),
        Elsewhere(lambda _: told["address"], lambda: told["token"]),
    )
    for opened in services:
        opened.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
