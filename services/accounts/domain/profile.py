"""What is known of an account or a person, field by field, and how it is amended."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.accounts import AccountProfileFact, ContactProfileFact

__all__ = ["ACCOUNT_FIELDS", "CONTACT_FIELDS", "Profile", "amended", "profile_of"]

Profile = Mapping[str, Any]

ACCOUNT_FIELDS = tuple(AccountProfileFact.model_fields)
CONTACT_FIELDS = tuple(ContactProfileFact.model_fields)


def profile_of(statement: BaseModel, fields: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(statement, name, None) for name in fields}


def amended(
    profile: Profile, wishes: Profile, clear: Sequence[str], *, kept: frozenset[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the profile with what is wished and without what is cleared, and what differs."""
    refused = [
        FieldViolation(f"clear.{place}", why)
        for place, name in enumerate(clear)
        if (why := _why_not_cleared(name, profile, wishes, kept))
    ]
    if refused:
        raise Invalid(refused)
    after = {
        name: None if name in clear else value if wishes.get(name) is None else wishes[name]
        for name, value in profile.items()
    }
    return after, tuple(name for name in profile if after[name] != profile[name])


def _why_not_cleared(
    name: str, profile: Profile, wishes: Profile, kept: frozenset[str]
) -> str | None:
    if name not in profile:
        return f"there is no field {name!r}"
    if name in kept:
        return f"{name} cannot be empty"
    if wishes.get(name) is not None:
        return f"{name} cannot be set and cleared at once"
    return None
