"""Patience: trying again, ever more slowly, until told to stop."""

from collections.abc import Callable
from typing import Any

import eventlet
import structlog
from eventlet.event import Event

from shared.chassis.messaging.failures import OUTAGE, describe

__all__ = ["Patience"]

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0


class Patience:
    """Does work that may fail for a while.

    Args:
        name: of whoever works, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stopping = Event()
        self._pause = _FIRST_PAUSE

    def keep_at(self, work: Callable[[], Any]) -> None:
        """Do the work, again after it raised, until it returns or is told to stop."""
        while not self.stopped:
            try:
                work()
            except Exception as error:
                log.exception(
                    "delivery halted",
                    subscription=self._name,
                    error=describe(error),
                    exc_info=not isinstance(error, (*OUTAGE, OSError)),
                )
                self.rest(self.longer())
            else:
                return

    def content(self) -> None:
        """All went well: the next failure is a new one."""
        self._pause = _FIRST_PAUSE

    def longer(self) -> float:
        """Return the seconds to wait after a failure, more each time."""
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        return pause

    def rest(self, seconds: float) -> None:
        """Wait, but not longer than until told to stop."""
        with eventlet.Timeout(seconds, exception=False):
            self._stopping.wait()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return bool(self._stopping.ready())

    def stop(self) -> None:
        """Give up at the next pause."""
        if not self.stopped:
            self._stopping.send(None)
