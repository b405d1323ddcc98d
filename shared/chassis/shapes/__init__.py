"""The five shapes a context is written in, all pure: what a domain author imports.

Events stand in `shared.events`; here are commands, aggregates, policies, projections, the queries
that read them, and the refusals they may answer with.
"""

from shared.chassis.shapes.aggregate import Aggregate, fold
from shared.chassis.shapes.columns import Amount, Instant, month_of
from shared.chassis.shapes.command import Actor, Answer, Command, Envelope, Request
from shared.chassis.shapes.errors import (
    BrokenRule,
    Conflict,
    FieldViolation,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Refused,
    Taken,
    TookTooLong,
    Unauthenticated,
    Unavailable,
)
from shared.chassis.shapes.ids import derived_id, fresh_id
from shared.chassis.shapes.policy import Cancel, Later, Policy, Reaction, derived, whenever
from shared.chassis.shapes.projection import Key, Projection, Row, blank
from shared.chassis.shapes.query import (
    Listed,
    ListQuery,
    Mapped,
    Page,
    PastQuery,
    Query,
    Question,
    Reader,
    View,
)

__all__ = [
    "Actor",
    "Aggregate",
    "Amount",
    "Answer",
    "BrokenRule",
    "Cancel",
    "Command",
    "Conflict",
    "Envelope",
    "FieldViolation",
    "Forbidden",
    "Instant",
    "Invalid",
    "Key",
    "Later",
    "LimitReached",
    "ListQuery",
    "Listed",
    "Mapped",
    "NotFound",
    "Page",
    "PastQuery",
    "Policy",
    "Projection",
    "Query",
    "Question",
    "Reaction",
    "Reader",
    "Refused",
    "Request",
    "Row",
    "Taken",
    "TookTooLong",
    "Unauthenticated",
    "Unavailable",
    "View",
    "blank",
    "derived",
    "derived_id",
    "fold",
    "fresh_id",
    "month_of",
    "whenever",
]
