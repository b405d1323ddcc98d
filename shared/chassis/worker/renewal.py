"""Read models of a new version made anew, while the rows of the version before serve.

A release whose read model has a higher version leaves its rows alone until they are made anew; one
process of it sees to that. From the moment the new rows take their place, a worker of the release
before leaves them alone in its turn.
"""

import subprocess
from collections.abc import Sequence

import eventlet
import structlog

from shared.chassis.messaging.failures import OUTAGE, WAITING, describe
from shared.chassis.messaging.subscription import Subscription

__all__ = ["renew"]

log = structlog.get_logger(__name__)

_ROUND = 1.0
_AGAIN = 30.0
"""Seconds until what failed is tried again."""


def renew(service: str, views: Subscription, rebuild: Sequence[str]) -> None:
    """Have outdated read models made anew, by one process of all; return when none is left.

    Args:
        service: whose they are.
        views: its read models.
        rebuild: the command `annals rebuild`.
    """
    lock = views.database.lock(f"{service}.renewal")
    found = False
    try:
        while True:
            try:
                if not (outdated := views.outdated()):
                    if found:  # what was recorded while nobody folded it
                        views.catch_up()
                    return
                found = True
                pause = _ROUND
                if lock.take():
                    pause = 0.0 if _made([*rebuild, "--service", service, *outdated]) else _AGAIN
            except (*OUTAGE, *WAITING) as error:
                log.warning("renewal waits", subscription=views.name, error=describe(error))
                pause = _AGAIN
            eventlet.sleep(pause)
    finally:
        lock.release()


def _made(command: Sequence[str]) -> bool:
    """Have read models made anew; return whether they were."""
    log.info("read models are made anew")
    code = _ended(command)
    if code != 0:
        log.error("read models could not be made anew", status=code)
    return code == 0


def _ended(command: Sequence[str]) -> int:
    """Run a command, let others run meanwhile, and return its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - this program's own
        try:
            while (code := process.poll()) is None:
                eventlet.sleep(_ROUND / 4)
        finally:
            process.terminate()
    return code
