"""The one table of refusals: what each kind is called in gRPC and in HTTP, and how it is told.

On the wire a refusal is a `google.rpc.Status` whose details are an `ErrorInfo` (the rule's name and
its facts as text), a `Struct` (the same facts as JSON values) and for `Invalid` a `BadRequest` that
names every field. Over HTTP it is a problem document (RFC 9457).
"""

import traceback
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import grpc
import orjson
import structlog
from google.protobuf import struct_pb2
from google.rpc import error_details_pb2, status_pb2
from pydantic import ValidationError

from shared.chassis.api.codec import plain_struct
from shared.chassis.shapes import (
    BrokenRule,
    Conflict,
    FieldViolation,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Refused,
    Taken,
    TookTooLong,
    Unauthenticated,
    Unavailable,
    fresh_id,
)

__all__ = [
    "DOMAIN",
    "PROBLEM_TYPE",
    "invalid",
    "problem",
    "problem_of",
    "status_of",
    "status_of_error",
]

DOMAIN = "annals"
PROBLEM_TYPE = "application/problem+json"

_log = structlog.get_logger()


class _Kind(NamedTuple):
    refusal: type[Refused] | None
    code: grpc.StatusCode
    http: int
    title: str


_TABLE = (
    _Kind(Invalid, grpc.StatusCode.INVALID_ARGUMENT, 422, "The request is not valid"),
    _Kind(NotFound, grpc.StatusCode.NOT_FOUND, 404, "There is no such thing"),
    _Kind(Taken, grpc.StatusCode.ALREADY_EXISTS, 409, "It exists already"),
    _Kind(LimitReached, grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "A limit is reached"),
    _Kind(BrokenRule, grpc.StatusCode.FAILED_PRECONDITION, 409, "A rule forbids it"),
    _Kind(Conflict, grpc.StatusCode.ABORTED, 412, "It has changed since"),
    _Kind(Unauthenticated, grpc.StatusCode.UNAUTHENTICATED, 401, "Who is asking is not known"),
    _Kind(Forbidden, grpc.StatusCode.PERMISSION_DENIED, 403, "It is not allowed"),
    _Kind(Unavailable, grpc.StatusCode.UNAVAILABLE, 503, "Not available now"),
    _Kind(TookTooLong, grpc.StatusCode.DEADLINE_EXCEEDED, 504, "It took too long"),
    _Kind(None, grpc.StatusCode.CANCELLED, 499, "The caller went away"),
    _Kind(None, grpc.StatusCode.UNIMPLEMENTED, 501, "This server has no such method"),
    _Kind(None, grpc.StatusCode.INTERNAL, 500, "The server failed"),
)
_BY_CODE = {kind.code.value[0]: kind for kind in _TABLE}
_RULE = next(kind for kind in _TABLE if kind.refusal is BrokenRule)
_INTERNAL = _TABLE[-1]


def invalid(error: ValidationError) -> Invalid:
    """Return what pydantic found wrong with a request, by dotted field paths."""
    return Invalid(
        [
            FieldViolation(
                ".".join(map(str, found["loc"])), found["msg"].removeprefix("Value error, ")
            )
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    )


def status_of(refusal: Refused) -> status_pb2.Status:
    """Return a refusal as it travels over gRPC."""
    kind = next((k for k in _TABLE if k.refusal and isinstance(refusal, k.refusal)), _RULE)
    status = status_pb2.Status(code=kind.code.value[0], message=refusal.message)
    facts = {key: _json(value) for key, value in refusal.details.items()}
    _pack(
        status,
        error_details_pb2.ErrorInfo(
            reason=refusal.rule,
            domain=DOMAIN,
            metadata={key: _text(value) for key, value in facts.items()},
        ),
    )
    if facts:
        details = struct_pb2.Struct()
        details.update(facts)
        _pack(status, details)
    if isinstance(refusal, Invalid):
        _pack(
            status,
            error_details_pb2.BadRequest(
                field_violations=[v._asdict() for v in refusal.violations]
            ),
        )
    return status


def status_of_error(error: BaseException, method: str) -> status_pb2.Status:
    """Log an unforeseen error and return what the caller may know of it: an incident number.

    The log says what failed and where; not the error's words, which may hold personal data.
    """
    incident = fresh_id()
    _log.error(
        "request failed",
        method=method,
        incident=incident,
        error=type(error).__qualname__,
        at=[f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)],
    )
    status = status_pb2.Status(
        code=_INTERNAL.code.value[0], message=f"the server failed; incident {incident}"
    )
    _pack(
        status,
        error_details_pb2.ErrorInfo(
            reason="ServerFailed", domain=DOMAIN, metadata={"incident": incident}
        ),
    )
    return status


def problem_of(status: status_pb2.Status) -> dict[str, Any]:
    """Return a gRPC status as a problem document."""
    kind = _BY_CODE.get(status.code, _INTERNAL)
    rule, violations = "", list[FieldViolation]()
    facts: dict[str, Any] = {}
    info, details = error_details_pb2.ErrorInfo(), struct_pb2.Struct()
    bad_request = error_details_pb2.BadRequest()
    for packed in status.details:
        if packed.Unpack(info):
            rule, facts = info.reason, facts or dict(info.metadata)
        elif packed.Unpack(details):
            facts = plain_struct(details)
        elif packed.Unpack(bad_request):
            violations = [
                FieldViolation(v.field, v.description) for v in bad_request.field_violations
            ]
    return problem(
        kind.http,
        kind.title,
        status.message,
        rule=rule,
        details=facts,
        violations=violations,
    )


def problem(
    http: int,
    title: str,
    detail: str = "",
    *,
    rule: str = "",
    details: Mapping[str, Any] | None = None,
    violations: Iterable[FieldViolation] = (),
) -> dict[str, Any]:
    """Return a problem document (RFC 9457).

    Args:
        http: the status code.
        title: the kind of problem, the same for all of a kind.
        detail: this problem, for a person.
        rule: name of the broken rule; it makes the problem's type.
        details: facts for a program.
        violations: the fields that do not fit.
    """
    document: dict[str, Any] = {
        "type": f"urn:annals:problem:{rule}" if rule else "about:blank",
        "title": title,
        "status": http,
    }
    if detail:
        document["detail"] = detail
    if rule:
        document["rule"] = rule
    if details:
        document["details"] = dict(details)
    named = [violation._asdict() for violation in violations]
    if named:
        document["violations"] = named
    return document


def _pack(status: status_pb2.Status, message: Any) -> None:
    status.details.add().Pack(message)


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return orjson.loads(orjson.dumps(value, default=_listed, option=orjson.OPT_NON_STR_KEYS))


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
