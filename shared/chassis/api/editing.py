"""Which fields of a record a command sets or empties, for roles that may read but not edit them."""

import re
from collections.abc import Callable, Collection, Iterator

from shared.chassis.shapes import Command, Forbidden, Request
from shared.chassis.shapes.guard import Sight

__all__ = ["editing_of", "record_of"]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_PARAMETER = re.compile(r"\{(\w+)_id\}")


def editing_of(
    command: type[Request], records: Collection[str]
) -> Callable[[Command, Sight], None]:
    """Return the check that a command of this kind sets nothing its sender may not edit.

    A command is about the record it is named after (`ChangeLead`), else the one in its path. Its
    field `budget` stands for `budget_amount` and `budget_currency`, too.

    Args:
        command: its class.
        records: the kinds of records there are.

    Returns:
        A function that raises `Forbidden`, naming the field.
    """
    record = record_of(command, records)

    def check(wish: Command, sight: Sight) -> None:
        for kind, name, _ in sight.fields:
            for said in _said(wish) if kind == record else ():
                if said == name or name.startswith(f"{said}_"):
                    raise Forbidden(f"{kind}.{name}")

    return check


def _said(wish: Command) -> Iterator[str]:
    """Yield the fields a command sets, if only to nothing, and those it empties by name."""
    yield from (name for name in wish.model_fields_set if getattr(wish, name) is not None)
    yield from getattr(wish, "clear", ())


def record_of(command: type[Request], records: Collection[str]) -> str | None:
    """Return the record a command is named after (`ChangeLead`), else the one in its path."""
    words = _WORD.sub("_", command.__name__).lower()
    named = [record for record in records if words.endswith(f"_{record}")]
    if named:
        return max(named, key=len)
    placed = _PARAMETER.search(command.http or "")
    return placed[1] if placed else None
