"""Reading a database for one question."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Self

from sqlalchemy import Connection, Select

from shared.chassis.database import Database

__all__ = ["Reading"]


class Reading:
    """What one question reads: statements that stand alone, or one snapshot.

    The snapshot begins when it is first asked for; what is read from then on is read in it.

    Args:
        database: which.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot: Connection | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()

    @property
    def snapshot(self) -> Connection:
        """A connection that sees the same moment from the first statement to the last."""
        if self._snapshot is None:
            self._snapshot = self._open.enter_context(self._database.read())
        return self._snapshot

    def single(self) -> AbstractContextManager[Connection]:
        """Open a connection for one statement: the snapshot, if there is one."""
        return nullcontext(self._snapshot) if self._snapshot else self._database.single()

    def kept(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run one statement; see `Database.kept`."""
        if self._snapshot is not None:
            return self._snapshot.execute(statement, values).all()
        return self._database.kept(statement, values)
