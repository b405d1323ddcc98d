"""What is known of a person and their need: checked, completed and compared."""

from typing import Any

from services.leads.commands import Profile
from services.leads.domain.contact_details import read_emails, read_phones, read_platform_ids
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.leads import LeadProfileFact

PROFILE_FIELDS = tuple(LeadProfileFact.model_fields)
_AS_GIVEN = tuple(
    name for name in PROFILE_FIELDS if name not in {"phones", "emails", "platform_ids"}
)


def checked(command: Profile) -> dict[str, Any]:
    """Return the profile fields that say something, contact details in their kept form.

    Raises:
        Invalid: names every field that does not fit.
    """
    found: list[FieldViolation] = []
    country = command.phone_country or (command.address.country if command.address else None)
    values = {name: getattr(command, name) for name in _AS_GIVEN}
    values["phones"] = read_phones(command.phones, country, found)
    values["emails"] = read_emails(command.emails, found)
    values["platform_ids"] = read_platform_ids(command.platform_ids, found)
    if found:
        raise Invalid(found)
    return {name: value for name, value in values.items() if value not in _NOTHING}


def checked_statement(command: Profile) -> dict[str, Any]:
    """Return the profile of a new statement of interest, which must say who it is about.

    Raises:
        Invalid: it names nobody, or fields do not fit.
    """
    values = checked(command)
    if not values.keys() & _NAMES_SOMEBODY:
        raise Invalid.one("name", "give a name, company, phone, email or platform id")
    return values


def completed(profile: LeadProfileFact, stated: dict[str, Any]) -> dict[str, Any]:
    """Return the profile with what a further statement adds; what was known stays."""
    values = fields_of(profile)
    for name, new in stated.items():
        known = values.get(name)
        if known is None:
            values[name] = new
        elif isinstance(known, tuple):
            values[name] = tuple(dict.fromkeys((*known, *new)))
        elif isinstance(known, dict):
            values[name] = new | known
    return values


def fields_of(profile: LeadProfileFact) -> dict[str, Any]:
    """Return the profile fields that say something."""
    values = {name: getattr(profile, name) for name in PROFILE_FIELDS}
    return {name: value for name, value in values.items() if value not in _NOTHING}


_NOTHING: tuple[Any, ...] = (None, (), {})
_NAMES_SOMEBODY = {"name", "company", "phones", "emails", "platform_ids"}
