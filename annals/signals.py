"""Being told to stop: a first signal asks for an orderly end, a second ends the process at once."""

import os
import signal
from types import FrameType

__all__ = ["Told"]

_STOPS = (signal.SIGTERM, signal.SIGINT)


class Told:
    """Takes SIGTERM and SIGINT from its creation on, which the main thread does.

    Nothing that was acknowledged depends on an orderly end, so the second signal need not wait.
    """

    def __init__(self) -> None:
        self._woken, self._wake = os.pipe()
        self._stopping = False
        for number in _STOPS:
            signal.signal(number, self._take)

    def wait(self) -> None:
        """Wait for the first signal."""
        os.read(self._woken, 1)

    def unless_told(self) -> str | None:
        """Return why this process is not ready for more work, None when it is."""
        return "stopping" if self._stopping else None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            os._exit(128 + number)
        self._stopping = True
        os.write(self._wake, b"!")
