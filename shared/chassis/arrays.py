"""Arrays as PostgreSQL takes them on the wire: far cheaper than having the driver write them.

The binary form of an array is its number of dimensions, whether it has nulls, the element type,
then length and lower bound of each dimension, then each element's length (-1 for null) and bytes
(`array_send` in PostgreSQL's sources).
"""

import struct
from collections.abc import Iterable, Sequence

import psycopg
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format

__all__ = ["bigints", "blobs", "texts"]

_HEADER = struct.Struct("!iiIii").pack
_LENGTH = struct.Struct("!i").pack
_BIGINT = struct.Struct("!iq").pack
_NULL = _LENGTH(-1)


class _Texts(bytes):
    """A `text[]`."""


class _Bigints(bytes):
    """A `bigint[]`."""


class _Blobs(bytes):
    """A `bytea[]`."""


class _AsIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


for _kind, _element in ((_Texts, "text"), (_Bigints, "int8"), (_Blobs, "bytea")):
    psycopg.adapters.register_dumper(
        _kind, type(_kind.__name__, (_AsIs,), {"oid": types[_element].array_oid})
    )


def texts(values: Sequence[str]) -> bytes | None:
    """Return a `text[]`, None when there are no values."""
    encoded = [value.encode() for value in values]
    return _Texts(_array("text", encoded)) if encoded else None


def blobs(values: Sequence[bytes | None]) -> bytes | None:
    """Return a `bytea[]`, None when there are no values."""
    return _Blobs(_array("bytea", values)) if values else None


def bigints(values: Sequence[int]) -> bytes | None:
    """Return a `bigint[]`, None when there are no values."""
    if not values:
        return None
    elements = b"".join([_BIGINT(8, value) for value in values])
    return _Bigints(_HEADER(1, 0, types["int8"].oid, len(values), 1) + elements)


def _array(element: str, values: Sequence[bytes | None]) -> bytes:
    return _HEADER(1, 1, types[element].oid, len(values), 1) + b"".join(_elements(values))


def _elements(values: Iterable[bytes | None]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
        else:
            yield _LENGTH(len(value))
            yield value
