"""A page of a list is read off an index, however many rows there are."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from annals.installation import service_values
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.database import Database
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import ListQuery
from tests.servers.found import Servers, fresh_database

pytestmark = pytest.mark.servers

GROWING = {
    "accounts": ["ListAccounts", "ListContacts"],
    "billing": ["ListContracts", "ListInvoices", "ListPayments", "ListPostings"],
    "leads": ["ListLeads"],
    "pipeline": ["ListOpportunities", "ListQuotes"],
    "support": ["ListTickets"],
}
"""The lists that grow with a company's business."""
SERVICES = {service.name: service for service in service_values()}


@pytest.fixture(scope="module", params=GROWING)
def opened(request: pytest.FixtureRequest, servers: Servers) -> Iterator[OpenService]:
    with fresh_database(servers.postgres) as url:
        opened = open_service(SERVICES[request.param], database=Database.postgres(url, pool=2))
        yield opened
        opened.close()


def plan(opened: OpenService, name: str, **fields: Any) -> str:
    """Return how PostgreSQL would answer a list if its table were too large to be read whole."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "LIMIT" in statement:
            asked.append((statement, values))

    question = opened.service.asked[name]
    engine = opened.views_database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        opened.ask(question, question.query(**fields), DEVELOPMENT_ADMINISTRATOR)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        statement, values = asked[-1]
        rows = connection.execute(f"EXPLAIN {statement}", values).fetchall()
    return "\n".join(line for (line,) in rows)


def test_a_page_is_read_off_an_index(opened: OpenService) -> None:
    for name in GROWING[opened.name]:
        assert issubclass(opened.service.asked[name].query, ListQuery)
        how = plan(opened, name)
        assert "Sort" not in how, (name, how)
        assert "Index Scan" in how, (name, how)
