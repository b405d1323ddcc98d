"""The rejects file: every row that was not taken in, with its place and the reasons."""

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, Self

from annals.imports.mapping import FileFormat
from annals.imports.tables import TableRow

__all__ = ["Rejects"]


class Rejects:
    """Writes rejected rows in the format of the imported file, so that they can be imported again.

    A file of an earlier run is replaced; without rejects there is none.

    Args:
        path: where to write.
        columns: the table's columns.
        format: the imported file's format.
    """

    def __init__(self, path: Path, columns: Sequence[str], format: FileFormat) -> None:
        self._path = path
        self._columns = columns
        self._format = format
        self._stack = ExitStack()
        self._writer: Any = None
        self.count = 0

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, row: TableRow, reasons: Sequence[str]) -> None:
        """Add a row."""
        if self._writer is None:
            text = self._path.open(
                "w", encoding=self._format.encoding, errors="surrogateescape", newline=""
            )
            self._writer = csv.writer(
                self._stack.enter_context(text),
                delimiter=self._format.delimiter,
                quotechar=self._format.quote,
            )
            self._writer.writerow(["row", "reasons", *self._columns])
        cells = [cell.isoformat() if isinstance(cell, date) else cell for cell in row.cells]
        self._writer.writerow([row.number, "; ".join(reasons), *cells])
        self.count += 1
