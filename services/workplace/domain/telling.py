"""How an employee is told of a fact that concerns them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.workplace.commands import Notify
from shared.chassis.shapes import Later, Reaction, derived
from shared.events.base import Recorded
from shared.events.values import EmployeeId, Slug

__all__ = ["remind", "tell"]


def tell(
    recorded: Recorded[Any],
    recipient_id: EmployeeId | None,
    kind: Slug,
    title: str,
    *,
    about: tuple[Slug, str],
    **details: object,
) -> Sequence[Reaction]:
    """Tell the recipient, unless there is none, they did it themselves, or it is imported history.

    Args:
        recorded: the fact.
        recipient_id: whom it concerns.
        kind: what it tells.
        title: the same in words, without personal data.
        about: kind and id of the record it is about.
        details: values for the wording; those that are None are left out.
    """
    message = _message(recorded, recipient_id, kind, title, about, details)
    return [] if message is None or recorded.actor == recipient_id else [message]


def remind(
    recorded: Recorded[Any],
    recipient_id: EmployeeId | None,
    at: datetime,
    key: str,
    kind: Slug,
    title: str,
    *,
    about: tuple[Slug, str],
    **details: object,
) -> Sequence[Reaction]:
    """Tell the recipient at a later moment, unless `key` is cancelled before."""
    message = _message(recorded, recipient_id, kind, title, about, details)
    return [] if message is None else [Later(at, message, key)]


def _message(
    recorded: Recorded[Any],
    recipient_id: EmployeeId | None,
    kind: Slug,
    title: str,
    about: tuple[Slug, str],
    details: dict[str, object],
) -> Notify | None:
    if recipient_id is None or recorded.import_id is not None:
        return None
    about_kind, about_id = about
    return Notify(
        notification_id=derived(recorded, kind),
        recipient_id=recipient_id,
        kind=kind,
        about_kind=about_kind,
        about_id=about_id,
        title=title,
        details={name: str(value) for name, value in details.items() if value is not None},
    )
