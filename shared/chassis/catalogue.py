"""The event catalogue: the published language, described from its own source.

`python -m shared.chassis.catalogue` writes two documents. `docs/events.md` is for people: every
fact with its sentence, its fields and who listens. `docs/asyncapi.yaml` is for programs: the
messages on the broker, each a batch of CloudEvents 1.0, by AsyncAPI 3.0
(https://www.asyncapi.com/docs/reference/specification/v3.0.0).
"""

import ast
import importlib
import inspect
import types
import typing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AwareDatetime, BaseModel
from pydantic.json_schema import models_json_schema

from shared.chassis.messaging.slices import CONTENT_TYPE, MAX_EVENTS
from shared.chassis.service import Service
from shared.events import values
from shared.events.base import PERSONAL, TOPICS, Event, Ref

__all__ = ["CONTEXTS", "asyncapi", "listeners", "main", "markdown", "published", "services"]

CONTEXTS = ("leads", "accounts", "pipeline", "billing", "support", "workplace")
"""The contexts that publish facts, along the customer's life."""

_ALIASES = {
    "label": "Label",
    "slug": "Slug",
    "percentage": "Percent",
    "probability": "Probability",
    "figure": "Figure",
    "currency": "Currency",
    "phone": "Phone",
    "email": "Email",
}
EXCHANGE = "annals.events"

_ROOT = Path(__file__).parents[2]
DOCS = _ROOT / "docs"
_WORDS = {
    bool: "yes or no",
    int: "whole number",
    Decimal: "decimal",
    date: "date",
    AwareDatetime: "moment",
    time: "time of day",
    str: "text",
    Any: "any JSON value",
}


def published(context: str | None = None) -> Iterator[type[Event]]:
    """Return the facts that the contexts, or one of them, publish, in the order of their source."""
    for name in (context,) if context else CONTEXTS:
        module = importlib.import_module(f"shared.events.{name}")
        yield from (event for event in TOPICS.values() if event.__module__ == module.__name__)


def services() -> list[Service]:
    """Return what every service is made of."""
    found = sorted(path.parent.name for path in (_ROOT / "services").glob("*/service.py"))
    return [importlib.import_module(f"services.{name}.service").SERVICE for name in found]


def listeners(all_services: Iterable[Service]) -> dict[str, list[str]]:
    """Return who waits for each fact: topic to names such as ``pipeline policy `open_deal` ``."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for service in all_services:
        for policy in service.policies:
            for event in policy.events:
                waiting[event.topic].append(f"{service.name} policy `{policy.name}`")
        for projection in service.projections:
            for event in projection.events:
                waiting[event.topic].append(f"{service.name} view `{projection.name}`")
    return waiting


def markdown(waiting: Mapping[str, Sequence[str]]) -> str:
    """Return the catalogue for people.

    Args:
        waiting: who listens to each topic, as `listeners` gives it.
    """
    lines = [
        "# Events",
        "",
        "Every fact the contexts tell each other. Written by `make docs` from `shared/events`; do",
        "not edit. The same for programs: [asyncapi.yaml](asyncapi.yaml).",
        "",
        "A fact belongs to the stream of the entity it is about, whose id travels with it. Fields",
        "in **bold** are always there. Fields marked *personal* are encrypted at rest with the key",
        "of the person named, and absent once that person is erased.",
        "",
    ]
    lines += [f"- [{context}](#{context})" for context in CONTEXTS]
    lines += ["- [values](#values)", ""]
    for context in CONTEXTS:
        lines += _context_page(context, waiting)
    lines += ["## values", "", "What the fields above are made of, in all contexts.", ""]
    lines += [*_vocabulary(), ""]
    lines += _values_page(values)
    return "\n".join(lines).rstrip() + "\n"


def asyncapi() -> str:
    """Return the catalogue for programs, an AsyncAPI 3.0 document in YAML."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Annals",
            "version": "1",
            "description": "Facts as the contexts publish them, in the order of their logs, at "
            "least once. A receiver applies each position of a context once.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "variables": {"host": {"default": "localhost"}},
            }
        },
        "channels": {context: _channel(context) for context in CONTEXTS},
        "operations": {f"publish_{context}": _operation(context) for context in CONTEXTS},
        "components": {
            "messages": {context: _message(context) for context in CONTEXTS},
            "schemas": _schemas(),
        },
    }
    return "# Written by `make docs` from shared/events; do not edit.\n" + yaml.dump(
        document, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )


def main() -> None:
    """Write both documents."""
    (DOCS / "events.md").write_text(markdown(listeners(services())), encoding="utf-8")
    (DOCS / "asyncapi.yaml").write_text(asyncapi(), encoding="utf-8")


class _PlainDumper(yaml.SafeDumper):
    """Writes repeated values out instead of pointing back at the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _context_page(context: str, waiting: Mapping[str, Sequence[str]]) -> list[str]:
    module = importlib.import_module(f"shared.events.{context}")
    lines = [f"## {context}", "", _first_line(module), ""]
    for event in published(context):
        lines += _event_page(event, waiting.get(event.topic, ()))
    return lines + _values_page(module)


def _event_page(event: type[Event], waiting: Sequence[str]) -> list[str]:
    lines = [
        f"### {event.__name__}",
        "",
        _prose(event),
        "",
        f"`{event.topic}` · stream: {_stream(event)}{_subject(event)}",
        "",
    ]
    if event.model_fields:
        lines += [*_table(event), ""]
    if waiting:
        lines += [f"Heard by: {', '.join(sorted(set(waiting)))}.", ""]
    return lines


def _values_page(module: types.ModuleType) -> list[str]:
    lines: list[str] = []
    for kind in vars(module).values():
        if not (isinstance(kind, type) and kind.__module__ == module.__name__):
            continue
        if issubclass(kind, values.Value) and kind is not values.Value:
            lines += [f"### {kind.__name__}", "", _prose(kind), "", *_table(kind), ""]
        elif issubclass(kind, Enum):
            words = ", ".join(f"`{member.value}`" for member in kind)
            lines += [f"### {kind.__name__}", "", f"{_prose(kind)} One of {words}.", ""]
    return lines


def _vocabulary() -> list[str]:
    sentences = _written_notes(values.__name__)[""]
    return [f"- *{name}*: {sentences[alias]}" for name, alias in _ALIASES.items()]


def _table(model: type[BaseModel]) -> list[str]:
    notes = _notes(model)
    hints = typing.get_type_hints(model, include_extras=True)
    lines = ["| field | type | |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        shown = f"**{name}**" if field.is_required() else name
        personal = "*personal*" if PERSONAL in field.metadata else ""
        note = f"{personal} {notes.get(name, '')}".strip().replace("|", "\\|")
        lines.append(f"| {shown} | {_type(hints[name])} | {note} |")
    return lines


def _type(annotation: Any) -> str:
    for name, alias in _ALIASES.items():
        if annotation is getattr(values, alias):
            return name
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        refs = [mark for mark in arguments[1:] if isinstance(mark, Ref)]
        return f"{refs[0].kind.replace('_', ' ')} id" if refs else _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in arguments if part is not types.NoneType)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    return _WORDS.get(annotation) or f"[{annotation.__name__}](#{annotation.__name__.lower()})"


@cache
def _written_notes(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return the sentences written under names: class to field to sentence, "" for the module."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    bodies = {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    return {name: _sentences(body) for name, body in ({"": tree.body} | bodies).items()}


def _sentences(body: Sequence[ast.stmt]) -> dict[str, str]:
    found = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(sentence))),
            ):
                found[name] = inspect.cleandoc(sentence)
    return found


def _notes(model: type[BaseModel]) -> dict[str, str]:
    notes: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if kind.__module__.startswith("shared.events."):
            notes |= _written_notes(kind.__module__).get(kind.__name__, {})
    return notes


def _stream(event: type[Event]) -> str:
    return str(getattr(event, "stream_kind", "")).replace("_", " ")


def _subject(event: type[Event]) -> str:
    if not event.personal_fields:
        return ""
    return f" · personal to: `{event.subject_field or 'the stream'}`"


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _prose(documented: Any) -> str:
    return " ".join((inspect.getdoc(documented) or "").split())


def _channel(context: str) -> dict[str, Any]:
    return {
        "address": context,
        "description": _first_line(importlib.import_module(f"shared.events.{context}")),
        "messages": {"slice": {"$ref": f"#/components/messages/{context}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": EXCHANGE,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                    "vhost": "/",
                },
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation(context: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{context}"},
        "messages": [{"$ref": f"#/channels/{context}/messages/slice"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _message(context: str) -> dict[str, Any]:
    return {
        "name": f"{context}.slice",
        "title": f"A run of facts from the log of {context}",
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "required": ["context", "first", "last"],
            "properties": {
                "context": {"const": context},
                "first": {"type": "integer", "description": "Position of the first fact."},
                "last": {"type": "integer", "description": "Position of the last fact."},
            },
        },
        "payload": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_EVENTS,
            "items": {
                "oneOf": [
                    {"$ref": f"#/components/schemas/{event.topic}"} for event in published(context)
                ]
            },
        },
    }


def _schemas() -> dict[str, Any]:
    events = list(published())
    _, generated = models_json_schema(
        [(event, "serialization") for event in events],
        ref_template="#/components/schemas/{model}",
    )
    payloads = generated["$defs"]
    for event in events:
        _annotate(event, payloads[event.__name__]["properties"] if event.model_fields else {})
    return {
        "CloudEvent": _ENVELOPE,
        **{event.topic: _cloud_event(event) for event in events},
        **payloads,
    }


def _annotate(event: type[Event], properties: dict[str, Any]) -> None:
    notes, kinds = _notes(event), dict(event.references)
    for name, schema in properties.items():
        schema.pop("title", None)
        if name in notes:
            schema["description"] = notes[name]
        if name in event.personal_fields:
            schema["x-personal"] = event.subject_field or "subject"
        if name in kinds:
            schema["x-refers-to"] = kinds[name]


def _cloud_event(event: type[Event]) -> dict[str, Any]:
    return {
        "description": _prose(event),
        "allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {
                "type": "object",
                "properties": {
                    "type": {"const": event.topic},
                    "source": {"const": f"/annals/{event.context()}"},
                    "subject": {"x-refers-to": getattr(event, "stream_kind", "")},
                    "data": {"$ref": f"#/components/schemas/{event.__name__}"},
                },
            },
        ],
    }


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_MOMENT = {"type": "string", "format": "date-time"}
_ENVELOPE = {
    "type": "object",
    "description": "A fact in its envelope: CloudEvents 1.0 with extension attributes.",
    "required": [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "data",
        "position",
        "version",
        "recordedat",
        "actor",
        "commandid",
        "correlationid",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "The same wherever it is read."},
        "source": _TEXT,
        "type": {"type": "string", "description": "The fact's topic."},
        "subject": {"type": "string", "description": "The stream it belongs to."},
        "time": _MOMENT | {"description": "When it happened in business."},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
        "position": _COUNT | {"description": "Place in the context's log, gapless."},
        "version": _COUNT | {"description": "Place in its stream, gapless."},
        "recordedat": _MOMENT | {"description": "When the system learned it."},
        "actor": {"type": "string", "description": "Employee id, or `system:<policy>`."},
        "commandid": _TEXT,
        "correlationid": _TEXT,
        "causationid": {"type": "string", "description": "The fact that led to it."},
        "importid": _TEXT,
        "rule": {"type": "string", "description": "Id and version of the rule that decided."},
        "erased": {"type": "boolean", "description": "The person's data is destroyed."},
    },
}

if __name__ == "__main__":
    main()
