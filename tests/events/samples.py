"""Golden samples: how every released fact was stored, kept so that it reads the same for ever.

Run `python -m tests.events.samples` after adding a fact. It writes the files that are missing and
never touches one that is there.
"""

import json
import typing
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel

from shared.chassis.catalogue import published
from shared.events import values
from shared.events.base import Event, Ref, read_event

GOLDEN = Path(__file__).parent / "golden"

_BY_TYPE: Mapping[Any, Any] = {
    bool: True,
    int: 3,
    Decimal: "12.5",
    date: "2024-03-15",
    AwareDatetime: "2024-03-15T09:30:00Z",
    time: "09:00:00",
    str: "some text, 一些文字",
    Any: "anything",
}
_BY_ALIAS: tuple[tuple[Any, Any], ...] = (
    (values.Phone, "+8613912345678"),
    (values.Email, "wang.xiaoming@example.cn"),
    (values.Currency, "CNY"),
    (values.Slug, "some_word"),
    (values.Label, "华东"),
)
_BY_NAME: Mapping[str, Any] = {
    "country": "CN",
    "name": "王小明",
    "day": "2024-03-15",
    "time_zone": "Asia/Shanghai",
    "region": "华东",
    "channel": "web_form",
    "language": "zh-CN",
    "birthday": "1985-11-02",
}
_WHOLE_PAYLOADS: Mapping[str, Any] = {
    "billing.LedgerPosted.v1": {
        "account_id": "account-1",
        "invoice_id": "invoice-1",
        "currency": "CNY",
        "value_date": "2024-03-15",
        "lines": [
            {"ledger_account": "receivable", "side": "debit", "amount": "113.00"},
            {"ledger_account": "revenue", "side": "credit", "amount": "100.00"},
            {"ledger_account": "tax", "side": "credit", "amount": "13.00"},
        ],
        "about": "invoice_issued",
    },
}


def golden(event: type[Event]) -> dict[str, Any]:
    """Return the sample of a fact: stored once with every field and once with the least."""
    whole = _WHOLE_PAYLOADS.get(event.topic) or _fields(event, least=False)
    return {
        "topic": event.topic,
        "subject": event.subject_field,
        "personal": sorted(event.personal_fields),
        "samples": [_sample(event, whole), _sample(event, _fields(event, least=True))],
    }


def reading(topic: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the stored payload says today, in JSON values."""
    return read_event(topic, stored).model_dump(mode="json")


def missing() -> Iterator[tuple[Path, type[Event]]]:
    """Return the published facts without a golden sample, with the file each belongs in."""
    for event in published():
        path = GOLDEN / f"{event.topic}.json"
        if not path.exists():
            yield path, event


def _sample(event: type[Event], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {"stored": stored, "reads": reading(event.topic, stored)}


def _fields(model: type[BaseModel], *, least: bool) -> dict[str, Any]:
    hints = typing.get_type_hints(model, include_extras=True)
    return {
        name: _value(name, hints[name])
        for name, field in model.model_fields.items()
        if field.is_required() or not least
    }


def _value(name: str, annotation: Any) -> Any:
    plain = _plain_value(name, annotation)
    if plain is not None:
        return plain
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return [_value(name, arguments[0])]
    if origin is dict:
        return {"key": _value(name, arguments[1])}
    if origin is not None:
        return _value(name, arguments[0])
    if issubclass(annotation, Enum):
        return next(iter(annotation)).value
    return _fields(annotation, least=False)


def _plain_value(name: str, annotation: Any) -> Any:
    if name in _BY_NAME and typing.get_origin(annotation) in (None, Annotated):
        return _BY_NAME[name]
    for alias, value in _BY_ALIAS:
        if annotation is alias:
            return value
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, Ref):
            return f"{mark.kind}-1"
    return next((value for kind, value in _BY_TYPE.items() if annotation is kind), None)


def main() -> None:
    """Write the missing files."""
    GOLDEN.mkdir(exist_ok=True)
    for path, event in missing():
        path.write_text(
            json.dumps(golden(event), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
