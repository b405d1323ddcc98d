"""Contact details as they are kept: numbers in E.164, addresses and platform ids in their form."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import PhoneMetadata

from shared.chassis.shapes import FieldViolation

_Found = list[FieldViolation]

_INTERNATIONAL = re.compile(r"\+([1-9][0-9]{6,14})", re.ASCII)
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9][a-z0-9_+-]{0,30}(?:\.[a-z0-9_+-]{1,20})?@((?:[a-z0-9]{1,30}\.){1,3}([a-z]{2,12}))",
    re.ASCII,
)
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
        if _is_international(text):
            read[text] = None
            continue
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            hint = "" if region else "; without a country code it needs `phone_region`"
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
        plain = _PLAIN_EMAIL.fullmatch(text)
        if plain and plain[2] not in _SPECIAL_ENDINGS and plain[1] not in SPECIAL_USE_DOMAIN_NAMES:
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


_SPECIAL_ENDINGS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def _is_international(text: str) -> bool:
    """Whether the text is a valid number in E.164 beyond doubt; the library decides the rest."""
    match = _INTERNATIONAL.fullmatch(text)
    if match is None:
        return False
    digits = match[1]
    for length in (1, 2, 3):
        if int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return bool(_plan(int(digits[:length])).fullmatch(digits, length))
    return False


@cache
def _plan(calling_code: int) -> re.Pattern[str]:
    """Return the fixed and mobile numbers of the country that is first under a calling code.

    Numbers that start like a national prefix are left out: the library may strip it.
    """
    region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code][0]
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is None:
        return re.compile(r"(?!)")
    patterns = [
        kind.national_number_pattern
        for kind in (plan.fixed_line, plan.mobile)
        if kind is not None and kind.national_number_pattern
    ]
    barred = f"(?!{plan.national_prefix_for_parsing})" if plan.national_prefix_for_parsing else ""
    return re.compile(f"{barred}(?:{'|'.join(patterns) or '(?!)'})", re.ASCII)
