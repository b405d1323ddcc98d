"""Frames of a Unix socket: one byte that says what it is, four that say how long, the content."""

import struct
from typing import Any, NamedTuple

__all__ = ["END", "FAILURE", "MESSAGE", "REQUEST", "Frame", "read_frame", "write_frame"]

REQUEST, MESSAGE, END, FAILURE = b"r", b"m", b"e", b"f"
_HEAD = struct.Struct(">cI")


class Frame(NamedTuple):
    """One frame."""

    kind: bytes
    content: bytes


def read_frame(file: Any) -> Frame | None:
    """Return the next frame of a buffered binary file, None at its end, also in mid-frame."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = file.read(length)
    return Frame(kind, content) if len(content) == length else None


def write_frame(file: Any, kind: bytes, content: bytes) -> None:
    """Write a frame, without flushing."""
    file.write(_HEAD.pack(kind, len(content)) + content)
