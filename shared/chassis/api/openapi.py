"""A context's part of the OpenAPI document, from the same models as its proto.

The gateway puts the parts together and adds what all contexts share: the schemas `Answer` and
`Problem`, and the headers of commands, which stand here by reference only.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from shared.chassis.api.route import Route, route_of
from shared.chassis.api.wire import field_text, message_name
from shared.chassis.service import Service
from shared.chassis.shapes import Answer, Request

__all__ = ["fragment"]

_SCHEMAS = "#/components/schemas/"
_COMMAND_HEADERS = ("IdempotencyKey", "IfMatch", "OccurredAt", "CorrelationId")


class _WireSchema(GenerateJsonSchema):
    """Describes values as they travel: decimals are text; fields are not titled."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        places = schema.get("decimal_places")
        fraction = r"(\.\d+)?" if places is None else rf"(\.\d{{1,{places}}})?" if places else ""
        sign = "" if schema.get("ge", -1) >= 0 or schema.get("gt", -1) >= 0 else "-?"
        return {"type": "string", "format": "decimal", "pattern": rf"^{sign}\d+{fraction}$"}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def fragment(service: Service) -> dict[str, Any]:
    """Return the service's `paths` and `schemas`, with its name and description."""
    requests = service.requests()
    views = {m.response for m in requests.values() if m.response is not Answer}
    schemas, names = _schemas(
        service.name, [method.request for method in requests.values()], list(views)
    )
    paths: dict[str, dict[str, Any]] = {}
    for name, method in requests.items():
        route = route_of(method.request)
        own = schemas.pop(names[method.request])
        if route is None:
            continue
        answer = "Answer" if method.response is Answer else names[method.response]
        operation = _operation(f"{service.name}.{name}", method.request, answer)
        parameters, rest = _split(own, route)
        if route.body:
            schemas[f"{service.name}.{name}"] = rest
            operation["requestBody"] = {
                "required": bool(rest.get("required")),
                "content": {"application/json": _ref(f"{service.name}.{name}")},
            }
        else:
            parameters += [_query_parameter(k, v, rest) for k, v in rest["properties"].items()]
        if method.response is Answer:
            parameters += [{"$ref": f"#/components/parameters/{h}"} for h in _COMMAND_HEADERS]
        operation["parameters"] = parameters
        paths.setdefault(route.path, {})[route.verb.lower()] = operation
    return {
        "context": service.name,
        "description": service.description,
        "paths": dict(sorted(paths.items())),
        "schemas": dict(sorted(schemas.items())),
    }


def _schemas(
    context: str, requests: list[type[Request]], views: list[Any]
) -> tuple[dict[str, Any], dict[Any, str]]:
    """Return the schemas by component name, and the component name of each model."""
    found, definitions = models_json_schema(
        [*((r, "validation") for r in requests), *((v, "serialization") for v in views)],
        ref_template=f"{_SCHEMAS}{context}.{{model}}",
        schema_generator=_WireSchema,
    )
    models = {model: ref["$ref"].removeprefix(_SCHEMAS) for (model, _), ref in found.items()}
    renamed = {models[view]: f"{context}.{message_name(view)}" for view in views}
    schemas = {
        renamed.get(f"{context}.{name}", f"{context}.{name}"): schema
        for name, schema in definitions.get("$defs", {}).items()
    }
    for model in [*requests, *views]:
        name = renamed.get(models[model], models[model])
        _describe(model, schemas[name])
        models[model] = name
    return _renamed(schemas, renamed), models


def _describe(model: type[BaseModel], schema: dict[str, Any]) -> None:
    for name, field in model.model_fields.items():
        text = field_text(model, name, field)
        if text:
            schema["properties"][name].setdefault("description", text)


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    target = str(schema.get("$ref", "")).removeprefix(_SCHEMAS)
    if target in names:
        return schema | {"$ref": _SCHEMAS + names[target]}
    return {key: _renamed(value, names) for key, value in schema.items()}


def _operation(right: str, request: type[Request], answer: str) -> dict[str, Any]:
    text = re.sub(r"\s+", " ", request.__doc__ or "").strip()
    summary, _, rest = text.partition(". ")
    operation = {
        "operationId": right,
        "tags": [right.partition(".")[0]],
        "summary": summary.rstrip("."),
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": _ref(answer)}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
        "x-right": right,
    }
    if rest:
        operation["description"] = rest
    return operation


def _split(own: dict[str, Any], route: Route) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Take the path's parameters out of a request's schema."""
    properties = dict(own.get("properties", {}))
    parameters = [
        _parameter(name, "path", properties.pop(name), required=True) for name in route.parameters
    ]
    rest = own | {"properties": properties}
    rest.pop("required", None)
    required = [name for name in own.get("required", ()) if name in properties]
    if required:
        rest["required"] = required
    return parameters, rest


def _query_parameter(name: str, schema: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    return _parameter(name, "query", schema, required=name in rest.get("required", ()))


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    schema = dict(schema)
    parameter: dict[str, Any] = {"name": name, "in": place, "required": required}
    if text := schema.pop("description", ""):
        parameter["description"] = text
    options = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        schema |= options[0]
    elif options:
        schema["anyOf"] = options
    if schema.get("default", ...) is None:
        del schema["default"]
    return parameter | {"schema": schema}


def _ref(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": _SCHEMAS + name}}
