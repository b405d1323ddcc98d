"""The gRPC server: every method of a contract bound to the application or question of its name."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from prometheus_client import Counter, Histogram
from pydantic import ValidationError

from shared.chassis.api.codec import reader, writer
from shared.chassis.api.contract import PROTO, Contract, Rpc
from shared.chassis.api.errors import invalid, status_of, status_of_error
from shared.chassis.api.identity import Identity
from shared.chassis.api.log import log_handler
from shared.chassis.api.rights import Rights, RoleRights, StoredRights
from shared.chassis.service import Method, OpenService
from shared.chassis.shapes import (
    Actor,
    Envelope,
    Forbidden,
    Invalid,
    Refused,
    fresh_id,
)

__all__ = ["MAX_MESSAGE", "ApiServer", "Unbound"]

MAX_MESSAGE = 4 * 1024 * 1024
"""Larger requests are refused, in bytes."""

_VERSION = re.compile(r"^\d{1,9}$", re.ASCII)
_ID = re.compile(r"^[\x21-\x7e]{1,200}$")
_CALLS = Counter("annals_rpc_calls", "Calls by method and status.", ["method", "code"])
_SECONDS = Histogram("annals_rpc_seconds", "Seconds in the service by method.", ["method"])
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the client's retry policy that an answer is final (gRFC A6)."""

Answerer = Callable[[Any, Mapping[str, str], Actor], Any]


class Unbound(Exception):
    """Contract and service do not match: a method of one is missing in the other."""


class ApiServer:
    """Serves one or several contexts over gRPC, with health, reflection and their logs.

    Args:
        services: the open services; their contracts must be written and up to date.
        identity: tells who is asking.
        address: where to listen, `127.0.0.1:50051` or `unix:/path`; port 0 takes a free one.
        proto: where the contracts stand.
        credentials: TLS; plain when None.
        threads: calls worked on at once.

    Raises:
        Unbound: a contract and its service do not match.
        RuntimeError: the address is taken.
    """

    def __init__(
        self,
        services: Iterable[OpenService],
        *,
        identity: Identity,
        address: str = "127.0.0.1:0",
        proto: Path = PROTO,
        credentials: grpc.ServerCredentials | None = None,
        threads: int = 16,
    ) -> None:
        services = list(services)
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
            maximum_concurrent_rpcs=threads * 64,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = ["", "annals.log.v1.EventLog"]
        rights = {opened.name: rights_of(opened) for opened in services}
        handlers = []
        for opened in services:
            contract = Contract.load(opened.name, proto)
            handlers.append(bound(contract, opened, identity, rights[opened.name]))
            self._names.append(contract.service)
        handlers.append(
            log_handler({opened.name: opened.log for opened in services}, identity, rights)
        )
        self._server.add_generic_rpc_handlers(handlers)
        reflection.enable_server_reflection(
            [*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        self.address = address if address.startswith("unix:") else _with_port(address, port)

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()
        for name in self._names:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace: float = 5.0) -> None:
        """Take no new calls and let running ones end within `grace` seconds."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()


def rights_of(opened: OpenService) -> Rights:
    """Return the rights kept in a service's views.

    Raises:
        Unbound: the service does not fold them.
    """
    if RoleRights not in opened.service.projections:
        raise Unbound(f"{opened.name} has no RoleRights among its projections")
    return StoredRights(opened.views_database)


def bound(
    contract: Contract, opened: OpenService, identity: Identity, rights: Rights
) -> grpc.GenericRpcHandler:
    """Bind every method of a contract.

    Raises:
        Unbound: a method of the contract has no counterpart, or the other way round.
    """
    methods = opened.service.requests()
    if unmatched := contract.rpcs.keys() ^ methods.keys():
        names = ", ".join(sorted(unmatched))
        raise Unbound(f"contract and service of {opened.name} differ in {names}: run `make proto`")
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            guarded(rpc, _answerer(rpc, methods[name], opened, rights), identity, rights),
            request_deserializer=rpc.request.FromString,
            response_serializer=rpc.response.SerializeToString,
        )
        for name, rpc in contract.rpcs.items()
    }
    return grpc.method_handlers_generic_handler(contract.service, handlers)


def guarded(
    rpc: Rpc, answer: Answerer, identity: Identity, rights: Rights
) -> Callable[[Any, grpc.ServicerContext], Any]:
    """Wrap an answer with identity, rights, errors and metrics."""
    seconds = _SECONDS.labels(rpc.path)
    accepted = _CALLS.labels(rpc.path, "OK")

    def attempt(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            metadata = dict(context.invocation_metadata())
            actor = identity.identify(metadata.get("authorization"))
            if not rights.allows(actor, rpc.right):
                raise Forbidden(rpc.right)
            return answer(message, metadata, actor)
        except Refused as refusal:
            return status_of(refusal)
        except Exception as error:  # noqa: BLE001 - told to the log, hidden from the caller
            return status_of_error(error, rpc.path)

    def handle(message: Any, context: grpc.ServicerContext) -> Any:
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "nobody is waiting any more")
        started = time.perf_counter()
        result = attempt(message, context)
        seconds.observe(time.perf_counter() - started)
        if isinstance(result, status_pb2.Status):
            _CALLS.labels(rpc.path, _CODES[result.code]).inc()
            context.abort_with_status(_final(result))
        accepted.inc()
        return result

    return handle


def _final(status: status_pb2.Status) -> grpc.Status:
    """Return a status that no retry policy takes for a broken connection."""
    told = rpc_status.to_status(status)
    return told._replace(trailing_metadata=(*told.trailing_metadata, _NO_RETRY))


def _answerer(rpc: Rpc, method: Method, opened: OpenService, rights: Rights) -> Answerer:
    return _command(rpc, method, opened, rights) if rpc.changes else _query(rpc, method, opened)


def _command(rpc: Rpc, method: Method, opened: OpenService, rights: Rights) -> Answerer:
    application = opened.application
    if application is None:
        raise Unbound(f"{opened.name} has no application for {rpc.name}")
    read, validate = reader(rpc.request), method.request.__pydantic_validator__.validate_python
    response, handle = rpc.response, application.handle
    envelopes = _Envelopes(opened, rights)

    def answer(message: Any, metadata: Mapping[str, str], actor: Actor) -> Any:
        try:
            command = validate(read(message))
        except ValidationError as error:
            raise invalid(error) from None
        answered = handle(command.issued(envelopes.envelope(metadata, actor)))
        return response(
            id=answered.id,
            version=answered.version,
            position=answered.position,
            outcome=answered.outcome,
        )

    return answer


def _query(rpc: Rpc, method: Method, opened: OpenService) -> Answerer:
    question = opened.service.asked[rpc.name]
    read, validate = reader(rpc.request), method.request.__pydantic_validator__.validate_python
    write = writer(rpc.response)

    def answer(message: Any, _metadata: Mapping[str, str], actor: Actor) -> Any:
        try:
            query = validate(read(message))
        except ValidationError as error:
            raise invalid(error) from None
        view = opened.ask(question, query, actor)
        return write(view.__pydantic_serializer__.to_python(view, mode="json"))

    return answer


class _Envelopes:
    """Makes the envelope of a command of the call's metadata."""

    def __init__(self, opened: OpenService, rights: Rights) -> None:
        self._clock = opened.clock
        self._late = f"{opened.name}.LateEntry"
        self._rights = rights

    def envelope(self, metadata: Mapping[str, str], actor: Actor) -> Envelope:
        now = self._clock.now()
        command_id = _name(metadata, "annals-command-id") or fresh_id()
        return Envelope(
            command_id=command_id,
            actor=actor,
            occurred_at=self._occurred(metadata, actor, now),
            recorded_at=now,
            correlation_id=_name(metadata, "annals-correlation-id") or command_id,
            causation_id=_name(metadata, "annals-causation-id"),
            expected_version=_version(metadata),
        )

    def _occurred(self, metadata: Mapping[str, str], actor: Actor, now: datetime) -> datetime:
        text = metadata.get("annals-occurred-at")
        if text is None:
            return now
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
            naive = datetime.fromisoformat(text).tzinfo is None
        except (ValueError, OverflowError):
            naive, moment = True, now
        if naive:
            raise Invalid.one("annals-occurred-at", "must be a moment with its offset")
        if moment > now:
            raise Invalid.one("annals-occurred-at", "lies in the future")
        if not self._rights.allows(actor, self._late):
            raise Forbidden(self._late)
        return moment


def _name(metadata: Mapping[str, str], key: str) -> str | None:
    value = metadata.get(key)
    if value is not None and not _ID.match(value):
        raise Invalid.one(key, "must be 1 to 200 printable characters without spaces")
    return value


def _version(metadata: Mapping[str, str]) -> int | None:
    value = metadata.get("annals-expected-version")
    if value is None:
        return None
    if not _VERSION.match(value):
        raise Invalid.one("annals-expected-version", "must be a whole number")
    return int(value)


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"
