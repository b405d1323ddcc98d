"""What a failure means for delivery: wait for better times, or park."""

import traceback
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError, InternalError

from shared.chassis import database, logs
from shared.chassis.eventstore import CorruptLog
from shared.chassis.messaging.slices import CorruptSlice
from shared.chassis.shapes.errors import BrokenRule, Refused, Unavailable
from shared.events.base import UnknownTopic

__all__ = ["OUTAGE", "WAITING", "describe", "is_final"]

OUTAGE = (
    *database.OUTAGE,
    InternalError,
    psycopg.InternalError,
    Unavailable,
    UnknownTopic,
)
"""Failures of the surroundings: the same fact succeeds once they are over, so nothing is parked."""

WAITING = (Unavailable, UnknownTopic, CorruptSlice, CorruptLog)
"""Failures that concern the log of one context: others need not wait until it is readable."""


def is_final(error: Exception) -> bool:
    """Whether trying again at once cannot help: a refusal is a decision, not an accident."""
    return isinstance(error, Refused)


def describe(error: Exception) -> str:
    """Return the failure in one line without the values that caused it, which may be personal.

    That leaves its class, the words that are this program's own, and the line that raised it.
    """
    name = type(error).__name__
    if isinstance(error, WAITING):
        return f"{name}: {error}"
    if isinstance(error, BrokenRule) and error.sentence:
        return f"{name}: {error.sentence}"
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        return describe(error.orig)
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        constraint = error.diag.constraint_name or ""
        return f"{name}: {error.sqlstate} {constraint}".strip()
    said = logs.describe(error)
    places = traceback.extract_tb(error.__traceback__)
    if not places:
        return said
    return f"{said} at {Path(places[-1].filename).name}:{places[-1].lineno} {places[-1].name}"
