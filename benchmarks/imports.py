"""`annals import leads`: a table of leads read, checked, compared with all others, and stored."""

import csv
import tempfile
import time
from datetime import UTC, timedelta
from pathlib import Path

from annals.imports.mapping import load_mapping
from annals.imports.session import import_table
from annals.installation import open_installation
from benchmarks.figures import Figure
from benchmarks.world import NOW
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.settings import Settings

__all__ = ["MAPPING", "measure", "write_table"]

_ROWS = 20_000
MAPPING = """
kind: leads
source: bench
time_zone: UTC
external_id: id
occurred_at: created
fields:
  name: name
  company: company
  phones: {list: [phone]}
  emails: {list: [email]}
  channel: channel
  region: region
  landing_page: page
"""


def measure() -> list[Figure]:
    """Import a table in which one row in fifty repeats the phone of an earlier one."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as name:
        folder = Path(name)
        table, mapping = folder / "leads.csv", folder / "leads.yaml"
        write_table(table, range(_ROWS))
        mapping.write_text(MAPPING)
        with open_installation(Settings(data=folder / "data")) as services:
            wall, cpu = time.perf_counter(), time.process_time()
            report = import_table(
                "leads",
                table,
                load_mapping(mapping),
                services,
                actor=DEVELOPMENT_ADMINISTRATOR,
                zone=UTC,
                rejects=folder / "rejects.csv",
            )
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if report.tally.added + report.tally.rejected != _ROWS or report.tally.rejected != _ROWS // 50:
        raise RuntimeError(f"the import came out as {report.tally}")
    return [
        Figure(
            name="import of leads",
            value=report.rows / cpu,
            unit="rows/s of CPU",
            benchmark="import",
            goal=3000,
        ),
        Figure(
            name="import of leads, by the clock",
            value=report.rows / wall,
            unit="rows/s",
            benchmark="import",
        ),
    ]


def write_table(table: Path, numbers: range) -> None:
    """Write leads of these numbers; one in fifty repeats the phone of the one before."""
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ("id", "created", "name", "company", "phone", "email", "channel", "region", "page")
        )
        for number in numbers:
            known = number - 1 if number % 50 == 49 else number
            at = NOW - timedelta(days=400) + timedelta(minutes=number)
            rows.writerow(
                (
                    f"row-{number}",
                    f"{at:%Y-%m-%d %H:%M:%S}",
                    f"王 {number}",
                    f"恒湾客户 {number} Instruments",
                    f"+8613{known:09}",
                    f"wang{number}@example.com",
                    ("paid_search", "organic_search", "event", "email")[number % 4],
                    ("华东", "华南", "华北")[number % 3],
                    f"page-{number % 7}",
                )
            )
