"""An installation: the services of this distribution, opened on the databases of its settings.

Without a database URL that is an embedded one, on the SQLite files of a data folder.
"""

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
from shared.chassis.clock import Clock, FileClock, SystemClock
from shared.chassis.database import Database
from shared.chassis.eventstore import SealBroken
from shared.chassis.migrations import Schema
from shared.chassis.service import OpenService, Service, open_service
from shared.chassis.settings import PREFIX, Settings, SettingsError
from shared.chassis.shapes import Actor, Envelope, derived_id

__all__ = [
    "NoInstallation",
    "UnknownService",
    "clock",
    "establish",
    "installed",
    "open_installation",
    "schema",
    "service_names",
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


class UnknownService(Exception):
    """A service of that name is not in this distribution."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no service {name}; there are {', '.join(service_names())}")


def service_names() -> tuple[str, ...]:
    """Return the names of the services of this distribution, in order."""
    homes = sorted(module.name for module in iter_modules(services.__path__) if module.ispkg)
    return tuple(name for name in homes if find_spec(f"services.{name}.service"))


def service_values(*names: str) -> tuple[Service, ...]:
    """Return the services of these names, or all of this distribution, in order of their names.

    Raises:
        UnknownService: there is none of a name.
    """
    known = service_names()
    for name in names:
        if name not in known:
            raise UnknownService(name)
    chosen = [name for name in known if name in names or not names]
    found: list[Any] = [import_module(f"services.{name}.service").SERVICE for name in chosen]
    return tuple(found)


def clock(settings: Settings) -> FileClock:
    """Return the clock that every process of an embedded installation shares."""
    settings.data.mkdir(parents=True, exist_ok=True)
    return FileClock(settings.data / "clock")


def schema(name: str) -> Schema:
    """Return the schema of a service's PostgreSQL database."""
    return Schema(name, Path(services.__path__[0]) / name / "migrations")


@contextmanager
def open_installation(
    settings: Settings,
    present: Clock | None = None,
    names: Sequence[str] = (),
    *,
    within: float | None = None,
) -> Iterator[Sequence[OpenService]]:
    """Open services, and close them afterwards.

    Args:
        settings: name the databases, the key and how durable commits are.
        present: another clock than the installation's.
        names: the services to open; all when empty.
        within: seconds that a statement may run on PostgreSQL; None sets no limit.

    Raises:
        UnknownService: there is none of a name.
        SchemaUnfit: a database is not at a schema this release knows.
        SettingsError: the key-encryption key is not the one of a log.
        sqlalchemy.exc.OperationalError: a database does not answer.
    """
    chosen = service_values(*names)
    if present is None:
        present = SystemClock() if settings.database_url else clock(settings)
    keys = settings.wrapping_keys()
    with ExitStack() as stack:
        opened = []
        for service in chosen:
            try:
                one = _opened(service, settings, present, keys, within)
            except SealBroken as error:
                raise SettingsError(
                    [f"{PREFIX}KEY_ENCRYPTION_KEY: {service.name}: {error}"]
                ) from None
            stack.callback(one.close)
            opened.append(one)
        _settle_in()
        yield opened


def _opened(
    service: Service,
    settings: Settings,
    present: Clock,
    keys: Sequence[bytes],
    within: float | None,
) -> OpenService:
    url = settings.database_for(service.name)
    if url is None:
        durable = settings.sqlite_synchronous == "full"
        return open_service(
            service, settings.data, present, key_encryption_keys=keys, durable=durable
        )
    schema(service.name).check(url)
    database = Database.postgres(url, pool=settings.database_pool, within=within)
    return open_service(service, clock=present, key_encryption_keys=keys, database=database)


def establish(opened: Sequence[OpenService]) -> None:
    """Lay down the built-in roles nobody has defined yet; again only when a release brings more.

    Args:
        opened: the services of an installation; nothing happens without the workplace.
    """
    for service in opened:
        if service.name != "workplace" or service.application is None:
            continue
        from services.workplace.commands import EstablishRoles
        from services.workplace.domain.role import BUILT_IN

        command_id = derived_id(_BEGINNING, "establish-roles", *BUILT_IN)
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
        NoInstallation: the data folder holds no log, and no database is named.
    """
    if settings.database_url is None and not any(settings.data.glob("*.log.db")):
        raise NoInstallation(settings.data)
    return settings
