"""Clocks: the system's, and the one a simulated history turns."""

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

__all__ = ["Clock", "FileClock", "SystemClock"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIZE = 8


class Clock(Protocol):
    """Whatever tells the present moment."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


class FileClock:
    """The embedded installation's clock: the machine's, unless a simulated history is being played.

    The present stands in an eight-byte file (microseconds since 1970, big-endian; zero means the
    machine's clock), so that every process of the installation reads the same moment.

    Args:
        path: the file; created with zero when absent.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size < _SIZE:
            os.pwrite(self._file, bytes(_SIZE), 0)

    def now(self) -> datetime:
        """Return the simulated present, or the machine's when none is set."""
        (micros,) = struct.unpack(">q", os.pread(self._file, _SIZE, 0))
        return _EPOCH + timedelta(microseconds=micros) if micros else datetime.now(UTC)

    @property
    def simulated(self) -> bool:
        """Whether a simulated present is set."""
        return os.pread(self._file, _SIZE, 0) != bytes(_SIZE)

    def set(self, moment: datetime | None, *, durable: bool = True) -> None:
        """Turn every process of the installation to `moment`, or back to the machine's clock.

        Args:
            moment: the simulated present; None for the machine's clock.
            durable: survive a power cut; a clock that is turned all the time need not.
        """
        micros = 0 if moment is None else (moment - _EPOCH) // _MICROSECOND
        os.pwrite(self._file, struct.pack(">q", micros), 0)
        if durable:
            os.fsync(self._file)
