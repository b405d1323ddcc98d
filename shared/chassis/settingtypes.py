"""The kinds of values settings take, each refusing with a sentence what does not fit."""

import base64
import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

__all__ = [
    "SERVICE",
    "Address",
    "Addresses",
    "BrokerUrl",
    "CollectorUrl",
    "DatabaseUrl",
    "Key",
    "Keys",
    "Port",
    "TimeZone",
    "did_you_mean",
    "keys_of",
]

SERVICE = "{service}"
"""Stands for the service's name."""

_KEY_BYTES = 32
_PLACEHOLDER = re.compile(r"\{[^}]*\}?")
_ADDRESS = re.compile(r"^(unix:/\S+|(\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d{1,5})$")


def did_you_mean(name: str, known: Any) -> str:
    """Return the words that suggest the known name nearest to `name`; empty when none is near."""
    match = get_close_matches(name, known, n=1)
    return f"; did you mean {match[0]}?" if match else ""


def keys_of(text: str) -> list[bytes]:
    """Return the keys that stand in base64 with commas between.

    Raises:
        ValueError: one of them is no key.
    """
    try:
        keys = [base64.b64decode(one.strip(), validate=True) for one in text.split(",")]
    except ValueError:
        keys = [b""]
    if any(len(key) != _KEY_BYTES for key in keys):
        raise ValueError(f"must be {_KEY_BYTES} bytes in base64, or several with commas between")
    return keys


def _key(value: SecretStr) -> SecretStr:
    keys_of(value.get_secret_value())
    return value


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"is no IANA time zone{did_you_mean(name, available_timezones())}")
    return name


def _template(text: str) -> str:
    odd = [found for found in _PLACEHOLDER.findall(text) if found != SERVICE]
    if odd:
        raise ValueError(f"has {odd[0]}; the only placeholder is {SERVICE}")
    return text


def _url(*schemes: str) -> AfterValidator:
    """Return the check of a URL with one of these schemes."""

    def check(url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise ValueError("is no URL") from error
        if parts.scheme not in schemes or not url.startswith(f"{parts.scheme}://"):
            raise ValueError(f"must start with {' or '.join(f'{one}://' for one in schemes)}")
        return url

    return AfterValidator(check)


def _address(text: str) -> str:
    if not _ADDRESS.match(_template(text).replace(SERVICE, "service")):
        raise ValueError("must be host:port or unix:/path")
    return text


def _object(value: Any) -> Any:
    """Read a JSON object where the environment gives text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("must be a JSON object") from error


def _keys(value: str) -> str:
    """Check a JWKS document, or that its file is there."""
    text = value.strip()
    if text.startswith("{"):
        if not isinstance(_object(text).get("keys"), list):
            raise ValueError("must be a JWKS document: an object with a list `keys`")
    elif not Path(text).is_file():
        raise ValueError("must be a JWKS document or the path of a file that holds one")
    return text


Port = Annotated[int, Field(ge=0, le=65_535)]
Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[dict[str, Address], NoDecode, BeforeValidator(_object)]
BrokerUrl = Annotated[str, _url("amqp", "amqps")]
CollectorUrl = Annotated[str, _url("http", "https")]
DatabaseUrl = Annotated[str, AfterValidator(_template), _url("postgresql")]
Key = Annotated[SecretStr, AfterValidator(_key)]
Keys = Annotated[str, AfterValidator(_keys)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
