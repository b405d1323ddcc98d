"""One HTTP path and its methods: translate, call, translate back."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid5

import grpc
import jwt
import orjson
from google.rpc import status_pb2
from grpc_status import rpc_status
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway import problems
from gateway.channels import Channels
from gateway.conversation import conversation, followed
from gateway.lines import CallRefused
from gateway.problems import Problem
from shared.chassis.api.codec import full_reader, texts_writer, writer
from shared.chassis.api.contract import Contract, Rpc
from shared.chassis.api.errors import problem, problem_of, status_of, status_of_error
from shared.chassis.api.form import AS_JSON, is_text
from shared.chassis.api.route import Route
from shared.chassis.shapes import Invalid, fresh_id

__all__ = ["ROUTE", "Operation", "Resource"]

ROUTE = "annals.route"
"""Where a request's scope says which path of the document it met."""

_IDEMPOTENCY = UUID("6f0f3c52-0f6f-5b53-8f0c-6a3a1f6f2f0b")
_VERSION = re.compile(r'^(?:W/)?"?(\d{1,9})"?$', re.ASCII)
_PRINTABLE = re.compile(r"^[\x21-\x7e]{1,200}$")
_MOMENT = re.compile(r"^[\x20-\x7e]{1,64}$")
_BEARER = re.compile(r"^[\x20-\x7e]{1,8192}$")
_ANONYMOUS = "no token was sent: acting as the development administrator"
_MOST_PARAMETERS = 200
_SILENT = {
    grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE,
}  # fmt: skip
"""What a call may end with that never reached its service."""


class Operation:
    """One method of a contract over HTTP.

    Args:
        contract: the context's contract.
        rpc: the method; it has a route.
        route: where it stands.
        channels: to the services.
        timeout: seconds until a call is given up.
        max_body: bytes.
    """

    def __init__(
        self,
        contract: Contract,
        rpc: Rpc,
        route: Route,
        channels: Channels,
        *,
        timeout: float,
        max_body: int,
    ) -> None:
        self.verb = route.verb
        self._context = contract.context
        self._rpc = rpc
        self._reads_body = route.body
        self._channels = channels
        self._timeout = timeout
        self._max_body = max_body
        self._from_json = writer(rpc.request)
        self._from_texts = texts_writer(rpc.request)
        self._read = full_reader(rpc.response)
        self._is_versioned = "version" in rpc.response.DESCRIPTOR.fields_by_name

    async def __call__(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            Problem: it cannot be read, or the service refuses it.
        """
        try:
            message = (
                self._from_json(await self._fields(request))
                if self._reads_body
                else self._from_texts(self._texts(request))
            )
            metadata = self._metadata(request)
        except Invalid as refusal:
            raise Problem(problem_of(status_of(refusal))) from None
        try:
            reply = await self._call(message, metadata)
        except CallRefused as refusal:
            raise Problem(problem_of(refusal.status)) from None
        except grpc.aio.AioRpcError as error:
            raise Problem(problem_of(self._status(error))) from None
        return self._response(reply, metadata)

    async def _call(self, message: Any, metadata: Mapping[str, str]) -> bytes:
        line = self._channels.line(self._context, changes=self._rpc.changes)
        try:
            reply = await line.call(self._rpc, message, metadata, self._timeout)
        except CallRefused:
            self._channels.answered(self._context)
            raise
        except grpc.aio.AioRpcError as error:
            if error.code() not in _SILENT:
                self._channels.answered(self._context)
            raise
        self._channels.answered(self._context)
        return reply

    async def _fields(self, request: Request) -> dict[str, Any]:
        fields = _parsed(await self._body(request), request.headers.get("content-type", ""))
        for name, value in request.path_params.items():
            if fields.setdefault(name, value) != value:
                raise Invalid.one(name, "differs from the path")
        if request.url.query:
            raise Invalid.one("", "this method takes its fields in the body, not in the query")
        return fields

    async def _body(self, request: Request) -> bytes:
        limit = self._max_body
        declared = request.headers.get("content-length", "0")
        received = bytearray()
        if not declared.isdigit() or int(declared) <= limit:
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit:
                    break
            else:
                return bytes(received)
        raise Problem(
            problem(413, "The body is too large", f"a body may have {limit} bytes at most")
        )

    def _texts(self, request: Request) -> list[tuple[str, str]]:
        raw: bytes = request.scope.get("query_string", b"")
        try:
            pairs = parse_qsl(
                raw.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MOST_PARAMETERS,
            )
        except ValueError as error:
            raise Problem(problem(400, "The query cannot be read", str(error))) from error
        return [*request.path_params.items(), *pairs]

    def _metadata(self, request: Request) -> dict[str, str]:
        headers = request.headers
        _header(headers, "Annals-Correlation-Id", _PRINTABLE)
        metadata = conversation(request)
        if authorization := _header(headers, "Authorization", _BEARER):
            metadata["authorization"] = authorization
        if not self._rpc.changes:
            metadata[AS_JSON[0]] = AS_JSON[1]
            return metadata
        key = _header(headers, "Idempotency-Key", _PRINTABLE)
        metadata["annals-command-id"] = (
            _command_id(authorization, self._rpc.right, request.path_params, key)
            if key
            else fresh_id()
        )
        if moment := _header(headers, "Annals-Occurred-At", _MOMENT):
            metadata["annals-occurred-at"] = moment
        match = headers.get("If-Match", "*")
        if match != "*":
            if not (version := _VERSION.match(match)):
                raise Invalid.one("If-Match", 'must be one version, as in the ETag: "3"')
            metadata["annals-expected-version"] = version[1]
        return metadata

    def _status(self, error: grpc.aio.AioRpcError) -> status_pb2.Status:
        """Return what the service said, or what befell the call on its way."""
        if status := rpc_status.from_call(error):
            return status
        code = error.code()
        if code in _SILENT and not self._channels.reaches(self._context):
            code = grpc.StatusCode.UNAVAILABLE
        match code:
            case grpc.StatusCode.UNAVAILABLE:
                text = f"the {self._context} service cannot be reached"
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                text = f"the {self._context} service did not answer within {self._timeout:g} s"
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                text = f"the {self._context} service has too much to do"
            case _:
                text = f"the {self._context} service failed: {code.name}"
        return status_pb2.Status(code=code.value[0], message=text)

    def _response(self, reply: bytes, metadata: Mapping[str, str]) -> Response:
        headers = {"Cache-Control": "no-store"}
        if is_text(reply):
            text = reply
            body = orjson.loads(text) if self._is_versioned else {}
        else:
            body = self._read(self._rpc.response.FromString(reply))
            text = orjson.dumps(body, option=orjson.OPT_UTC_Z)
        if isinstance(version := body.get("version"), int):
            headers["ETag"] = f'"{version}"'
        if self._rpc.changes:
            headers["Annals-Position"] = f"{self._context}:{body['position']}"
            headers["Annals-Command-Id"] = metadata["annals-command-id"]
        if "authorization" not in metadata:
            headers["Annals-Warning"] = _ANONYMOUS
        return Response(text, media_type="application/json", headers=headers)


class Resource:
    """One HTTP path as an ASGI application: chooses the operation by the verb.

    Args:
        path: as in the document, `/v1/leads/{lead_id}`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._operations: dict[str, Operation] = {}

    def add(self, operation: Operation) -> None:
        """Serve an operation at this path.

        Raises:
            ValueError: the path has one with this verb already.
        """
        if operation.verb in self._operations:
            raise ValueError(f"two methods answer {operation.verb} {self.path}")
        self._operations[operation.verb] = operation
        if operation.verb == "GET":
            self._operations["HEAD"] = operation

    def answers(self, verb: str) -> bool:
        """Whether there is an operation with this verb."""
        return verb in self._operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every failure becomes a problem document."""
        scope[ROUTE] = self.path
        request = Request(scope, receive)
        with followed(request, self.path) as answered:
            answered.response = answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._operation(request)(request)
        except Problem as refused:
            return problems.response(refused.document, self._allow(refused))
        except Exception as error:  # noqa: BLE001 - told to the log, hidden from the caller
            status = status_of_error(error, f"{request.method} {self.path}")
            return problems.response(problem_of(status))

    def _operation(self, request: Request) -> Operation:
        if request.method not in self._operations:
            raise Problem(problem(405, "Method Not Allowed", f"not with {request.method}"))
        return self._operations[request.method]

    def _allow(self, refused: Problem) -> dict[str, str]:
        if refused.document["status"] != 405:  # noqa: PLR2004 - method not allowed
            return {}
        return {"Allow": ", ".join(sorted(self._operations))}


def _parsed(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        return {}
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise Problem(problem(415, "Unsupported Media Type", "send the body as `application/json`"))
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(problem(400, "The body is not JSON", str(error))) from error
    if not isinstance(fields, dict):
        raise Invalid.one("", "must be an object")
    return fields


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> str | None:
    value = headers.get(name)
    if value is not None and not form.match(value):
        raise Invalid.one(name, "is empty, too long, or has characters a header may not have")
    return value


def _command_id(authorization: str | None, right: str, things: Mapping[str, str], key: str) -> str:
    """Return the command id of an idempotency key: the sender's, the method's and the path's."""
    named = (_claimed_subject(authorization), right, *things.values(), key)
    return str(uuid5(_IDEMPOTENCY, "\x1f".join(named)))


def _claimed_subject(authorization: str | None) -> str:
    """Return who the token says is asking; whether it is true, the service finds out."""
    token = (authorization or "").partition(" ")[2].strip()
    try:
        return str(jwt.decode(token, options={"verify_signature": False}).get("sub", ""))
    except jwt.PyJWTError:
        return ""
