"""Contact details as they are kept: numbers in E.164, addresses and platform ids in their form."""

import re
from collections.abc import Iterable, Mapping

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from shared.chassis.shapes import FieldViolation
from shared.chassis.shapes.contact import is_plain_email, plain_e164

_Found = list[FieldViolation]

_PLATFORMS = {
    "wechat": re.compile(r"[A-Za-z][A-Za-z0-9_-]{5,19}", re.ASCII),
    "qq": re.compile(r"[1-9][0-9]{4,11}", re.ASCII),
    "telegram": re.compile(r"@?[A-Za-z][A-Za-z0-9_]{4,31}", re.ASCII),
    "whatsapp": re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII),
    "x": re.compile(r"@?[A-Za-z0-9_]{1,15}", re.ASCII),
}
_ANY_PLATFORM = re.compile(r"[^\s\x00-\x1f]{1,100}")
_PLATFORM_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,31}", re.ASCII)


def read_phones(
    texts: Iterable[str], region: str | None, found: _Found, path: str = "phones"
) -> tuple[str, ...]:
    """Return the numbers in E.164, each once; what cannot be read is added to `found`."""
    read: dict[str, None] = {}
    for index, text in enumerate(texts):
        if plain := plain_e164(text):
            read[plain] = None
            continue
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            hint = "" if region else "; without a country code it needs `phone_country`"
            found.append(FieldViolation(f"{path}.{index}", f"is not a telephone number{hint}"))
            continue
        if not phonenumbers.is_valid_number(number):
            found.append(FieldViolation(f"{path}.{index}", "is not a number of its country's plan"))
            continue
        read[phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)] = None
    return tuple(read)


def read_emails(texts: Iterable[str], found: _Found, path: str = "emails") -> tuple[str, ...]:
    """Return the addresses with their domain in lower case, each once."""
    read: dict[str, None] = {}
    for index, text in enumerate(texts):
        if is_plain_email(text):
            read[text] = None
            continue
        try:
            address = validate_email(text, check_deliverability=False)
        except EmailNotValidError as error:
            found.append(FieldViolation(f"{path}.{index}", str(error)))
            continue
        read[address.normalized] = None
    return tuple(read)


def read_platform_ids(
    ids: Mapping[str, str], found: _Found, path: str = "platform_ids"
) -> dict[str, str]:
    """Return the ids, trimmed, when each has the form its platform gives to ids."""
    read = {}
    for platform, text in ids.items():
        own = text.strip()
        if not _PLATFORM_NAME.fullmatch(platform):
            found.append(FieldViolation(path, "platform names are lower-case words"))
        elif not _PLATFORMS.get(platform, _ANY_PLATFORM).fullmatch(own):
            found.append(FieldViolation(f"{path}.{platform}", f"is not an id of {platform}"))
        else:
            read[platform] = own
    return read
