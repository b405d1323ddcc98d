"""Tables in files: CSV, also zipped, and XLSX; every row that cannot be read is named."""

import csv
import io
import re
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from annals.imports.mapping import FileFormat, MappingError

__all__ = ["Cell", "Table", "TableRow", "UnreadableFile", "open_table"]

Cell = str | datetime | date
"""Text as it stands in the file; workbooks also have dates of their own."""

_ESCAPED = re.compile("[\udc80-\udcff]")
"""Bytes that are no text in the file's encoding, as `surrogateescape` keeps them."""


class UnreadableFile(Exception):
    """The file as a whole cannot be read as a table."""


class TableRow(NamedTuple):
    """One row with its place, and why it cannot be used if it cannot."""

    number: int
    """Line of the file on which it begins, or row of the sheet, from 1."""
    cells: Sequence[Cell]
    problem: str | None = None


class Table(Protocol):
    """An open table."""

    columns: list[str]
    size: int
    """How much there is to read, in bytes or rows."""

    @property
    def done(self) -> int:
        """How much of it is read."""
        ...

    def rows(self) -> Iterator[TableRow]:
        """Give the rows below the header; empty ones are left out."""
        ...


@contextmanager
def open_table(path: Path, format: FileFormat) -> Iterator[Table]:
    """Open the file and read its header.

    Raises:
        UnreadableFile: there is no such file, it is damaged, or has no header.
        MappingError: the format names a sheet or member that is not there.
    """
    try:
        with ExitStack() as stack:
            if path.suffix.lower() in {".xlsx", ".xlsm"}:
                yield _Sheet(path, format, stack)
            else:
                yield _Text(path, format, stack)
    except OSError as error:
        raise UnreadableFile(f"{error.filename or path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeError) as error:
        raise UnreadableFile(f"{path}: is damaged: {error}") from None


class _Lines:
    """The lines of a text, which can be given back."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self.number += 1
        self.taken.append(line)
        return line

    def keep_one(self) -> str:
        """Give back all lines taken but the first, and return that."""
        first, *rest = self.taken
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        return first.rstrip("\r\n")


class _Text:
    """A CSV file, or one within a zip archive."""

    def __init__(self, path: Path, format: FileFormat, stack: ExitStack) -> None:
        self._format = format
        self._bytes: Any
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            member = _member(path, archive, format)
            try:
                self._bytes = stack.enter_context(archive.open(member))
            except RuntimeError:
                raise UnreadableFile(f"{path}: is locked with a password") from None
            self.size = member.file_size
        else:
            self._bytes = stack.enter_context(path.open("rb"))
            self.size = path.stat().st_size
        text = io.TextIOWrapper(self._bytes, format.encoding, errors="surrogateescape", newline="")
        self._lines = _Lines(stack.enter_context(text))
        self._reader = self._begin()
        try:
            header = next(self._reader)
        except StopIteration:
            raise UnreadableFile(f"{path}: is empty") from None
        except csv.Error as error:
            raise UnreadableFile(f"{path}: the header cannot be read: {error}") from None
        if damage := _damage(self._lines.taken):
            raise UnreadableFile(f"{path}: the header {damage}")
        self.columns = _header(path, header)

    @property
    def done(self) -> int:
        return int(self._bytes.tell())

    def rows(self) -> Iterator[TableRow]:
        lines, width = self._lines, len(self.columns)
        while True:
            lines.taken.clear()
            number = lines.number + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(number, f"is no CSV: {error}")
                continue
            if len(cells) == width:
                yield TableRow(number, cells, _damage(lines.taken))
            elif cells:
                counted = f"has {len(cells)} cells where the header has {width}"
                if len(lines.taken) > 1:
                    yield self._broken(number, f"{counted}; a quote is missing")
                else:
                    yield TableRow(number, cells, counted)

    def _broken(self, number: int, problem: str) -> TableRow:
        """Set one line aside and read on behind it: a missing quote swallows what follows."""
        line = self._lines.keep_one()
        self._reader = self._begin()
        return TableRow(number, [line], problem)

    def _begin(self) -> Iterator[list[str]]:
        return csv.reader(
            self._lines,
            delimiter=self._format.delimiter,
            quotechar=self._format.quote,
            strict=True,
        )


class _Sheet:
    """A sheet of a workbook."""

    def __init__(self, path: Path, format: FileFormat, stack: ExitStack) -> None:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            with warnings.catch_warnings(action="ignore"):
                book = load_workbook(path, read_only=True, data_only=True)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
            raise UnreadableFile(f"{path}: is no workbook: {error}") from None
        stack.callback(book.close)
        if format.sheet is not None and format.sheet not in book.sheetnames:
            known = ", ".join(book.sheetnames)
            raise MappingError([f"file.sheet: there is no {format.sheet}; there are {known}"])
        sheet = book[format.sheet or book.sheetnames[0]]
        self.size = sheet.max_row or 0
        self.done = 1
        self._rows = sheet.iter_rows(values_only=True)
        header = [_cell(value) for value in next(self._rows, ())]
        while header and header[-1] == "":
            header.pop()
        self.columns = _header(path, [str(name) for name in header])

    def rows(self) -> Iterator[TableRow]:
        width = len(self.columns)
        for number, values in enumerate(self._rows, 2):
            self.done = number
            cells = [_cell(value) for value in values]
            while len(cells) > width and cells[-1] == "":
                cells.pop()
            cells += [""] * (width - len(cells))
            if len(cells) > width:
                problem = f"has {len(cells)} cells where the header has {width}"
                yield TableRow(number, cells, problem)
            elif any(cells):
                yield TableRow(number, cells)


def _member(path: Path, archive: zipfile.ZipFile, format: FileFormat) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if not info.is_dir()]
    if format.member is not None:
        found = [info for info in found if info.filename == format.member]
        if not found:
            raise MappingError([f"file.member: there is no {format.member} in {path}"])
    if len(found) != 1:
        names = ", ".join(info.filename for info in found) or "nothing"
        raise MappingError([f"file.member: say which file of {path} is meant; it holds {names}"])
    return found[0]


def _header(path: Path, names: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in names]
    if not any(columns):
        raise UnreadableFile(f"{path}: has no header")
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise UnreadableFile(f"{path}: the header names {', '.join(sorted(twice))} twice")
    return columns


def _damage(lines: Sequence[str]) -> str | None:
    for line in lines:
        if "\0" in line:
            return "holds a NUL character"
        if not line.isascii() and (found := _ESCAPED.search(line)):
            return f"holds a byte that is no text: 0x{ord(found[0]) - 0xDC00:02X}"
    return None


def _cell(value: Any) -> Cell:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime() | date() | str():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case time():
            return value.isoformat()
        case _:
            return str(value)
