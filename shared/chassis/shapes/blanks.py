"""Views of rows whose hidden columns are empty."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AwareDatetime, BaseModel

from shared.events.workplace import FieldAccess

__all__ = ["MASK", "filled"]

MASK = "***"
"""Stands where a reader is not told whether there is a value."""

M = TypeVar("M", bound=BaseModel)

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_BLANKS: Mapping[Any, Any] = {
    str: "",
    bool: False,
    int: 0,
    float: 0.0,
    Decimal: Decimal(0),
    date: _EPOCH.date(),
    datetime: _EPOCH,
    AwareDatetime: _EPOCH,
    list: [],
    tuple: (),
    dict: {},
    Mapping: {},
}


def filled(view: type[M], row: Any, hidden: Mapping[str, FieldAccess]) -> M:
    """Make a view of a row that lacks what is hidden.

    Masked text reads `***`. What else is hidden is empty, and where the view cannot be without it,
    counts as not set, so that answers leave it out.

    Args:
        view: its class.
        row: column names to values.
        hidden: names of the columns that were emptied.
    """
    values = dict(row)
    unset = set()
    for name, access in hidden.items():
        if values.get(name) is not None or name not in view.model_fields:
            continue
        kind: Any = view.model_fields[name].annotation
        if access is FieldAccess.MASKED and (mask := _masked(kind)) is not None:
            values[name] = mask
        elif name in values and not _takes_nothing(kind):
            values[name] = _blank(kind)
            unset.add(name)
    made = view.__pydantic_validator__.validate_python(values)
    made.__pydantic_fields_set__.difference_update(unset)
    return made  # type: ignore[no-any-return]


def _masked(kind: Any) -> Any:
    """Return the mask of text or a list of text; None for values of another kind."""
    kinds = [_plain(one) for one in get_args(kind)] if type(None) in get_args(kind) else [kind]
    for one in map(_plain, kinds):
        if one is str:
            return MASK
        if get_origin(one) in {list, tuple} and _plain(get_args(one)[0]) is str:
            return [MASK]
    return None


def _takes_nothing(kind: Any) -> bool:
    return kind is Any or type(None) in get_args(kind)


@cache
def _blank(kind: Any) -> Any:
    """Return an empty value of a type."""
    kind = _plain(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return _BLANKS.get(get_origin(kind) or kind)


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
