"""What the text of a cell means: numbers, dates and words, read strictly."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from annals.imports.mapping import Cast
from annals.imports.tables import Cell

__all__ = ["Read", "Unreadable", "reader"]

Read = Callable[[Cell], Any]

_YES_NO = {
    "true": True, "yes": True, "y": True, "t": True, "1": True,
    "false": False, "no": False, "n": False, "f": False, "0": False,
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_NO_WORD = re.compile(r"[^a-z0-9]+")
_SLUG = re.compile(r"[a-z0-9-]{1,64}")
_DIGITS = 27
"""More than anybody counts, and what decimals divide exactly."""
_KEPT = 65_536
"""Dates remembered: a table names the same days again and again."""


class Unreadable(ValueError):
    """A cell does not say what it should; the message is for a person."""


def reader(
    cast: Cast,
    *,
    formats: Sequence[str],
    zone: tzinfo,
    decimal_mark: str,
    thousands_mark: str,
) -> Read:
    """Return the function that reads a filled cell.

    Args:
        cast: what is to be read.
        formats: of dates and moments, tried in order; ISO 8601 when empty.
        zone: of moments that name none.
        decimal_mark: between whole and fraction.
        thousands_mark: within the whole; may be empty.
    """
    readers: dict[Cast, Read] = {
        Cast.TEXT: str,
        Cast.SLUG: _slug,
        Cast.INTEGER: lambda cell: _integer(_number(cell, decimal_mark, thousands_mark)),
        Cast.DECIMAL: lambda cell: _number(cell, decimal_mark, thousands_mark),
        Cast.YES_NO: _yes_no,
        Cast.DATE: lru_cache(_KEPT)(lambda cell: _naive(cell, formats).date()),
        Cast.MOMENT: lru_cache(_KEPT)(lambda cell: _aware(_naive(cell, formats), zone)),
    }
    return readers[cast]


def _slug(cell: Cell) -> str:
    slug = _NO_WORD.sub("-", str(cell).casefold()).strip("-")
    if not _SLUG.fullmatch(slug):
        raise Unreadable(f"no id can be made of {cell!r}")
    return slug


def _number(cell: Cell, decimal_mark: str, thousands_mark: str) -> Decimal:
    text = str(cell)
    if thousands_mark:
        text = text.replace(thousands_mark, "")
    if decimal_mark != ".":
        text = text.replace(".", "\0").replace(decimal_mark, ".")
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"{cell!r} is no number")
    number = Decimal(text)
    if abs(number.adjusted()) > _DIGITS or len(text) > _DIGITS:
        raise Unreadable(f"{cell!r} is a number of more than {_DIGITS} digits")
    return number


def _integer(number: Decimal) -> int:
    if number % 1:
        raise Unreadable(f"{number} is no whole number")
    return int(number)


def _yes_no(cell: Cell) -> bool:
    try:
        return _YES_NO[str(cell).casefold()]
    except KeyError:
        raise Unreadable(f"{cell!r} is neither yes nor no") from None


def _naive(cell: Cell, formats: Sequence[str]) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - its zone comes later
    if not formats:
        try:
            return datetime.fromisoformat(cell)
        except ValueError:
            raise Unreadable(f"{cell!r} is no date as ISO 8601 writes it") from None
    for format in formats:
        try:
            return datetime.strptime(cell, format)  # noqa: DTZ007 - its zone comes later
        except ValueError:
            continue
    raise Unreadable(f"{cell!r} is no date of the form {' or '.join(formats)}")


def _aware(moment: datetime, zone: tzinfo) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Unreadable(f"{moment} is beyond the calendar") from None
