"""Telephone numbers and mail addresses as people write them, brought into one form."""

from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from services.accounts.domain.profile import Profile
from shared.chassis.shapes import FieldViolation, Invalid
from shared.chassis.shapes.contact import is_plain_email, plain_e164

__all__ = ["reachable"]


def reachable(profile: Profile, country: str) -> dict[str, Any]:
    """Return the profile with numbers in E.164 and mail in one form; refuse all that do not fit."""
    checked = dict(profile)
    found: list[FieldViolation] = []
    for name, read in (("phones", _phone), ("emails", _email)):
        if checked.get(name):
            values = [
                read(text, country, f"{name}.{place}", found)
                for place, text in enumerate(checked[name])
            ]
            checked[name] = tuple(dict.fromkeys(values))
    if checked.get("fax"):
        checked["fax"] = _phone(checked["fax"], country, "fax", found)
    if found:
        raise Invalid(found)
    return checked


def _phone(text: str, country: str, field: str, found: list[FieldViolation]) -> str:
    if plain := plain_e164(text):
        return plain
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        found.append(FieldViolation(field, "is not a telephone number"))
        return text
    if not phonenumbers.is_valid_number(number):
        found.append(FieldViolation(field, "is not a telephone number anybody can have"))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(text: str, country: str, field: str, found: list[FieldViolation]) -> str:
    del country
    if is_plain_email(text):
        return text
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        found.append(FieldViolation(field, f"is not a mail address: {error}"))
        return text
