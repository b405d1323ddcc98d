"""Logs over gRPC: `annals.log.v1.EventLog/Read`, from which others catch up."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory
from grpc_status import rpc_status

from shared.chassis.api.contract import PROTO, load_file
from shared.chassis.api.errors import status_of, status_of_error
from shared.chassis.api.identity import Identity
from shared.chassis.api.rights import Rights
from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.slices import Parcel, cut
from shared.chassis.shapes import Forbidden, Invalid, NotFound, Refused

__all__ = ["log_handler", "pull"]

_FILE: Path = PROTO / "annals" / "log" / "v1" / "log.binpb"
_SERVICE = "annals.log.v1.EventLog"
_METHOD = f"/{_SERVICE}/Read"
_BATCH = 256

_messages = load_file(_FILE).message_types_by_name
_ReadRequest: Any = message_factory.GetMessageClass(_messages["ReadRequest"])
_Slice: Any = message_factory.GetMessageClass(_messages["Slice"])


def log_handler(
    logs: Mapping[str, EventLog], identity: Identity, rights: Mapping[str, Rights]
) -> grpc.GenericRpcHandler:
    """Serve these logs, by context, to whoever has the right `<context>.ReadLog`."""

    def read(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            authorization = dict(context.invocation_metadata()).get("authorization")
            actor = identity.identify(authorization)
            log = logs.get(request.context)
            if log is None:
                raise NotFound("log", request.context)
            if not rights[request.context].allows(actor, f"{request.context}.ReadLog"):
                raise Forbidden(f"{request.context}.ReadLog")
            if request.after < 0 or request.limit < 0:
                raise Invalid.one("after", "must not be negative")
            for parcel in _parcels(log, request.after, request.limit):
                if not context.is_active():
                    return
                yield _Slice(
                    context=parcel.context, first=parcel.first, last=parcel.last, batch=parcel.body
                )
        except Refused as refusal:
            status = status_of(refusal)
        except Exception as error:  # noqa: BLE001 - told to the log, hidden from the caller
            status = status_of_error(error, _METHOD)
        else:
            return
        context.abort_with_status(rpc_status.to_status(status))

    handler = grpc.unary_stream_rpc_method_handler(
        read,
        request_deserializer=_ReadRequest.FromString,
        response_serializer=_Slice.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_SERVICE, {"Read": handler})


def pull(
    channel: grpc.Channel,
    context: str,
    after: int,
    limit: int = 0,
    *,
    token: str | None = None,
    timeout: float = 60.0,
) -> Iterator[Parcel]:
    """Read another service's log.

    Args:
        channel: to a server that keeps the log.
        context: whose log.
        after: read the facts with positions greater than this.
        limit: at most so many facts; 0 reads to the end.
        token: this service's bearer token.
        timeout: seconds for the whole read.

    Raises:
        grpc.RpcError: the server refuses or cannot be reached.
    """
    call = channel.unary_stream(
        _METHOD,
        request_serializer=_ReadRequest.SerializeToString,
        response_deserializer=_Slice.FromString,
    )
    metadata = [("authorization", f"Bearer {token}")] if token else []
    request = _ReadRequest(context=context, after=after, limit=limit)
    for piece in call(request, timeout=timeout, metadata=metadata):
        yield Parcel(piece.context, piece.first, piece.last, piece.batch)


def _parcels(log: EventLog, after: int, limit: int) -> Iterator[Parcel]:
    left = limit or float("inf")
    while left > 0:
        facts = log.read(after, int(min(_BATCH, left)))
        if not facts:
            return
        yield from cut(facts)
        after = facts[-1].position
        left -= len(facts)
