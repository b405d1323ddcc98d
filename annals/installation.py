"""The embedded installation: the services of this distribution on the files of one data folder."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import services
from services.workplace.commands import EstablishRoles
from services.workplace.domain.role import BUILT_IN
from shared.chassis.clock import Clock, FileClock
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.settings import Settings
from shared.chassis.shapes import Actor, Envelope, derived_id

__all__ = [
    "NoInstallation",
    "clock",
    "establish",
    "installed",
    "open_installation",
    "service_values",
]

_FOUNDER = Actor(id="system:installation")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


_NEW_OBJECTS = 20_000
"""So many more objects than before make garbage collection look at the youngest."""


class NoInstallation(Exception):
    """There is nothing in the data folder yet."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"there is no installation in {data}; start one with `annals up`")


def service_values() -> tuple[Service, ...]:
    """Return the services of this distribution, in order of their names."""
    homes = sorted(module.name for module in iter_modules(services.__path__) if module.ispkg)
    names = [f"services.{home}.service" for home in homes]
    found: list[Any] = [import_module(name).SERVICE for name in names if find_spec(name)]
    return tuple(found)


def clock(settings: Settings) -> FileClock:
    """Return the clock that every process of the installation shares."""
    settings.data.mkdir(parents=True, exist_ok=True)
    return FileClock(settings.data / "clock")


@contextmanager
def open_installation(
    settings: Settings, present: Clock | None = None
) -> Iterator[Sequence[OpenService]]:
    """Open every service, and close them afterwards.

    Args:
        settings: name the data folder, its key and how durable commits are.
        present: another clock than the installation's.
    """
    present = present or clock(settings)
    key = settings.wrapping_key()
    durable = settings.sqlite_synchronous == "full"
    with ExitStack() as stack:
        opened = []
        for service in service_values():
            one = open_service(
                service, settings.data, present, key_encryption_key=key, durable=durable
            )
            stack.callback(one.close)
            opened.append(one)
        _settle_in()
        yield opened


def establish(opened: Sequence[OpenService]) -> None:
    """Lay down the built-in roles nobody has defined yet; again only when a release brings more.

    Args:
        opened: the services of an installation; nothing happens without the workplace.
    """
    command_id = derived_id(_BEGINNING, "establish-roles", *BUILT_IN)
    for service in opened:
        if service.name != "workplace" or service.application is None:
            continue
        now = service.clock.now()
        service.application.handle(
            EstablishRoles().issued(
                Envelope(
                    command_id=command_id,
                    actor=_FOUNDER,
                    occurred_at=now,
                    recorded_at=now,
                    correlation_id=command_id,
                )
            )
        )


@cache
def _settle_in() -> None:
    """Spare what is loaded for good from garbage collection, which else keeps looking through it.

    Modules, schemas and statements are some hundred thousand objects; facts and rows come and go
    without cycles. Done once per process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)


def installed(settings: Settings) -> Settings:
    """Return the settings when they name an installation that was started before.

    Raises:
        NoInstallation: the data folder holds no log.
    """
    if not any(settings.data.glob("*.log.db")):
        raise NoInstallation(settings.data)
    return settings
