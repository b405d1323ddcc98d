"""One import from file to report."""

import hashlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from pathlib import Path

from annals.imports.compiler import LookupTable, compile_mapping
from annals.imports.importer import Importer, Tally, grouped, single
from annals.imports.kinds import FINAL, Kind, command_id, record_id
from annals.imports.mapping import FileFormat, MappingError, closest
from annals.imports.mapping import Mapping as MappingFile
from annals.imports.rejects import Rejects
from annals.imports.tables import Cell, Table, TableRow, UnreadableFile, open_table
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings
from shared.chassis.shapes import Actor

__all__ = ["Report", "import_table", "rehearsal"]

Watch = Callable[[str, int, int], None]
"""Told what is going on, how much of it is done, and how much there is."""

_REMEMBERED = 65_536
"""Ids of records referred to that are kept in memory."""
_TELL = 1000
"""Rows between two tellings of progress."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of an import."""

    import_id: str
    rows: int
    rejected_rows: int
    tally: Tally
    seconds: float


def import_table(
    kind: str,
    file: Path,
    mapping: MappingFile,
    services: Sequence[OpenService],
    *,
    actor: Actor,
    zone: tzinfo,
    rejects: Path,
    watch: Watch = lambda _what, _done, _size: None,
) -> Report:
    """Import a file.

    Args:
        kind: what its rows are, see `KINDS`.
        file: CSV, a zip archive with one, or XLSX.
        mapping: how columns become fields.
        services: the open services.
        actor: who imports.
        zone: of moments without one, where the mapping names none.
        rejects: where rejected rows are written.
        watch: told of progress.

    Raises:
        MappingError: the mapping fits neither the kind nor the file.
        UnreadableFile: a file as a whole cannot be read.
    """
    _check_kind(kind, mapping)
    if rejects.exists() and file.exists() and rejects.samefile(file):
        raise UnreadableFile(f"{rejects}: is the imported file; name another one for rejects")
    began = time.perf_counter()
    by_name = {service.name: service for service in services}

    @lru_cache(_REMEMBERED)
    def find(kind: Kind, id: str) -> str:
        log = by_name[kind.context].log
        if (answered := log.answer(command_id(id))) is not None:
            return answered.stream_id
        if log.version(id) == 0:
            raise LookupError(id)
        return id

    lookups = {
        name: _lookup(f"lookups.{name}", file.parent / lookup.file, lookup.key, lookup.format)
        for name, lookup in mapping.lookups.items()
    }
    import_id = record_id(kind, mapping.source, _content(file))
    with open_table(file, mapping.file) as table:
        recipes, order = compile_mapping(
            mapping, table.columns, lookups=lookups, zone=zone, find=find
        )
        with Rejects(rejects, table.columns, mapping.file) as rejected:
            importer = Importer(recipes, by_name, actor, import_id, rejected)
            if mapping.group_by is None:
                rows = _Counted(table, watch, "importing")
                tally = importer.run(single(rows), lambda _records: None)
            else:
                rows = _Counted(table, watch, "reading")
                places = [table.columns.index(name) for name in mapping.group_by]
                records = grouped(rows, places, len(table.columns), order)
                tally = importer.run(records, lambda done: watch("importing", done, len(records)))
    return Report(
        import_id=import_id,
        rows=rows.count,
        rejected_rows=rejected.count,
        tally=tally,
        seconds=time.perf_counter() - began,
    )


@contextmanager
def rehearsal(settings: Settings) -> Iterator[Settings]:
    """Give the settings of a throwaway copy of the installation.

    Args:
        settings: the installation's.
    """
    with tempfile.TemporaryDirectory(prefix="annals-rehearsal-") as folder:
        copy = Path(folder)
        for path in settings.data.glob("*.db"):
            with (
                closing(sqlite3.connect(path)) as source,
                closing(sqlite3.connect(copy / path.name)) as target,
            ):
                source.backup(target)
        for path in (settings.data / "clock", settings.data / "secrets"):
            if path.is_dir():
                shutil.copytree(path, copy / path.name)
            elif path.exists():
                shutil.copy(path, copy)
        yield settings.model_copy(update={"data": copy, "sqlite_synchronous": "normal"})


class _Counted:
    """A table's rows, counted as they go by."""

    def __init__(self, table: Table, watch: Watch, what: str) -> None:
        self.count = 0
        self._table = table
        self._watch = watch
        self._what = what

    def __iter__(self) -> Iterator[TableRow]:
        for row in self._table.rows():
            self.count += 1
            if self.count % _TELL == 0:
                self._watch(self._what, self._table.done, self._table.size)
            yield row


def _check_kind(kind: str, mapping: MappingFile) -> None:
    if kind not in FINAL:
        hint = closest(kind, FINAL)
        raise MappingError([f"kind: there is no {kind!r}{hint}; there are {', '.join(FINAL)}"])
    if mapping.kind != kind:
        raise MappingError([f"kind: the mapping is for {mapping.kind}, not for {kind}"])


def _content(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{file}: {error.strerror}") from None


def _lookup(name: str, file: Path, key: str, format: FileFormat) -> LookupTable:
    with open_table(file, format) as table:
        columns = {column: place for place, column in enumerate(table.columns)}
        if key not in columns:
            raise MappingError([f"{name}.key: {file} has no column {key!r}{closest(key, columns)}"])
        place = columns[key]
        rows: dict[Cell | None, Sequence[Cell]] = {}
        for row in table.rows():
            if row.problem is not None:
                raise UnreadableFile(f"{file}: row {row.number} {row.problem}")
            rows.setdefault(row.cells[place], row.cells)
        return LookupTable(columns, rows)
