"""Whatever a table holds, every row is added, known or rejected, and nothing else happens."""

import csv
import io
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.imports.conftest import Office

MAPPING = """
kind: leads
source: anywhere
external_id: id
occurred_at: {first: [met, {constant: "2024-01-01"}]}
phone_country: CN
nulls: ["?"]
fields:
  name: name
  phones: {column: phone, split: ";"}
  emails: mail
  channel: {column: channel, default: none}
  budget.amount: budget
  budget.currency: {constant: CNY}
  win_probability: chance
  expected_purchase_on: {column: met, as: date}
  custom: {columns: [name, note]}
  raw: {columns: all}
"""
COLUMNS = ("id", "met", "name", "phone", "mail", "channel", "budget", "chance", "note")

CELL = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(exclude_categories=()), max_size=6),
    st.sampled_from(
        ["", "?", "1", "-1", "1e9", "1e999", "NaN", "2024-02-29", "2023-02-29", "0001-01-01",
         "9999-12-31", "13800138000", "+86 138 0013 8000;x", "a@example.org.cn", '"', "a,b", "\0",
         "x" * 300, "9" * 400]
    ),
)  # fmt: skip
ROWS = st.lists(st.lists(CELL, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=6)
NUMBER = count()


@pytest.fixture(scope="module")
def long_open(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("any"))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_every_row_is_accounted_for(long_open: Office, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([str(next(NUMBER)), *cells[1:]] for cells in rows)
    before = len(long_open.facts("leads", "LeadCaptured"))
    table = text.getvalue().encode("utf-8", "surrogatepass")
    outcome = long_open.take_in("leads", table, MAPPING)
    added, known, rejected = outcome.counts
    assert (added + rejected, known) == (outcome.report.tally.records, 0)
    assert len(long_open.facts("leads", "LeadCaptured")) == before + added
    assert len(outcome.rejects) == rejected
    assert all(row["reasons"] for row in outcome.rejects)
    if not any(mark in cell for cells in rows for cell in cells for mark in '"\r\n'):
        assert outcome.report.rows == len(rows)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_bytes_below_a_header_are_read_to_the_end(office: Office, content: bytes) -> None:
    outcome = office.take_in("leads", ",".join(COLUMNS).encode() + b"\n" + content, MAPPING)
    tally = outcome.report.tally
    assert tally.added + tally.known + tally.rejected == tally.records == outcome.report.rows
