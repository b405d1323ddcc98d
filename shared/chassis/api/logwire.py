"""The messages of `annals.log.v1.EventLog`, without gRPC itself."""

from collections.abc import Container, Iterable
from datetime import datetime
from typing import Any

import orjson
from google.protobuf import message_factory

from shared.chassis.api.contract import PROTO, load_file
from shared.chassis.messaging.slices import CorruptSlice, Parcel, Slice, decode

__all__ = [
    "READ",
    "SERVICE",
    "ReadRequest",
    "SliceMessage",
    "parcel",
    "read_next",
    "read_request",
    "read_slice",
]

SERVICE = "annals.log.v1.EventLog"
READ = f"/{SERVICE}/Read"

_messages = load_file(PROTO / "annals" / "log" / "v1" / "log.binpb").message_types_by_name
ReadRequest: Any = message_factory.GetMessageClass(_messages["ReadRequest"])
SliceMessage: Any = message_factory.GetMessageClass(_messages["Slice"])


def read_request(context: str, after: int, limit: int) -> bytes:
    """Return the message that asks for up to `limit` facts after a position; 0 asks for all."""
    return bytes(ReadRequest(context=context, after=after, limit=limit).SerializeToString())


def parcel(message: bytes) -> Parcel:
    """Return a received message as the parcel it carries."""
    piece = SliceMessage.FromString(message)
    return Parcel(piece.context, piece.first, piece.last, piece.batch)


def read_next(messages: Iterable[bytes]) -> tuple[int, datetime] | None:
    """Return the log's last position, and when the first fact of the answer was recorded.

    Returns:
        None when nothing follows the position that was asked for.
    """
    for message in messages:
        piece = SliceMessage.FromString(message)
        (first, *_) = orjson.loads(piece.batch)
        return piece.tip, datetime.fromisoformat(first["recordedat"])
    return None


def read_slice(messages: Iterable[bytes], wanted: Container[str] | None) -> Slice | None:
    """Join the answers to one request.

    Args:
        messages: in the order they came.
        wanted: topics to read, see `decode`.

    Returns:
        The run of the log they make; None when there is nothing.

    Raises:
        CorruptSlice: they are not one contiguous run.
    """
    joined: Slice | None = None
    for message in messages:
        piece = decode(parcel(message).body, wanted)
        longer = joined.followed_by(piece) if joined else piece
        if longer is None:
            raise CorruptSlice(f"the log skips what is before {piece.context} {piece.first}")
        joined = longer
    return joined
