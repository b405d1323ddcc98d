"""Contracts: what a context's compiled proto says, for whoever serves or calls it.

`proto/annals/<context>/v1/` holds the contract as three generated files: `<context>.proto` for
people and other languages, `<context>.binpb` (the same, compiled to a `FileDescriptorSet`) and
`<context>.openapi.json`. Server and gateway read the last two and need no generated code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)

from shared.chassis.api.route import Route

__all__ = ["PROTO", "Contract", "Rpc", "all_contracts", "load_file"]

PROTO = Path(__file__).parents[3] / "proto"
"""Where the contracts stand."""

_KNOWN = (annotations_pb2, field_behavior_pb2, struct_pb2, timestamp_pb2)
"""Imported so that the pool knows what the contracts import."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method of a contract."""

    name: str
    path: str
    """The gRPC path: `/annals.leads.v1.Leads/ClaimLead`."""
    right: str
    """The right needed to call it: `leads.ClaimLead`."""
    request: type[Any]
    """Message class of the request."""
    response: type[Any]
    route: Route | None

    @property
    def changes(self) -> bool:
        """Whether it is a command."""
        return str(self.response.DESCRIPTOR.name) == "Answer"


@dataclass(frozen=True)
class Contract:
    """A context's service as compiled.

    Args:
        context: `leads`.
        service: full name of the gRPC service, `annals.leads.v1.Leads`.
        rpcs: the methods by name.
        folder: where the contract's files stand.
    """

    context: str
    service: str
    rpcs: Mapping[str, Rpc] = field(repr=False)
    folder: Path

    @classmethod
    def load(cls, context: str, proto: Path = PROTO) -> "Contract":
        """Read a context's compiled contract.

        Raises:
            FileNotFoundError: there is none under `proto`.
        """
        folder = proto / "annals" / context / "v1"
        file = load_file(folder / f"{context}.binpb")
        (service,) = file.services_by_name.values()
        rpcs = {
            method.name: Rpc(
                name=method.name,
                path=f"/{service.full_name}/{method.name}",
                right=f"{context}.{method.name}",
                request=message_factory.GetMessageClass(method.input_type),
                response=message_factory.GetMessageClass(method.output_type),
                route=_route(method),
            )
            for method in service.methods
        }
        return cls(context, service.full_name, rpcs, folder)

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """The context's paths and schemas for the OpenAPI document."""
        text = (self.folder / f"{self.context}.openapi.json").read_bytes()
        fragment: dict[str, Any] = orjson.loads(text)
        return fragment


def all_contracts(proto: Path = PROTO) -> Iterator[Contract]:
    """Load every context's contract under `proto`."""
    for folder in sorted((proto / "annals").iterdir()):
        if (folder / "v1" / f"{folder.name}.openapi.json").exists():
            yield Contract.load(folder.name, proto)


def load_file(path: Path) -> Any:
    """Add a compiled file to the process's descriptor pool and return its descriptor."""
    compiled = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    pool = descriptor_pool.Default()
    for file in compiled.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(compiled.file[-1].name)


def _route(method: Any) -> Route | None:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule = options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return Route(verb.upper(), getattr(rule, verb))
