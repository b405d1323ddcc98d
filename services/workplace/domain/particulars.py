"""Particulars of people, in the one form in which they are kept and compared."""

import hashlib
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.values import Email, Phone

__all__ = ["Particulars", "checked", "digest"]


class Particulars(NamedTuple):
    email: Email | None
    phone: Phone | None
    time_zone: str | None


def checked(email: str | None, phone: str | None, time_zone: str | None) -> Particulars:
    """Return mail address, phone and time zone in normal form; refuse all that do not fit."""
    found: list[FieldViolation] = []
    if email is not None:
        try:
            email = validate_email(email, check_deliverability=False).normalized
        except EmailNotValidError as error:
            found.append(FieldViolation("email", str(error)))
    if phone is not None:
        try:
            number = phonenumbers.parse(phone, None)
            if not phonenumbers.is_valid_number(number):
                found.append(FieldViolation("phone", "is no telephone number in use"))
            phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        except phonenumbers.NumberParseException:
            found.append(FieldViolation("phone", "is no number in international form"))
    if time_zone is not None:
        try:
            ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            found.append(FieldViolation("time_zone", f"{time_zone!r} is no IANA time zone"))
    if found:
        raise Invalid(found)
    return Particulars(email, phone, time_zone)


def digest(email: Email) -> str:
    """Return what stands for a mail address, which is personal, where uniqueness is kept."""
    return hashlib.sha256(email.casefold().encode()).hexdigest()
