"""What a failure means for delivery: wait for better times, or park."""

import sqlite3

import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from shared.chassis.shapes.errors import Refused, Unavailable
from shared.events.base import UnknownTopic

__all__ = ["OUTAGE", "describe", "is_final"]

OUTAGE = (
    OperationalError,
    InterfaceError,
    InternalError,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    Unavailable,
    UnknownTopic,
)
"""Failures of the surroundings: the same fact succeeds once they are over, so nothing is parked."""


def is_final(error: Exception) -> bool:
    """Whether trying again at once cannot help: a refusal is a decision, not an accident."""
    return isinstance(error, Refused)


def describe(error: Exception) -> str:
    """Return the failure in one line without the values that caused it, which may be personal."""
    if isinstance(error, ValidationError):
        places = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['type']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return f"ValidationError: {error.title}: {places}"
    return f"{type(error).__name__}: {error}"
