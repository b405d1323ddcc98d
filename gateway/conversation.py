"""A request's conversation: named in log lines, followed as a trace, told to the service."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from shared.chassis.logs import about
from shared.chassis.shapes import fresh_id
from shared.chassis.telemetry import tracing

__all__ = ["CORRELATION", "METHODS", "Answered", "conversation", "followed"]

CORRELATION = "annals-correlation-id"
"""Header and metadata key of the conversation's name."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""Methods told apart; whatever else is sent counts as `other`."""
_CONVERSATION = "annals.conversation"


class Answered:
    """What became of a request.

    Attributes:
        response: the answer, once there is one.
    """

    response: Response | None = None


@contextmanager
def followed(request: Request, path: str) -> Iterator[Answered]:
    """Follow a request to a path of the document while the block runs."""
    given = request.headers.get(CORRELATION)
    method = request.method if request.method in METHODS else "other"
    attributes = {"http.request.method": method, "http.route": path}
    answered = Answered()
    with tracing.serving(f"{method} {path}", request.headers, given, attributes) as note:
        correlation_id = given or tracing.conversation() or fresh_id()
        request.scope[_CONVERSATION] = correlation_id
        with about(correlation_id):
            yield answered
        if answered.response is not None:
            note(http__response__status_code=answered.response.status_code)


def conversation(request: Request) -> dict[str, str]:
    """Return the metadata by which the service joins a request's conversation."""
    return {CORRELATION: request.scope[_CONVERSATION], **tracing.carried()}
