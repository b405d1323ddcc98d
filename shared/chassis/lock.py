"""Locks between processes: what only one of all processes on a database does at a time."""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import psycopg

__all__ = ["KEEPALIVE", "WATCHED", "AdvisoryLock", "FileLock", "Lock"]

_PROBES = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds and tries after which a silent connection has ended."""
_UNANSWERED = 30_000
"""Milliseconds that something sent may stay unacknowledged; there are no probes meanwhile."""
KEEPALIVE: dict[str, Any] = {**_PROBES, "tcp_user_timeout": _UNANSWERED}
"""How a client connects that soon sees that its server's machine is gone."""
WATCHED = "; ".join(
    [
        *(f"SET tcp_{name} TO {n}" for name, n in _PROBES.items()),
        f"SET tcp_user_timeout TO {_UNANSWERED}",
    ]
)
"""What it then tells the server, which is to see the same of its client: what that one had locked
stays locked until it does."""
_PATIENCE = 10


class Lock:
    """Something only one process does at a time. This one is free for whoever asks."""

    def take(self) -> bool:
        """Take the lock if nobody has it, or make sure that it is still held; never wait for it.

        Returns:
            Whether it is held now. A holder asks again before each piece of work: once the
            connection that held it is lost, so is the lock, and another may have it.
        """
        return True

    def release(self) -> None:
        """Give it up, so that another can take it at once."""


class FileLock(Lock):
    """A lock of the operating system on a file; it ends with its holder's process.

    Args:
        path: the file, made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def take(self) -> bool:
        """See `Lock`."""
        if self._file is not None:
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """See `Lock`."""
        if self._file is not None:
            self._file.close()
            self._file = None


class AdvisoryLock(Lock):
    """A session-level advisory lock of PostgreSQL, on a connection of its own.

    The server gives it up when the connection ends, also when the holder's machine goes silent
    (after the keep-alive time), so a standby takes over without anybody's help.

    Args:
        url: `postgresql://…`.
        name: what is locked; one lock per name and database.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: psycopg.Connection[Any] | None = None
        self._held = False

    def take(self) -> bool:
        """See `Lock`; a server that cannot be reached gives no lock."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            if self._held:
                self._connection.execute("SELECT 1")
            else:
                (self._held,) = self._connection.execute(
                    "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (self._name,)
                ).fetchone() or (False,)
        except psycopg.OperationalError:
            self.release()
        return self._held

    def release(self) -> None:
        """Give it up and close the connection, which would do so too, but a moment later."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is None:
            return
        with suppress(psycopg.OperationalError):
            connection.execute("SELECT pg_advisory_unlock_all()")
        connection.close()

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            application_name=f"annals {self._name}",
            connect_timeout=_PATIENCE,
            **KEEPALIVE,
        )
        connection.execute(WATCHED, prepare=False)
        return connection
