"""Phone numbers and mail addresses that are in the form they are kept in, recognised quickly.

The libraries read anything people write, and take some 200 microseconds for it. Most of what other
systems and our own forms send is in its final form already: that much can be seen at once. What is
not seen here goes to the libraries, which decide.
"""

import re
from functools import cache

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES
from phonenumbers import PhoneMetadata

__all__ = ["is_plain_email", "plain_e164"]

_WRITTEN = re.compile(r"\+[1-9](?:[ -]?[0-9]){6,14}", re.ASCII)
_BETWEEN = str.maketrans("", "", " -")
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9][a-z0-9_+-]{0,30}(?:\.[a-z0-9_+-]{1,20})?@((?:[a-z0-9]{1,30}\.){1,3}([a-z]{2,12}))",
    re.ASCII,
)
_SPECIAL_ENDINGS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def is_plain_email(text: str) -> bool:
    """Whether the text is a valid, normalised mail address beyond doubt."""
    plain = _PLAIN_EMAIL.fullmatch(text)
    return bool(
        plain and plain[2] not in _SPECIAL_ENDINGS and plain[1] not in SPECIAL_USE_DOMAIN_NAMES
    )


def plain_e164(text: str) -> str | None:
    """Return a telephone number in the form of ITU-T E.164 if the text is a valid one beyond doubt.

    Args:
        text: with its calling code, its digits in groups or not: `+86 138 0013 8000`.
    """
    if _WRITTEN.fullmatch(text) is None:
        return None
    number = text.translate(_BETWEEN)
    digits = number[1:]
    for length in (1, 2, 3):
        if int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return number if _plan(int(digits[:length])).fullmatch(digits, length) else None
    return None


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
