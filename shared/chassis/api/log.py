"""Logs over gRPC: `annals.log.v1.EventLog/Read`, from which others catch up."""

from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from shared.chassis.api.errors import status_of, status_of_error
from shared.chassis.api.identity import Identity
from shared.chassis.api.logwire import READ, SERVICE, ReadRequest, SliceMessage, parcel
from shared.chassis.api.rights import Rights
from shared.chassis.database import OUTAGE
from shared.chassis.eventstore import EventLog
from shared.chassis.logs import describe
from shared.chassis.messaging.slices import Parcel, cut
from shared.chassis.shapes import Forbidden, Invalid, NotFound, Refused, Unavailable

__all__ = ["log_handler", "pull"]

_BATCH = 256
_log = structlog.get_logger()


def log_handler(
    logs: Mapping[str, EventLog], identity: Identity, rights: Mapping[str, Rights]
) -> grpc.GenericRpcHandler:
    """Serve these logs, by context, to whoever has the right `<context>.ReadLog`."""

    def read(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            log = _asked(request, context, logs, identity, rights)
            tip = log.tip()
            for piece in _parcels(log, request.after, request.limit):
                if not context.is_active():
                    return
                yield SliceMessage(
                    context=piece.context,
                    first=piece.first,
                    last=piece.last,
                    batch=piece.body,
                    tip=max(tip, piece.last),
                )
        except Refused as refusal:
            status = status_of(refusal)
        except OUTAGE as error:
            _log.warning("database failed", method=READ, error=describe(error))
            status = status_of(Unavailable("the database does not answer; try again"))
        except Exception as error:  # noqa: BLE001 - told to the log, hidden from the caller
            status = status_of_error(error, READ)
        else:
            return
        context.abort_with_status(rpc_status.to_status(status))

    handler = grpc.unary_stream_rpc_method_handler(
        read,
        request_deserializer=ReadRequest.FromString,
        response_serializer=SliceMessage.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"Read": handler})


def _asked(
    request: Any,
    context: grpc.ServicerContext,
    logs: Mapping[str, EventLog],
    identity: Identity,
    rights: Mapping[str, Rights],
) -> EventLog:
    actor = identity.identify(dict(context.invocation_metadata()).get("authorization"))
    log = logs.get(request.context)
    if log is None:
        raise NotFound("log", request.context)
    if not rights[request.context].allows(actor, f"{request.context}.ReadLog"):
        raise Forbidden(f"{request.context}.ReadLog")
    if request.after < 0 or request.limit < 0:
        raise Invalid.one("after", "must not be negative")
    return log


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
        READ,
        request_serializer=ReadRequest.SerializeToString,
        response_deserializer=parcel,
    )
    metadata = [("authorization", f"Bearer {token}")] if token else []
    request = ReadRequest(context=context, after=after, limit=limit)
    yield from call(request, timeout=timeout, metadata=metadata)


def _parcels(log: EventLog, after: int, limit: int) -> Iterator[Parcel]:
    left = limit or float("inf")
    while left > 0:
        facts = log.raw(after, int(min(_BATCH, left)))
        if not facts:
            return
        yield from cut(facts)
        after = facts[-1].position
        left -= len(facts)
