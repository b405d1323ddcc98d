"""Identifiers: time-ordered UUIDs, fresh or derived."""

import hashlib
from datetime import UTC, datetime, timedelta

from uuid_utils import UUID, uuid7

__all__ = ["derived_id", "fresh_id"]


def fresh_id() -> str:
    """Return a new time-ordered UUID (version 7, RFC 9562) as text."""
    return str(uuid7())


def derived_id(at: datetime, *names: str) -> str:
    """Return the UUID that the same moment and names always give.

    The layout is that of UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, so that
    derived ids sort by time like fresh ones, then bits of the SHA-256 of the names instead of
    random ones.

    Args:
        at: aware moment; its milliseconds since 1970 become the sort prefix.
        names: what distinguishes this id, e.g. policy name and event id.
    """
    millis = max(0, (at - _EPOCH) // _MILLISECOND) & 0xFFFF_FFFF_FFFF
    digest = int.from_bytes(hashlib.sha256("\x1f".join(names).encode()).digest()[:10], "big")
    low = digest & 0x3FFF_FFFF_FFFF_FFFF
    high = (digest >> 62) & 0x0FFF
    return str(UUID(int=(millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
