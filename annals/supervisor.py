"""Supervising child processes: started, watched, started again, and stopped together."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

__all__ = ["Child", "Supervisor"]

log = structlog.get_logger(__name__)

_CHECK = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_STEADY = 30.0
_ATTEMPTS = 5


@dataclass
class Child:
    """A process to keep running.

    Args:
        name: for the log.
        command: what to start; the id of the supervising process and the number of an open file
            descriptor are appended. The child writes to the descriptor once it is ready.
    """

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    failures: int = 0
    """Ends in a row before it was ready or steady."""
    start_at: float = 0.0
    """Moment of the next start while it does not run (monotonic seconds)."""
    started_at: float = 0.0
    _pipe: int = field(default=-1, repr=False)

    def start(self, environment: Mapping[str, str], inherited: Sequence[int]) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only the supervisor."""
        self._pipe, ready = os.pipe()
        os.set_blocking(self._pipe, False)
        self.process = subprocess.Popen(  # noqa: S603 - the command is this program's own
            [*self.command, str(os.getpid()), str(ready)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            pass_fds=[ready, *inherited],
            start_new_session=True,
        )
        os.close(ready)
        self.ready, self.started_at = False, time.monotonic()

    def hears_ready(self) -> bool:
        """Whether it has just become ready."""
        if self.ready or self.process is None:
            return False
        try:
            self.ready = os.read(self._pipe, 16) != b""
        except BlockingIOError:
            return False
        return self.ready

    def has_ended(self) -> int | None:
        """Return the exit status of a process that has just ended, and plan the next start."""
        status = None if self.process is None else self.process.poll()
        if status is None:
            return None
        self.process = None
        os.close(self._pipe)
        steady = self.ready and time.monotonic() - self.started_at > _STEADY
        self.failures = 0 if steady else self.failures + 1
        pause = min(_FIRST_PAUSE * 2 ** max(0, self.failures - 1), _LONGEST_PAUSE)
        self.start_at = time.monotonic() + pause
        return status


class Supervisor:
    """Keeps children running until it is told to stop.

    Args:
        children: the processes.
        environment: theirs.
        inherited: open file descriptors they keep.
        on_ready: called when all of them are ready for the first time.
        grace: seconds they get to stop by themselves.
    """

    def __init__(
        self,
        children: Sequence[Child],
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
        on_ready: Callable[[], None] = lambda: None,
        grace: float = 8.0,
    ) -> None:
        self.children = children
        self._environment = environment
        self._inherited = inherited
        self._on_ready = on_ready
        self._grace = grace
        self._stopping = False

    def run(self) -> bool:
        """Run until SIGINT or SIGTERM, or until a child will not start.

        Returns:
            Whether it was stopped by a signal.
        """
        before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        announced = False
        try:
            while not self._stopping:
                for child in self.children:
                    self._look_after(child)
                    if not child.ready and child.failures >= _ATTEMPTS:
                        log.error("process does not start", process=child.name)
                        return False
                if not announced and all(child.ready for child in self.children):
                    announced = True
                    self._on_ready()
                time.sleep(_CHECK)
            return True
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: object) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self._stopping = True

    def _look_after(self, child: Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.start_at:
                child.start(self._environment, self._inherited)
            return
        if child.hears_ready():
            seconds = round(time.monotonic() - child.started_at, 2)
            log.info("process ready", process=child.name, seconds=seconds)
        pid = child.process.pid
        if (status := child.has_ended()) is not None:
            log.warning(
                "process ended, starting it again", process=child.name, pid=pid, code=status
            )
            child.ready = False

    def _end(self) -> None:
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        give_up = time.monotonic() + self._grace
        for process in running:
            try:
                process.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process does not stop, killing it", pid=process.pid)
                process.kill()
                process.wait()
