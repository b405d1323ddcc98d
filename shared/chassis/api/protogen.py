"""Writes a context's contract from its commands, queries and views.

    python -m shared.chassis.api.protogen                     every service
    python -m shared.chassis.api.protogen services.leads.service
    python -m shared.chassis.api.protogen --check             exit 1 when a contract is stale

Field numbers never change: they are read from the contract as it stands, new fields take the next
number, and the number and name of a removed field are reserved for ever.
"""

import argparse
import importlib
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import google.api
import grpc_tools
import orjson
from google.protobuf import descriptor_pb2
from grpc_tools import protoc
from pydantic import BaseModel

from shared.chassis.api.contract import PROTO
from shared.chassis.api.openapi import fragment
from shared.chassis.api.route import route_of
from shared.chassis.api.wire import STRUCT, TIMESTAMP, VALUE, Wire, field_text, message_name, wire
from shared.chassis.service import Service
from shared.chassis.shapes import Answer, Request

__all__ = ["compile_proto", "main", "proto_text", "stale", "write"]

_KEEPS_ORDER = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_TYPES = {
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING: "string",
    descriptor_pb2.FieldDescriptorProto.TYPE_INT64: "int64",
    descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE: "double",
    descriptor_pb2.FieldDescriptorProto.TYPE_BOOL: "bool",
}
_IMPORTS = {TIMESTAMP: "timestamp", STRUCT: "struct", VALUE: "struct"}
_WIDTH = 98
_WRITTEN = [PROTO / "annals" / name / "v1" / f"{name}.proto" for name in ("calls", "log")]
"""The contracts that people write."""


class _Field(NamedTuple):
    name: str
    type: str
    """As written: `repeated string`, `map<string, string>`, `optional int64`."""
    text: str
    required: bool


class _Message(NamedTuple):
    name: str
    text: str
    fields: tuple[_Field, ...]


class _Numbers:
    """The numbers a message's fields have had so far."""

    def __init__(self, old: descriptor_pb2.DescriptorProto | None) -> None:
        self.numbers: dict[str, tuple[int, str]] = {}
        self.reserved_numbers: set[int] = set()
        self.reserved_names: set[str] = set()
        if old is None:
            return
        self.numbers = {f.name: (f.number, _written_type(f, old)) for f in old.field}
        self.reserved_numbers = {n for r in old.reserved_range for n in range(r.start, r.end)}
        self.reserved_names = set(old.reserved_name)

    def assign(self, fields: Iterable[_Field]) -> dict[str, int]:
        """Return each field's number; what is gone or has another type now is reserved."""
        fields = tuple(fields)
        kept = {
            f.name: number
            for f in fields
            if (known := self.numbers.get(f.name)) and known[1] == f.type and (number := known[0])
        }
        for name, (number, _) in self.numbers.items():
            if name not in kept:
                self.reserved_numbers.add(number)
                self.reserved_names.add(name)
        self.reserved_names -= {f.name for f in fields}
        last = max([*kept.values(), *self.reserved_numbers], default=0)
        for field in fields:
            if field.name not in kept:
                last += 1
                kept[field.name] = last
        return kept


def proto_text(service: Service, current: descriptor_pb2.FileDescriptorProto | None = None) -> str:
    """Return the text of a service's `.proto` file.

    Args:
        service: the commands, queries and views.
        current: the contract as it stands, whose field numbers are kept.

    Raises:
        TypeError: a field has no form on the wire, two models share a name, a route is malformed.
    """
    requests = service.requests()
    messages = _messages(service)
    old = {message.name: message for message in current.message_type} if current else {}
    imports = {"google/api/annotations.proto"}
    for message in messages:
        for field in message.fields:
            imports |= {
                f"google/protobuf/{file}.proto"
                for name, file in _IMPORTS.items()
                if name in field.type
            }
            if field.required:
                imports.add("google/api/field_behavior.proto")
    lines = [
        "// Written by `make proto` from the commands, queries and views of this service.",
        'syntax = "proto3";',
        "",
        f"package annals.{service.name}.v1;",
        "",
        *(f'import "{name}";' for name in sorted(imports)),
        "",
        *_comment(service.description, ""),
        f"service {service.name.title()} {{",
    ]
    for name, method in requests.items():
        answer = _answer_name(method.response)
        lines += [
            *_comment(_own_text(method.request), "  "),
            f"  rpc {name}({name}Request) returns ({answer}) {{{_option(method.request)}}}",
        ]
    lines.append("}")
    for message in messages:
        lines += ["", *_rendered(message, _Numbers(old.get(message.name)))]
    return "\n".join([*lines, ""])


def compile_proto(files: Sequence[Path], proto: Path = PROTO) -> bytes:
    """Return the `FileDescriptorSet` of `files` without what they import.

    Raises:
        ValueError: protoc does not accept them; it says why on standard error.
    """
    roots = [
        proto,
        Path(grpc_tools.__file__).parent / "_proto",
        Path(next(iter(google.api.__path__))).parents[1],
    ]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.binpb"
        arguments = ["protoc", *(f"-I{root}" for root in roots), f"--descriptor_set_out={out}"]
        if protoc.main([*arguments, *map(str, files)]) != 0:
            raise ValueError(f"protoc refuses {', '.join(map(str, files))}")
        return out.read_bytes()


def write(service: Service, proto: Path = PROTO) -> None:
    """Write a service's contract: the proto, its compiled form, and the OpenAPI fragment."""
    folder = proto / "annals" / service.name / "v1"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{service.name}.proto"
    path.write_text(proto_text(service, _current(path, proto)))
    path.with_suffix(".binpb").write_bytes(compile_proto([path], proto))
    path.with_suffix(".openapi.json").write_bytes(_json(fragment(service)))


def stale(service: Service, proto: Path = PROTO) -> list[Path]:
    """Return the files of a service's contract that are not what `write` would write."""
    path = proto / "annals" / service.name / "v1" / f"{service.name}.proto"
    if not path.exists():
        return [path]
    expected = {
        path: proto_text(service, _current(path, proto)).encode(),
        path.with_suffix(".binpb"): compile_proto([path], proto),
        path.with_suffix(".openapi.json"): _json(fragment(service)),
    }
    return [file for file, content in expected.items() if not _has(file, content)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the contracts named on the command line; all of them without names."""
    parser = argparse.ArgumentParser(prog="python -m shared.chassis.api.protogen")
    parser.add_argument("modules", nargs="*", help="service modules, e.g. services.leads.service")
    parser.add_argument("--check", action="store_true", help="only say which files are stale")
    options = parser.parse_args(arguments)
    services = [
        importlib.import_module(name).SERVICE for name in options.modules or _service_modules()
    ]
    outdated = [file for service in services for file in stale(service)]
    written = {file.with_suffix(".binpb"): compile_proto([file]) for file in _WRITTEN}
    outdated += [file for file, compiled in written.items() if not _has(file, compiled)]
    if options.check:
        sys.stderr.writelines(f"{file} is stale: run `make proto`\n" for file in outdated)
        return 1 if outdated else 0
    for service in services:
        write(service)
    for file, compiled in written.items():
        file.write_bytes(compiled)
    sys.stderr.write(f"{len(services)} contracts, {len(outdated)} files changed\n")
    return 0


def _messages(service: Service) -> list[_Message]:
    """Return the messages: requests in the order of the methods, then the others by name."""
    methods = service.requests()
    models: dict[str, Any] = {}
    for name, method in methods.items():
        _collect(models, f"{name}Request", method.request)
    for method in methods.values():
        if method.response is not Answer:
            _collect(models, message_name(method.response), method.response)
    if "Answer" in models:
        raise TypeError(f"a model of {service.name} is called Answer")
    messages = {name: _message(name, model) for name, model in models.items()}
    if any(method.response is Answer for method in methods.values()):
        messages["Answer"] = _ANSWER
    asked = [f"{name}Request" for name in methods]
    return [messages[name] for name in [*asked, *sorted(messages.keys() - set(asked))]]


def _collect(models: dict[str, Any], name: str, model: type[BaseModel]) -> None:
    """Add a model and all it holds."""
    if name in models:
        if models[name] is not model:
            raise TypeError(f"{models[name]!r} and {model!r} are both called {name}")
        return
    models[name] = model
    for field in model.model_fields.values():
        form = wire(field.annotation)
        if form.model is not None:
            _collect(models, form.kind, form.model)


def _message(name: str, model: type[BaseModel]) -> _Message:
    asked = issubclass(model, Request)
    fields = (
        _Field(
            key,
            _written(wire(field.annotation)),
            field_text(model, key, field),
            asked and field.is_required(),
        )
        for key, field in model.model_fields.items()
    )
    return _Message(name, _own_text(model), tuple(fields))


_ANSWER = _Message(
    "Answer",
    "What an accepted command gives back.",
    (
        _Field("id", "string", "The entity the command was about or created.", required=False),
        _Field("version", "int64", "Its version now.", required=False),
        _Field(
            "position",
            "int64",
            "The log position to wait for before reading (`min_position`).",
            required=False,
        ),
        _Field("outcome", "map<string, string>", "Further ids or words.", required=False),
    ),
)


def _answer_name(response: Any) -> str:
    return "Answer" if response is Answer else message_name(response)


def _written(form: Wire) -> str:
    """Write the type; every single scalar is `optional`, so that zero and absent differ."""
    if form.cardinality == "map":
        return f"map<string, {form.kind}>"
    if form.cardinality == "many":
        return f"repeated {form.kind}"
    return f"optional {form.kind}" if form.scalar else form.kind


def _written_type(field: Any, message: descriptor_pb2.DescriptorProto) -> str:
    """Return a compiled field's type as `_written` writes it."""
    name = _TYPES.get(field.type) or _short(field.type_name)
    if field.label == _KEEPS_ORDER:
        entry = next((n for n in message.nested_type if _short(field.type_name) == n.name), None)
        if entry is not None and entry.options.map_entry:
            value = entry.field[1]
            return f"map<string, {_TYPES.get(value.type) or _short(value.type_name)}>"
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _short(type_name: str) -> str:
    """Return `.annals.leads.v1.LeadView` as `LeadView`, well-known types in full."""
    name = type_name.removeprefix(".")
    return name if name.startswith("google.") else name.rpartition(".")[2]


def _rendered(message: _Message, known: _Numbers) -> list[str]:
    numbers = known.assign(message.fields)
    lines = [*_comment(message.text, ""), f"message {message.name} {{"]
    if known.reserved_numbers:
        lines.append(f"  reserved {', '.join(map(str, sorted(known.reserved_numbers)))};")
    if known.reserved_names:
        names = ", ".join(f'"{name}"' for name in sorted(known.reserved_names))
        lines.append(f"  reserved {names};")
    for field in message.fields:
        option = " [(google.api.field_behavior) = REQUIRED]" if field.required else ""
        lines += [
            *_comment(field.text, "  "),
            f"  {field.type} {field.name} = {numbers[field.name]}{option};",
        ]
    return [*lines, "}"]


def _option(request: type[Request]) -> str:
    route = route_of(request)
    if route is None:
        return ""
    body = '\n      body: "*"' if route.body else ""
    return (
        "\n    option (google.api.http) = {"
        f'\n      {route.verb.lower()}: "{route.path}"{body}\n    }};\n  '
    )


def _own_text(model: Any) -> str:
    text = model.__doc__ if "__doc__" in vars(model) else ""
    return re.sub(r"\s+", " ", text or "").strip()


def _comment(text: str, indent: str) -> list[str]:
    words, lines, width = text.split(), [""], _WIDTH - len(indent) - 3
    for word in words:
        if len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [f"{indent}// {line}" for line in lines if line]


def _current(path: Path, proto: Path) -> descriptor_pb2.FileDescriptorProto | None:
    if not path.exists():
        return None
    return descriptor_pb2.FileDescriptorSet.FromString(compile_proto([path], proto)).file[0]


def _json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _has(file: Path, content: bytes) -> bool:
    return file.exists() and file.read_bytes() == content


def _service_modules() -> list[str]:
    services = PROTO.parent / "services"
    return sorted(f"services.{path.parent.name}.service" for path in services.glob("*/service.py"))


if __name__ == "__main__":
    sys.exit(main())
