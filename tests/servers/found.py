"""Where a test finds PostgreSQL and RabbitMQ."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.servers.private import (
    Absent,
    PrivateBroker,
    PrivatePostgres,
    PrivateServer,
    answers_amqp,
    answers_postgres,
)

__all__ = ["Servers", "absent", "found", "fresh_database"]

_POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
_BROKER = "amqp://guest:guest@127.0.0.1:5672//"
_CONTAINER_PATIENCE = 120.0


class Servers(NamedTuple):
    """Addresses of a PostgreSQL, as its superuser, and a RabbitMQ that answer."""

    postgres: str
    broker: str


@contextmanager
def found(settings: Mapping[str, str]) -> Iterator[Servers]:
    """Find both servers for as long as the block lasts.

    Each is the one that its setting names; else a local one; else one started from what is
    installed; else one in a container.

    Args:
        settings: may hold ANNALS_TEST_POSTGRES and ANNALS_TEST_BROKER, URLs.

    Raises:
        Absent: there is none, or the one named does not answer.
    """
    with (
        _one(settings.get("ANNALS_TEST_POSTGRES"), _POSTGRES, answers_postgres, PrivatePostgres,
             _contained_postgres) as postgres,
        _one(settings.get("ANNALS_TEST_BROKER"), _BROKER, answers_amqp, PrivateBroker,
             _contained_broker) as broker,
    ):  # fmt: skip
        yield Servers(postgres, broker)


def absent(error: Absent) -> NoReturn:
    """Skip a test that lacks its servers, or fail it where they are required."""
    if os.environ.get("ANNALS_TEST_REQUIRE_SERVERS", "") not in {"", "0"}:
        pytest.fail(f"PostgreSQL and RabbitMQ are required: {error}")
    pytest.skip(str(error))


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """Make an empty database for the length of the block; return its URL."""
    name = f"annals_test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def _one(
    named: str | None,
    local: str,
    answers: Callable[[str], bool],
    private: Callable[[], PrivateServer],
    contained: Callable[[], Iterator[str]],
) -> Iterator[str]:
    if named:
        if not answers(named):
            raise Absent(f"nobody answers at {urlsplit(named).hostname}:{urlsplit(named).port}")
        yield named
    elif answers(local):
        yield local
    else:
        yield from _started(private, contained, answers)


def _started(
    private: Callable[[], PrivateServer],
    contained: Callable[[], Iterator[str]],
    answers: Callable[[str], bool],
) -> Iterator[str]:
    try:
        server = private()
    except Absent:
        for url in contained():
            give_up = time.monotonic() + _CONTAINER_PATIENCE
            while not answers(url):
                if time.monotonic() > give_up:
                    raise Absent("the container does not come up") from None
                time.sleep(0.2)
            yield url
        return
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


def _contained_postgres() -> Iterator[str]:
    environment = {"POSTGRES_HOST_AUTH_METHOD": "trust"}
    for place in _contained("postgres:16-alpine", 5432, environment):
        yield f"postgresql://postgres@{place}/postgres"


def _contained_broker() -> Iterator[str]:
    for place in _contained("rabbitmq:3.13-alpine", 5672, {}):
        yield f"amqp://guest:guest@{place}//"


def _contained(image: str, port: int, environment: Mapping[str, str]) -> Iterator[str]:
    from docker.errors import (  # type: ignore[import-untyped]  # noqa: PLC0415 - rarely needed
        DockerException,
    )
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    try:
        container = DockerContainer(image).with_exposed_ports(port)
        for name, value in environment.items():
            container = container.with_env(name, value)
        container.start()
    except DockerException as error:
        raise Absent(f"neither installed nor in a container: {error}") from error
    try:
        yield f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
    finally:
        container.stop()
