"""An office with real services in memory, into which tests import small tables."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from annals.imports.mapping import load_mapping
from annals.imports.session import Report, import_table
from services.accounts.service import SERVICE as ACCOUNTS
from services.billing.service import SERVICE as BILLING
from services.leads.service import SERVICE as LEADS
from services.pipeline.service import SERVICE as PIPELINE
from services.support.service import SERVICE as SUPPORT
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Actor
from shared.events.base import Recorded

CLERK = Actor(id="clerk", name="Clerk")

LEADS_MAPPING = """
kind: leads
source: fair
external_id: id
occurred_at: met
phone_country: CN
fields:
  name: name
  phones: phone
  emails: mail
  channel: {constant: event}
"""


@dataclass
class Outcome:
    """A report with the rejects file, if one was written."""

    report: Report
    rejects: list[dict[str, str]]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Added, known already, rejected."""
        tally = self.report.tally
        return tally.added, tally.known, tally.rejected

    @property
    def reasons(self) -> list[str]:
        return [row["reasons"] for row in self.rejects]


class Office:
    """The services, and a folder for files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: Sequence[OpenService] = [
            open_service(service) for service in (ACCOUNTS, BILLING, LEADS, PIPELINE, SUPPORT)
        ]

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def take_in(
        self, kind: str, table: str | bytes | Path, mapping: str | Path = LEADS_MAPPING
    ) -> Outcome:
        """Import a table, given as text, bytes or a file, by a mapping given as text or a file."""
        file = table if isinstance(table, Path) else self.write(f"{kind}.csv", table)
        how = mapping if isinstance(mapping, Path) else self.write("mapping.yaml", mapping)
        rejects = self.folder / "rejects.csv"
        report = import_table(
            kind,
            file,
            load_mapping(how),
            self.services,
            actor=CLERK,
            zone=ZoneInfo("Asia/Shanghai"),
            rejects=rejects,
        )
        rows: list[dict[str, str]] = []
        if rejects.exists():
            with rejects.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                rows = list(csv.DictReader(text))
        return Outcome(report, rows)

    def facts(self, context: str, event: str = "") -> list[Recorded[Any]]:
        """Return a context's facts, or those of one class."""
        log = next(service.log for service in self.services if service.name == context)
        facts = log.read(0, 1_000_000)
        return [fact for fact in facts if not event or type(fact.event).__name__ == event]

    def close(self) -> None:
        for service in self.services:
            service.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path)
    yield opened
    opened.close()
