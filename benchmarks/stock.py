"""What the `eventsourcing` library does out of the box on PostgreSQL, to be compared with."""

import time
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

__all__ = ["Rate", "environment", "projected"]

_PATIENCE = 300.0
_VERSIONS = 10


def environment(url: str) -> dict[str, str]:
    """Return the library's settings for a PostgreSQL database."""
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": parts.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": unquote(parts.username or "postgres"),
        "POSTGRES_PASSWORD": unquote(parts.password or "trust"),
    }


class Lead(Aggregate):
    """A lead with a name and a value."""

    @event("Captured")
    def __init__(self, name: str, company: str) -> None:
        self.name, self.company, self.value = name, company, Decimal(0)

    @event("Valued")
    def change_value(self, value: Decimal) -> None:
        """Note what the lead may be worth."""
        self.value = value


class Leads(Application[Any]):
    """Keeps leads."""


class LeadRows(PostgresTrackingRecorder):
    """A read model of leads as the library's documentation makes one: a row per lead."""

    def __init__(self, datastore: Any, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.check_identifier_length("lead_rows")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {}.lead_rows "
                "(lead_id uuid PRIMARY KEY, name text, company text, value numeric)"
            ).format(Identifier(self.datastore.schema))
        )
        self._insert = SQL(
            "INSERT INTO {}.lead_rows VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING"
        ).format(Identifier(self.datastore.schema))
        self._update = SQL("UPDATE {}.lead_rows SET value = %s WHERE lead_id = %s").format(
            Identifier(self.datastore.schema)
        )

    def capture(self, lead: Any, tracking: Tracking) -> None:
        """Add a row, with the tracked position."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                self._insert, (lead.originator_id, lead.name, lead.company), prepare=True
            )

    def value(self, lead: Any, tracking: Tracking) -> None:
        """Change a row, with the tracked position."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._update, (lead.value, lead.originator_id), prepare=True)


class LeadList(Projection[LeadRows]):
    """Projects leads to rows."""

    name = "lead_list"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Apply one event."""
        if type(domain_event).__name__ == "Captured":
            self.view.capture(domain_event, tracking)
        else:
            self.view.value(domain_event, tracking)


class Rate(NamedTuple):
    """Events applied per second: of the process's CPU time, and by the clock."""

    of_cpu: float
    by_clock: float


def projected(url: str, events: int) -> Rate:
    """Return how fast the library's projection runner applies what is stored already.

    Args:
        url: an empty PostgreSQL database.
        events: how many to store and project.
    """
    settings = environment(url)
    leads = Leads(settings)
    for number in range(events // _VERSIONS):
        lead = Lead(name=f"王 {number}", company=f"恒湾客户 {uuid4()}")
        for value in range(_VERSIONS - 1):
            lead.change_value(Decimal(value))
        leads.save(lead)
    tip = leads.recorder.max_notification_id()
    leads.close()
    began, cpu_before = time.perf_counter(), time.process_time()
    with ProjectionRunner(
        application_class=Leads, projection_class=LeadList, view_class=LeadRows, env=settings
    ) as runner:
        runner.wait(tip, timeout=_PATIENCE)
        cpu, seconds = time.process_time() - cpu_before, time.perf_counter() - began
    return Rate(events / cpu, events / seconds)
