"""The gRPC server: every method of a contract bound to the application or question of its name."""

import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import orjson
import structlog
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from pydantic import ValidationError

from shared.chassis.api.codec import full_reader, reader, writer
from shared.chassis.api.contract import PROTO, Contract, Rpc
from shared.chassis.api.editing import editing_of
from shared.chassis.api.errors import invalid, status_of, status_of_error
from shared.chassis.api.form import AS_JSON, answer_of, has_text
from shared.chassis.api.identity import Identity
from shared.chassis.api.limits import Allowance, Limits
from shared.chassis.api.log import log_handler
from shared.chassis.api.reach import reach_of
from shared.chassis.api.rights import Rights, RoleRights, StoredRights
from shared.chassis.api.together import SERVICE as TOGETHER
from shared.chassis.api.together import Bound, together_handler
from shared.chassis.database import OUTAGE, is_overdue
from shared.chassis.logs import about, describe
from shared.chassis.service import Method, OpenService
from shared.chassis.shapes import (
    Actor,
    Answer,
    Command,
    Envelope,
    Forbidden,
    Invalid,
    Question,
    Refused,
    TookTooLong,
    Unavailable,
    fresh_id,
)
from shared.chassis.telemetry import tracing
from shared.chassis.telemetry.metrics import COMMAND_SECONDS, QUERY_SECONDS
from shared.events.base import UnknownTopic

__all__ = ["ApiServer", "Unbound"]

_log = structlog.get_logger()
_VERSION = re.compile(r"^\d{1,9}$", re.ASCII)
_ID = re.compile(r"^[\x21-\x7e]{1,200}$")
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_LONGEST_CALL_MS = 300_000
_NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the client's retry policy that an answer is final (gRFC A6)."""

_NEWER = status_of(
    Unavailable("this record holds facts of a newer release, which another process may know")
)
"""While a service is upgraded; asking again may reach a process of the newer release."""

Steps = Generator[Command, Answer, Any]
"""A call in steps: a command's call gives the issued command once, and is sent the answer or has
thrown into it what carrying it out raised. It returns the response, or the status of a refusal."""
Begun = Callable[[Any, dict[str, str]], Steps]
"""Begins a call: of a request, with its metadata."""
Answerer = Callable[[Any, Mapping[str, str], Actor], Steps]


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
        limits: on what callers may ask.
        threads: calls worked on at once.
        age: seconds after which a connection takes no new calls, so that its caller connects anew
            and finds the replicas that have come since; calls it carries still end in peace.

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
        limits: Limits | None = None,
        threads: int = 32,
        age: float = 60.0,
    ) -> None:
        services, limits = list(services), limits or Limits()
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
            maximum_concurrent_rpcs=threads * 64,
            options=[
                ("grpc.max_receive_message_length", limits.message),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.max_connection_age_ms", round(age * 1000)),
                ("grpc.max_connection_age_grace_ms", _LONGEST_CALL_MS),
            ],
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = ["", "annals.log.v1.EventLog", TOGETHER]
        rights = {opened.name: rights_of(opened) for opened in services}
        door = Door(identity, Allowance(limits.rate))
        handlers = [log_handler({opened.name: opened.log for opened in services}, identity, rights)]
        methods: dict[str, Bound] = {}
        for opened in services:
            contract = Contract.load(opened.name, proto)
            found = bound(contract, opened, door, rights[opened.name], limits)
            handlers.append(grpc.method_handlers_generic_handler(contract.service, alone(found)))
            methods |= found
            self._names.append(contract.service)
        handlers.append(together_handler(methods, lambda status: status is _NEWER))
        self._server.add_generic_rpc_handlers(handlers)
        if limits.reflection:
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


class Door(NamedTuple):
    """Lets callers in: who they are, and how often they may come."""

    identity: Identity
    allowance: Allowance

    def enter(self, authorization: str | None) -> Actor:
        """Return who is asking.

        Raises:
            Unauthenticated: nobody provable.
            TooManyRequests: too often.
        """
        actor = self.identity.identify(authorization)
        self.allowance.take(actor.id)
        return actor


def bound(
    contract: Contract, opened: OpenService, door: Door, rights: Rights, limits: Limits
) -> dict[str, Bound]:
    """Return every method of a contract, by its gRPC path.

    Raises:
        Unbound: a method of the contract has no counterpart, or the other way round.
    """
    methods = opened.service.requests()
    if unmatched := contract.rpcs.keys() ^ methods.keys():
        names = ", ".join(sorted(unmatched))
        raise Unbound(f"contract and service of {opened.name} differ in {names}: run `make proto`")
    carry_out = opened.application.handle_all if opened.application else None
    return {
        rpc.path: Bound(
            rpc.request,
            guarded(rpc, _answerer(rpc, methods[name], opened, rights, limits), door, rights),
            carry_out if rpc.changes else None,
        )
        for name, rpc in contract.rpcs.items()
    }


def alone(methods: Mapping[str, Bound]) -> dict[str, grpc.RpcMethodHandler]:
    """Return methods as gRPC calls them one at a time, by their names."""
    return {
        path.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(
            _alone(method),
            request_deserializer=method.request.FromString,
            response_serializer=answer_of,
        )
        for path, method in methods.items()
    }


def _alone(method: Bound) -> Callable[[Any, grpc.ServicerContext], Any]:
    def handle(message: Any, context: grpc.ServicerContext) -> Any:
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "nobody is waiting any more")
        result = performed(method, message, dict(context.invocation_metadata()))
        if isinstance(result, status_pb2.Status):
            context.abort_with_status(_final(result))
        return result

    return handle


def performed(method: Bound, message: Any, metadata: dict[str, str]) -> Any:
    """Make one call; return the response, or the status of a refusal."""
    steps = method.begun(message, metadata)
    try:
        command = next(steps)
        (result,) = method.carry_out([command]) if method.carry_out else ()
        if isinstance(result, Exception):
            steps.throw(result)
        steps.send(result)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a call asks for one command at most")


def guarded(rpc: Rpc, answer: Answerer, door: Door, rights: Rights) -> Begun:
    """Wrap an answer with identity, rights, errors, metrics and traces."""
    seconds = (COMMAND_SECONDS if rpc.changes else QUERY_SECONDS).labels
    name, service = rpc.path.removeprefix("/"), rpc.right.partition(".")[0]

    def attempt(message: Any, metadata: dict[str, str]) -> Steps:
        try:
            actor = door.enter(metadata.get("authorization"))
            if not rights.allows(actor, rpc.right):
                raise Forbidden(rpc.right)
            return (yield from answer(message, metadata, actor))
        except Refused as refusal:
            return status_of(refusal)
        except UnknownTopic:
            return _NEWER
        except OUTAGE as error:
            return status_of(_unanswered(error, rpc))
        except Exception as error:  # noqa: BLE001 - told to the log, hidden from the caller
            return status_of_error(error, rpc.path)

    def begun(message: Any, metadata: dict[str, str]) -> Steps:
        started = time.perf_counter()
        command_id = metadata.get("annals-command-id") or fresh_id()
        metadata["annals-command-id"] = command_id
        given = metadata.get("annals-correlation-id")
        with tracing.serving(name, metadata, given) as note:
            correlation_id = given or tracing.conversation() or command_id
            metadata["annals-correlation-id"] = correlation_id
            with about(correlation_id):
                result = yield from attempt(message, metadata)
            refused = isinstance(result, status_pb2.Status)
            code = _CODES[result.code] if refused else "OK"
            note(rpc__system="grpc", rpc__grpc__status=code)
        seconds(service, rpc.name, code).observe(time.perf_counter() - started)
        return result

    return begun


def _unanswered(error: Exception, rpc: Rpc) -> Refused:
    """Log that the database failed a request, and return what the caller is told of it."""
    told: Refused = Unavailable("the database does not answer; try again")
    if is_overdue(error):
        told = TookTooLong("the answer took too long; ask for less, or try again")
    _log.warning("database failed", method=rpc.path, rule=told.rule, error=describe(error))
    return told


def _final(status: status_pb2.Status) -> grpc.Status:
    """Return a status that no retry policy takes for a broken connection."""
    told: grpc.Status = rpc_status.to_status(status)
    if status is _NEWER:
        return told
    return told._replace(trailing_metadata=(*told.trailing_metadata, _NO_RETRY))


def _answerer(
    rpc: Rpc, method: Method, opened: OpenService, rights: Rights, limits: Limits
) -> Answerer:
    if rpc.changes:
        return _command(rpc, method, opened, rights)
    return _query(rpc, method, opened, rights, limits)


def _command(rpc: Rpc, method: Method, opened: OpenService, rights: Rights) -> Answerer:
    if opened.application is None:
        raise Unbound(f"{opened.name} has no application for {rpc.name}")
    read, validate = reader(rpc.request), method.request.__pydantic_validator__.validate_python
    response = rpc.response
    envelopes = _Envelopes(opened, rights)
    kinds = {guard.record for guard in opened.service.guards}
    must_be_editable = editing_of(method.request, kinds)
    must_be_seen = reach_of(method.request, opened)

    def answer(message: Any, metadata: Mapping[str, str], actor: Actor) -> Steps:
        try:
            command = validate(read(message))
        except ValidationError as error:
            raise invalid(error) from None
        sight = rights.sight(actor, rpc.right)
        must_be_editable(command, sight)
        issued = command.issued(envelopes.envelope(metadata, actor))
        must_be_seen(issued, actor, sight)
        answered = yield issued
        return response(
            id=answered.id,
            version=answered.version,
            position=answered.position,
            outcome=answered.outcome,
        )

    return answer


def _query(
    rpc: Rpc, method: Method, opened: OpenService, rights: Rights, limits: Limits
) -> Answerer:
    question = opened.service.asked[rpc.name]
    read, validate = reader(rpc.request), method.request.__pydantic_validator__.validate_python
    write, read_whole = writer(rpc.response), full_reader(rpc.response)
    key, text = AS_JSON
    writes_text = has_text(question.view)

    def answer(message: Any, metadata: Mapping[str, str], actor: Actor) -> Any:
        try:
            query = limits.paged(validate(read(message)))
        except ValidationError as error:
            raise invalid(error) from None
        sight, chosen = rights.sight(actor, rpc.right), question.chosen(query)
        wants_text = metadata.get(key) == text
        as_text = writes_text and wants_text and not sight.hides
        view = opened.ask(question, query, actor, sight, as_text=as_text)
        if isinstance(view, bytes):
            return view
        serializer, only = view.__pydantic_serializer__, _only(chosen, question)
        if as_text:
            return serializer.to_json(view, include=only)
        # What is hidden and cannot be empty counts as not set.
        told = write(
            serializer.to_python(view, mode="json", include=only, exclude_unset=sight.hides)
        )
        return _cut_text(read_whole(told), chosen) if chosen and wants_text else told

    def steps(message: Any, metadata: Mapping[str, str], actor: Actor) -> Steps:
        yield from ()
        return answer(message, metadata, actor)

    return steps


def _only(chosen: frozenset[str] | None, question: Question) -> dict[str, Any] | None:
    """Return what a serialiser includes of a page whose rows have only the fields chosen."""
    if chosen is None:
        return None
    return {**dict.fromkeys(question.view.model_fields, True), "items": {"__all__": set(chosen)}}


def _cut_text(page: dict[str, Any], chosen: frozenset[str]) -> bytes:
    """Return the text of a page read from its message, which has every field."""
    items = [{name: item[name] for name in item if name in chosen} for item in page["items"]]
    return orjson.dumps({**page, "items": items}, option=orjson.OPT_UTC_Z)


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
