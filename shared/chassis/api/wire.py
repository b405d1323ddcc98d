"""How pydantic annotations travel: the proto type of every field of a request or view."""

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, TypeAdapter
from pydantic.fields import FieldInfo

__all__ = ["STRUCT", "TIMESTAMP", "VALUE", "Wire", "field_text", "message_name", "wire"]

TIMESTAMP = "google.protobuf.Timestamp"
STRUCT = "google.protobuf.Struct"
VALUE = "google.protobuf.Value"

_SCALARS = {"string": "string", "integer": "int64", "number": "double", "boolean": "bool"}
"""JSON types and their proto types."""


class Wire(NamedTuple):
    """The proto side of one field."""

    kind: str
    """A proto type: `string`, `int64`, a well-known type, or the name of a message."""
    cardinality: Literal["one", "many", "map"] = "one"
    model: type[BaseModel] | None = None
    """The model behind a message type."""
    scalar: bool = True


def wire(annotation: Any) -> Wire:
    """Return how values of `annotation` travel.

    Text, ids, decimals, dates and enums are strings; whole numbers int64; aware moments
    timestamps; lists repeated; dictionaries maps, or a Struct when their values are of any kind;
    models messages. What proto3 has no type for (unions, lists of lists) is a Value.

    Raises:
        TypeError: the annotation has no form on the wire.
    """
    annotation = _plain(annotation)
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return Wire(message_name(annotation), model=annotation, scalar=False)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _map(arguments)
    if (
        isinstance(origin, type)
        and issubclass(origin, (Sequence, AbstractSet))
        and not issubclass(origin, str)
    ):
        return _list(arguments)
    if origin in {Union, types.UnionType}:
        return _common(arguments)
    if annotation is Any or annotation is object:
        return Wire(VALUE, scalar=False)
    return _scalar(annotation)


def message_name(model: Any) -> str:
    """Return the message's name: the class name, `LeadRowPage` for `Page[LeadRow]`."""
    metadata = model.__pydantic_generic_metadata__
    if metadata["origin"] is None:
        return str(model.__name__)
    parts = [message_name(argument) for argument in metadata["args"]]
    return "".join([*parts, metadata["origin"].__name__])


def field_text(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return what a field says of itself: its description, or the string below its definition."""
    if field.description:
        return field.description
    for cls in model.__mro__:
        if name in inspect.get_annotations(cls):
            return _attribute_texts(cls).get(name, "")
    return ""


def _plain(annotation: Any) -> Any:
    """Take off what does not change the type: metadata, new type names, `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif get_origin(annotation) in {Union, types.UnionType}:
            rest = [one for one in get_args(annotation) if one is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation


def _scalar(annotation: Any) -> Wire:
    """Go by the JSON that pydantic writes values of this type as."""
    try:
        schema = TypeAdapter(annotation).json_schema(mode="serialization")
    except PydanticUserError:
        schema = {}
    if schema.get("format") == "date-time":
        return Wire(TIMESTAMP, scalar=False)
    if schema.get("type") not in _SCALARS:
        raise TypeError(f"{annotation!r} has no form on the wire")
    return Wire(_SCALARS[schema["type"]])


def _list(arguments: tuple[Any, ...]) -> Wire:
    item = wire(arguments[0]) if arguments else Wire(VALUE, scalar=False)
    if item.cardinality != "one":
        return Wire(VALUE, "many", scalar=False)
    return item._replace(cardinality="many")


def _map(arguments: tuple[Any, ...]) -> Wire:
    key = wire(arguments[0]) if arguments else Wire("string")
    if key.kind != "string":
        raise TypeError(f"a map's keys are text, not {key.kind}")
    value = wire(arguments[1]) if arguments else Wire(VALUE, scalar=False)
    if value.kind in {VALUE, STRUCT} or value.cardinality != "one":
        return Wire(STRUCT, scalar=False)
    return value._replace(cardinality="map")


def _common(kinds: Sequence[Any]) -> Wire:
    wires = {wire(kind) for kind in kinds if kind is not type(None)}
    return wires.pop() if len(wires) == 1 else Wire(VALUE, scalar=False)


@cache
def _attribute_texts(cls: type) -> dict[str, str]:
    """Read the strings below a class's attributes, as Sphinx and pydantic do."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = [line for node in tree.body if isinstance(node, ast.ClassDef) for line in node.body]
    texts: dict[str, str] = {}
    for statement, below in pairwise(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            texts[statement.target.id] = re.sub(r"\s+", " ", str(below.value.value)).strip()
    return texts
