"""Questions to a database that is slow, busy or gone are answered soon, and say what is wrong."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.database import Database
from shared.chassis.service import OpenService, open_service
from tests.api.conftest import SECRET
from tests.api.toy import SERVICE
from tests.gateway.conftest import serving
from tests.servers.private import PrivatePostgres

pytestmark = pytest.mark.servers

Ask = Callable[[], tuple[int, str]]


@contextmanager
def library(
    url: str, proto: Path, within: float | None = None
) -> Iterator[tuple[OpenService, Ask]]:
    """Serve the toy service on PostgreSQL; give it, and what asks it and tells status and rule."""
    with ExitStack() as ends:
        opened = open_service(SERVICE, database=Database.postgres(url, pool=1, within=within))
        ends.callback(opened.close)
        server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
        server.start()
        ends.callback(server.stop, 0)
        address = ends.enter_context(serving(create_app({"toy": server.address}, proto=proto)))
        client = ends.enter_context(httpx.Client(base_url=address, timeout=60))

        def ask() -> tuple[int, str]:
            answer = client.get("/v1/books")
            return answer.status_code, answer.json().get("rule", "")

        yield opened, ask


def test_a_question_ends_soon_after_whoever_asked_has_gone(
    postgres_database: str, proto: Path
) -> None:
    with library(postgres_database, proto, within=0.2) as (_, ask):
        with psycopg.connect(postgres_database) as other:
            other.execute("LOCK TABLE toy_books IN ACCESS EXCLUSIVE MODE")
            assert ask() == (504, "TookTooLong")
        assert ask() == (200, "")
    with closing(Database.postgres(postgres_database)) as workers, workers.read() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").one() == ("0",)


def test_a_question_that_finds_all_connections_in_use_may_be_asked_again(
    postgres_database: str, proto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.database._PATIENCE", 1)
    with library(postgres_database, proto) as (opened, ask):
        with opened.views_database.read(), opened.views_database.read():
            assert ask() == (503, "Unavailable")
        assert ask() == (200, "")


def test_questions_are_answered_again_once_the_database_is_back(
    private_postgres: PrivatePostgres, proto: Path
) -> None:
    with library(private_postgres.url, proto) as (_, ask):
        assert ask() == (200, "")
        private_postgres.kill()
        assert ask() == (503, "Unavailable")
        private_postgres.start()
        assert ask() == (200, "")
