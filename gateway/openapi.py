"""The OpenAPI document (3.1): the contexts' parts and what all of them share."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.chassis.api.contract import Contract

__all__ = ["document"]

_TEXT = {"type": "string"}
_DESCRIPTION = """\
Annals keeps every change as a fact. Commands answer with the record's `id` and `version` and the
`position` of the log; pass `<context>:<position>` (also in the header `Annals-Position`) as
`min_position` to a query to read your own writes.

Send `Idempotency-Key` to make a command safe to repeat, and `If-Match` with a record's version to
have it refused when somebody else was faster. Refusals are problem documents (RFC 9457) that name
the broken rule.
"""


def document(contracts: Iterable[Contract], *, version: str) -> dict[str, Any]:
    """Return the whole document.

    Args:
        contracts: of the contexts the gateway serves.
        version: of the product.
    """
    fragments = [contract.openapi for contract in contracts]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Annals", "version": version, "description": _DESCRIPTION},
        "tags": [{"name": f["context"], "description": f["description"]} for f in fragments],
        "paths": _merged(f["paths"] for f in fragments),
        "components": {
            "schemas": _SCHEMAS | _merged(f["schemas"] for f in fragments),
            "parameters": _PARAMETERS,
            "responses": _RESPONSES,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
        "security": [{"bearer": []}, {}],
    }


def _merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put mappings of mappings together; two contexts may share a path, not an operation."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            whole[key] = {**whole.get(key, {}), **value}
    return whole


def _header(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": schema, "description": description}


_PARAMETERS = {
    "IdempotencyKey": _header(
        "Idempotency-Key",
        {**_TEXT, "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
        "From the same person to the same method and path, a key acts once; repeats get the first "
        "answer, whatever their body.",
    ),
    "IfMatch": _header(
        "If-Match",
        {**_TEXT, "pattern": r'^(\*|(W/)?"?\d{1,9}"?)$', "examples": ['"3"']},
        "The version the caller saw; if the record has moved on, the command is refused with 412.",
    ),
    "OccurredAt": _header(
        "Annals-Occurred-At",
        {**_TEXT, "format": "date-time"},
        "When it happened, for late entry; needs the right `<context>.LateEntry`.",
    ),
    "CorrelationId": _header(
        "Annals-Correlation-Id",
        {**_TEXT, "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
        "Ties this command to others of one conversation; a new one when absent.",
    ),
}
_SCHEMAS: dict[str, Any] = {
    "Answer": {
        "type": "object",
        "description": "What an accepted command gives back.",
        "required": ["id", "version", "position", "outcome"],
        "properties": {
            "id": {**_TEXT, "description": "The entity the command was about or created."},
            "version": {"type": "integer", "description": "Its version now."},
            "position": {"type": "integer", "description": "The log position to wait for."},
            "outcome": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": "Further ids or words.",
            },
        },
    },
    "Problem": {
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {**_TEXT, "examples": ["urn:annals:problem:LeadIsSettled"]},
            "title": {**_TEXT, "description": "The kind of problem."},
            "status": {"type": "integer"},
            "detail": {**_TEXT, "description": "This problem, for a person."},
            "rule": {**_TEXT, "description": "Name of the broken rule."},
            "details": {"type": "object", "description": "Facts for a program."},
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {
                        "field": {**_TEXT, "examples": ["phones.0"]},
                        "description": _TEXT,
                    },
                },
            },
        },
    },
}
_RESPONSES = {
    "Problem": {
        "description": "Refused, with the reason.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
}
