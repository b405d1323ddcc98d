"""Traces: a conversation followed from the HTTP request to the rows it changes, and beyond.

A trace is found again on the far side of the log without being stored: its id is the conversation's
`correlation_id`, the span of an append has an id derived from the command's, and whether a trace is
kept is a function of its id. So relay, policies and read models join the trace of a fact from what
every fact says anyway, at any later time. See docs/adr/0011.

While tracing is off, which it is until `start`, every function here returns at once.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shared.events.base import Recorded

if TYPE_CHECKING:
    from shared.chassis.telemetry.spans import Followed, Tracing

__all__ = [
    "TRACEPARENT",
    "appended",
    "carried",
    "clock",
    "conversation",
    "delivery",
    "published",
    "serving",
    "start",
    "stop",
    "trace_id",
    "traced",
    "watched",
]

TRACEPARENT = "traceparent"
"""Header in which trace and span travel (W3C Trace Context, level 1)."""

Fact = Recorded[Any]
H = TypeVar("H")

_tracing: "Tracing | None" = None


def start(
    process: str, endpoint: str | None, ratio: float = 1.0, authority: Path | None = None
) -> None:
    """Trace from now on; nothing happens without an endpoint.

    Args:
        process: what this process is, e.g. `api leads`.
        endpoint: base URL of a collector that takes OTLP over HTTP, e.g. `http://collector:4318`.
        ratio: the share of conversations that is followed; the same in every process.
        authority: PEM file that the collector's certificate is checked against.
    """
    if endpoint is None:
        return
    from shared.chassis.telemetry.spans import Tracing, batched  # noqa: PLC0415 - only when wanted

    use(Tracing(process, batched(endpoint, authority), ratio))


@contextmanager
def traced(
    process: str, endpoint: str | None, ratio: float = 1.0, authority: Path | None = None
) -> Iterator[None]:
    """Trace while the block runs; see `start`."""
    start(process, endpoint, ratio, authority)
    try:
        yield
    finally:
        stop()


def use(tracing: "Tracing | None") -> None:
    """Trace by this from now on, or no more."""
    global _tracing  # noqa: PLW0603 - one per process, as the library has it
    _tracing = tracing


def stop() -> None:
    """Send what is not sent yet and trace no more."""
    if _tracing is not None:
        _tracing.close()
        use(None)


def clock() -> int:
    """Return now in nanoseconds, for `appended`; 0 while tracing is off."""
    return 0 if _tracing is None else time.time_ns()


def serving(
    name: str,
    headers: Mapping[str, str],
    correlation_id: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> AbstractContextManager[Any]:
    """Follow a request while the block runs.

    Args:
        name: of the span, e.g. the route or the rpc.
        headers: may hold a `traceparent`, which is joined, and a command's id, under which what is
            stored of it is found again.
        correlation_id: the conversation the caller names; its trace is joined, and one in the
            headers only linked to.
        attributes: names of parts of the system, and counts.

    Returns:
        A context manager that gives a function `(**attributes)` for what is known later only.
    """
    if _tracing is None:
        return _NOTHING
    return _tracing.serving(
        name,
        headers.get(TRACEPARENT),
        correlation_id,
        attributes or {},
        headers.get("annals-command-id"),
    )


def carried() -> dict[str, str]:
    """Return the headers with which a call joins the current span; none while tracing is off."""
    return {} if _tracing is None else _tracing.carried()


def conversation() -> str | None:
    """Return the current trace's id as a correlation id; None while tracing is off."""
    return None if _tracing is None else _tracing.conversation()


def trace_id() -> str | None:
    """Return the current trace's id as it is written, in 32 hexadecimal digits."""
    known = conversation()
    return None if known is None else known.replace("-", "")


def appended(facts: Sequence[Fact], positions: Sequence[int], started: int) -> None:
    """Note that facts were appended since `started` (by `clock`)."""
    if _tracing is not None:
        _tracing.appended(facts, positions, started)


def published(facts: Iterable["Followed"]) -> str:
    """Note that facts are handed to the broker; return the message's `traceparent`, or nothing."""
    return "" if _tracing is None else _tracing.published(facts)


def delivery(subscription: str, *messages: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Follow what a subscription does with messages, given by their headers, while the block runs.

    The first one's trace is joined, the others are linked to.
    """
    if _tracing is None:
        return _NOTHING
    return _tracing.delivery(subscription, [str(each.get(TRACEPARENT, "")) for each in messages])


def watched(handlers: Iterable[H]) -> list[H]:
    """Return the handlers so that each notes what it applies; unchanged while tracing is off."""
    found = list(handlers)
    return found if _tracing is None else [_tracing.watched(handler) for handler in found]


def _nothing(**_attributes: Any) -> None:
    pass


_NOTHING = nullcontext(_nothing)
