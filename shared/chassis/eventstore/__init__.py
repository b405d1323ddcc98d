"""The event store, on the `eventsourcing` library's extension points; nothing else names it."""

from shared.chassis.eventstore.log import EventLog
from shared.chassis.eventstore.mapper import CorruptLog, PersonIsErased, RawFact
from shared.chassis.eventstore.recorder import (
    AnsweredCommand,
    AppendConflict,
    Claim,
    CommandRepeated,
)
from shared.chassis.eventstore.vault import SealBroken

__all__ = [
    "AnsweredCommand",
    "AppendConflict",
    "Claim",
    "CommandRepeated",
    "CorruptLog",
    "EventLog",
    "PersonIsErased",
    "RawFact",
    "SealBroken",
]
