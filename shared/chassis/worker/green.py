"""Green threads: the standard library patched before anything else is imported."""

import os
import warnings
from typing import Any

__all__ = ["patch"]

_LOOK = 5.0
"""Seconds after which a connection that waits is looked at: it may have been closed meanwhile."""


def patch() -> None:
    """Make this process cooperative, as nameko needs it; to be called first of all.

    psycopg waits in C and would stop every green thread with it. Its Python wait function yields
    once `select` is patched, but takes a selector for each answer; ours waits in the hub itself.
    """
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its retirement is known, see the decision on nameko
        import eventlet  # noqa: PLC0415 - importing the worker must not start eventlet elsewhere
    eventlet.monkey_patch()
    from psycopg import waiting  # noqa: PLC0415

    waiting.wait = _in_hub(waiting)


def _in_hub(waiting: Any) -> Any:
    """Return psycopg's `wait`, for connections that green threads share a hub for."""
    import select  # noqa: PLC0415 - patched by now

    from eventlet.hubs import trampoline  # noqa: PLC0415
    from psycopg import OperationalError  # noqa: PLC0415

    class Quiet(Exception):
        """Nothing has come for a while."""

    def wait(answer: Any, fileno: int, interval: float = 0.0, timeout: float | None = None) -> Any:
        """Run the generator of an exchange, and let others run while it waits for the server."""
        if timeout is not None:
            return waiting.wait_selector(answer, fileno, interval, timeout)
        try:
            wanted = next(answer)
            while True:
                wanted = answer.send(ready(fileno, wanted))
        except StopIteration as end:
            return end.value

    def ready(fileno: int, wanted: Any) -> Any:
        """Wait until a connection is ready for what is wanted, or for a while."""
        if wanted != waiting.WAIT_R:  # there is more to send than the server takes at once
            reads, writes, _ = select.select([fileno], [fileno], [], _LOOK)
            return (waiting.READY_R if reads else 0) | (waiting.READY_W if writes else 0)
        try:
            trampoline(fileno, read=True, timeout=_LOOK, timeout_exc=Quiet)
        except Quiet:
            try:
                os.fstat(fileno)
            except OSError as error:
                raise OperationalError("the connection is closed") from error
            return waiting.READY_NONE
        return waiting.READY_R

    return wait
