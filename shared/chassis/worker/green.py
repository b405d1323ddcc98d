"""Green threads: the standard library patched before anything else is imported."""

import os
import warnings

__all__ = ["patch"]


def patch() -> None:
    """Make this process cooperative, as nameko needs it; to be called first of all.

    psycopg waits in C and would stop every green thread with it; its Python wait function yields
    once `select` is patched.
    """
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its retirement is known, see the decision on nameko
        import eventlet  # noqa: PLC0415 - importing the worker must not start eventlet elsewhere
    eventlet.monkey_patch()
