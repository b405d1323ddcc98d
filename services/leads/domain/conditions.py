"""Conditions of configured rules, tested on what is known of a lead."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.chassis.shapes import FieldViolation
from shared.events.values import Condition, Money, Operator


def all_hold(conditions: Iterable[Condition], known: Mapping[str, Any]) -> bool:
    """Whether every condition is met; with none, yes."""
    return all(_holds(condition, known) for condition in conditions)


def unknown_fields(
    conditions: Iterable[Condition], fields: frozenset[str], path: str
) -> list[FieldViolation]:
    """Return a violation for every condition on a field that leads do not have."""
    return [
        FieldViolation(f"{path}.conditions.{index}.field", f"leads have no {condition.field!r}")
        for index, condition in enumerate(conditions)
        if condition.field not in fields and not condition.field.startswith("custom.")
    ]


def _holds(condition: Condition, known: Mapping[str, Any]) -> bool:
    found = _value(condition.field, known)
    match condition.operator:
        case Operator.PRESENT:
            return found is not None
        case Operator.ABSENT:
            return found is None
        case Operator.EQUALS:
            return found is not None and _same(found, condition.value)
        case Operator.DIFFERS:
            return found is None or not _same(found, condition.value)
        case Operator.IN:
            options = condition.value if isinstance(condition.value, (list, tuple)) else ()
            return found is not None and any(_same(found, option) for option in options)
        case Operator.CONTAINS:
            return _contains(found, condition.value)
        case Operator.AT_LEAST:
            return _compared(found, condition.value, at_least=True)
        case Operator.AT_MOST:
            return _compared(found, condition.value, at_least=False)


def _value(field: str, known: Mapping[str, Any]) -> Any:
    if field.startswith("custom."):
        value = (known.get("custom") or {}).get(field.removeprefix("custom."))
    else:
        value = known.get(field)
    if isinstance(value, Money):
        return value.amount
    return None if value in _EMPTY else value


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    number, other = _number(found), _number(wanted)
    if number is not None and other is not None:
        return number == other
    return bool(found == wanted)


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(found, str):
        return str(wanted).casefold() in found.casefold()
    if isinstance(found, (tuple, list, dict)):
        return wanted in found
    return False


def _compared(found: Any, limit: Any, *, at_least: bool) -> bool:
    if isinstance(found, date):
        try:
            bound = date.fromisoformat(str(limit))
        except ValueError:
            return False
        return found >= bound if at_least else found <= bound
    number, other = _number(found), _number(limit)
    if number is None or other is None:
        return False
    return number >= other if at_least else number <= other


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, (bool, date)):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


_EMPTY: tuple[Any, ...] = (None, "", (), [], {})
