"""Carries an import out: records in batches, each accepted, known already, or rejected."""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import orjson

from annals.imports.cells import Unreadable
from annals.imports.kinds import command_id
from annals.imports.recipes import Identity, Recipe
from annals.imports.rejects import Rejects
from annals.imports.tables import TableRow
from annals.imports.values import Rows, Value
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor, Command, Envelope, Invalid, NotFound, Refused

__all__ = ["Importer", "Record", "Tally", "grouped", "single"]

_BATCH = 500
_LATER = 10_000
"""Records kept to be tried again when something they refer to was not there yet."""
_TOLERANCE = timedelta(minutes=5)
"""How far another system's clock may be ahead."""


class Record(NamedTuple):
    """The rows that make one record, in order."""

    rows: Sequence[TableRow]
    problem: str | None = None

    @property
    def cells(self) -> Rows:
        """What stands in the rows."""
        return [row.cells for row in self.rows]


@dataclass
class Tally:
    """What came of an import."""

    records: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """How many records were rejected for what: a field's name or a broken rule's."""


class _Named(NamedTuple):
    record: Record
    rows: Rows
    identities: Sequence[Identity | None]
    """One per recipe; None where the record makes nothing of it."""
    this: Identity
    """The last one: of what is imported."""


class _Candidate(NamedTuple):
    record: Record
    commands: Sequence[Command | None]
    """One per recipe; None where the record makes nothing of it."""


class Importer:
    """Makes commands of records and has them carried out.

    Args:
        recipes: what a record makes, in order; the last one is what is imported.
        services: the open services by name.
        actor: who imports.
        import_id: names this import on every fact.
        rejects: where rejected rows go.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        services: Mapping[str, OpenService],
        actor: Actor,
        import_id: str,
        rejects: Rejects,
    ) -> None:
        self.tally = Tally()
        self._recipes = recipes
        self._services = [services[recipe.kind.context] for recipe in recipes]
        self._actor = actor
        self._import_id = import_id
        self._rejects = rejects
        self._seen = _Seen()
        self._later: deque[tuple[Record, Sequence[str]]] = deque()

    def run(self, records: Iterable[Record], advanced: Callable[[int], None]) -> Tally:
        """Import the records; what refers to something unknown is tried again after the rest.

        Args:
            records: in the order of the file.
            advanced: told after each batch how many records were looked at.
        """
        records = iter(records)
        while batch := list(islice(records, _BATCH)):
            self.tally.records += len(batch)
            self._batch(batch, again=False)
            advanced(self.tally.records)
        while self._later:
            waiting = [record for record, _ in self._later]
            self._later.clear()
            for start in range(0, len(waiting), _BATCH):
                self._batch(waiting[start : start + _BATCH], again=True)
            if len(self._later) == len(waiting):
                for record, reasons in self._later:
                    self._reject(record, reasons)
                break
        return self.tally

    def _batch(self, records: Sequence[Record], *, again: bool) -> None:
        """Import some records; what is known is looked up in the transaction that adds the rest."""
        with self._services[-1].log.transaction():
            self._import(records, again=again)

    def _import(self, records: Sequence[Record], *, again: bool) -> None:
        now = self._services[-1].clock.now()
        named = [n for record in records if (n := self._named(record))]
        if not again:
            named = self._first_of_their_name(named)
        known = self._services[-1].log.answers([command_id(n.this.record_id) for n in named])
        self.tally.known += len(known)
        made = [self._commands(n, now) for n in named if command_id(n.this.record_id) not in known]
        candidates = [candidate for candidate in made if candidate is not None]
        for place, service in enumerate(self._services):
            application = service.application
            if application is None:
                raise LookupError(f"{service.name} takes no commands")
            asked = [(c, command) for c in candidates if (command := c.commands[place])]
            answers = application.bulk([command for _, command in asked])
            refused: set[int] = set()
            for (candidate, _), answer in zip(asked, answers, strict=True):
                if isinstance(answer, Refused):
                    refused.add(id(candidate))
                    self._turn_down(
                        candidate.record, _reasons(answer), missing=isinstance(answer, NotFound)
                    )
            if refused:
                candidates = [c for c in candidates if id(c) not in refused]
        self.tally.added += len(candidates)

    def _named(self, record: Record) -> _Named | None:
        """Say what a record is about; None when that cannot be read."""
        if record.problem is not None:
            self._reject(record, [record.problem])
            return None
        rows = record.cells
        try:
            identities = [recipe.identify(rows) for recipe in self._recipes]
        except Unreadable as problem:
            self._reject(record, [f"external_id: {problem}"])
            return None
        if (this := identities[-1]) is None:
            self._reject(record, ["external_id: says nothing"])
            return None
        return _Named(record, rows, identities, this)

    def _first_of_their_name(self, named: Sequence[_Named]) -> list[_Named]:
        """Reject records whose external id an earlier row of the file has."""
        rows = [(hash(one.this), one.record.rows[0].number) for one in named]
        first = self._seen.first(rows)
        fresh = []
        for one, (name, row) in zip(named, rows, strict=True):
            if first[name] == row:
                fresh.append(one)
            else:
                reason = f"{one.this.external_id!r} is that of row {first[name]} too"
                self._reject(one.record, [f"external_id: {reason}"])
        return fresh

    def _commands(self, named: _Named, now: datetime) -> _Candidate | None:
        """Make a record's commands; None when they cannot be read."""
        commands: list[Command | None] = []
        problems: list[str] = []
        missing = True
        for recipe, identity in zip(self._recipes, named.identities, strict=True):
            if identity is None:
                commands.append(None)
                continue
            made = recipe.make(named.rows, identity, now)
            if made.command is None or made.occurred_at is None:
                problems += made.problems
                missing = missing and made.missing
            elif made.occurred_at > now + _TOLERANCE:
                problems.append(f"occurred_at: {made.occurred_at} lies in the future")
                missing = False
            else:
                envelope = Envelope(
                    command_id=command_id(identity.record_id),
                    actor=self._actor,
                    occurred_at=made.occurred_at,
                    recorded_at=now,
                    correlation_id=self._import_id,
                    import_id=self._import_id,
                )
                commands.append(made.command.issued(envelope))
        if problems:
            self._turn_down(named.record, problems, missing=missing)
            return None
        return _Candidate(named.record, commands)

    def _turn_down(self, record: Record, reasons: Sequence[str], *, missing: bool) -> None:
        if missing and len(self._later) < _LATER:
            self._later.append((record, reasons))
        else:
            self._reject(record, reasons)

    def _reject(self, record: Record, reasons: Sequence[str]) -> None:
        self.tally.rejected += 1
        self.tally.reasons.update({reason.partition(":")[0] for reason in reasons})
        for row in record.rows:
            self._rejects.write(row, reasons)


class _Seen:
    """Which row named a record first; kept in a temporary file, for tables may be long."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("CREATE TABLE seen (name INTEGER PRIMARY KEY, row INTEGER NOT NULL)")

    def first(self, rows: Sequence[tuple[int, int]]) -> dict[int, int]:
        """Note (name, row) in order; return the first row of each name, in these or before."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", rows)
        self._file.execute("COMMIT")
        names = orjson.dumps([name for name, _ in rows]).decode()
        query = "SELECT name, row FROM seen WHERE name IN (SELECT value FROM json_each(?))"
        return dict(self._file.execute(query, (names,)).fetchall())


def _reasons(refusal: Refused) -> list[str]:
    if isinstance(refusal, Invalid):
        return [f"{violation.field}: {violation.description}" for violation in refusal.violations]
    return [f"{refusal.rule}: {refusal.message}"]


def single(rows: Iterable[TableRow]) -> Iterator[Record]:
    """Make a record of every row."""
    for row in rows:
        yield Record((row,), row.problem)


def grouped(
    rows: Iterable[TableRow], places: Sequence[int], width: int, order: Value | None
) -> list[Record]:
    """Make a record of all rows that are equal at these places, wherever they stand in the file.

    A row whose cells cannot be told apart is a record of its own; one that is damaged otherwise
    takes the whole record with it, which would not be complete without.

    Args:
        rows: all rows of the table; they are kept in memory.
        places: where the cells stand that name the record.
        width: how many cells a whole row has.
        order: what to sort a record's rows by.
    """
    records: list[Record] = []
    groups: dict[tuple[object, ...], list[TableRow]] = {}
    kept: dict[object, object] = {}
    for row in rows:
        if len(row.cells) != width:
            records.append(Record((row,), row.problem))
            continue
        cells = [kept.setdefault(cell, cell) for cell in row.cells]
        key = tuple(cells[place] for place in places)
        groups.setdefault(key, []).append(row._replace(cells=cells))  # type: ignore[arg-type]
    for members in groups.values():
        problems = [f"row {row.number} {row.problem}" for row in members if row.problem]
        if order is not None and not problems:
            try:
                members.sort(key=lambda row: order((row.cells,)))
            except Unreadable as problem:
                problems = [f"order_by: {problem}"]
            except TypeError:
                problems = ["order_by: says nothing in one of the rows"]
        records.append(Record(members, "; ".join(problems) or None))
    return records
