"""The form of an answer: a message, or the JSON text that the message would become.

A caller that only passes answers on as JSON, as the gateway does, asks for the text by metadata and
spares both sides the message. Whoever does not ask gets the message, and whoever asks has to take
either: a service of an older release knows no text, and some answers have no text that says the
same. Text begins with a brace, with which no message begins (it would open a group, which proto3
does not have).
"""

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from shared.chassis.api.wire import wire

__all__ = ["AS_JSON", "answer_of", "has_text", "is_text"]

AS_JSON = ("annals-answer", "json")
"""Metadata that asks for the text."""
_BRACE = b"{"


def is_text(answer: bytes) -> bool:
    """Whether an answer is JSON text."""
    return answer.startswith(_BRACE)


def answer_of(answer: Any) -> bytes:
    """Return the bytes to send for an answer: text as it is, a message serialised."""
    return answer if type(answer) is bytes else answer.SerializeToString()


def has_text(view: type[BaseModel]) -> bool:
    """Whether a view's JSON says the same as its message.

    It does unless a list or a map may be missing somewhere in it: a message cannot tell a missing
    list from an empty one.
    """
    return _alike(view, set())


def _alike(model: type[BaseModel], known: set[type[BaseModel]]) -> bool:
    if model in known:
        return True
    known.add(model)
    for field in model.model_fields.values():
        told = wire(field.annotation)
        if told.cardinality != "one" and _takes_nothing(field.annotation):
            return False
        if told.model is not None and not _alike(told.model, known):
            return False
    return True


def _takes_nothing(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _takes_nothing(get_args(annotation)[0])
    return type(None) in get_args(annotation)
