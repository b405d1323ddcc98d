"""Spans by the OpenTelemetry SDK; the only module that names it."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.events.base import Recorded

__all__ = ["Followed", "Tracing", "append_id", "batched", "trace_of"]

Fact = Recorded[Any]
H = TypeVar("H")
Attributes = Mapping[str, Any]
Note = Callable[..., None]

_PROPAGATOR = TraceContextTextMapPropagator()
_LOW = (1 << 48) - 1
_PATIENCE = 2.0
"""Seconds for a batch, so that a collector that does not answer delays no process's end."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

_chosen_trace: ContextVar[int] = ContextVar("annals_chosen_trace", default=0)
_chosen_span: ContextVar[int] = ContextVar("annals_chosen_span", default=0)


class Followed(Protocol):
    """What of a fact is needed to follow it, whether or not its event is read."""

    @property
    def context(self) -> str:
        """Whose log it is in."""
        ...

    @property
    def position(self) -> int:
        """Its place there."""
        ...

    @property
    def command_id(self) -> str:
        """What it came of."""
        ...

    @property
    def correlation_id(self) -> str:
        """The conversation."""
        ...


def trace_of(correlation_id: str) -> int:
    """Return the trace id of a conversation: the UUID itself, or a digest of any other text."""
    try:
        return UUID(correlation_id).int or 1
    except ValueError:
        digest = hashlib.blake2b(correlation_id.encode(), digest_size=16).digest()
        return int.from_bytes(digest, "big") or 1


def append_id(context: str, command_id: str) -> int:
    """Return the id of the span in which a command's facts were appended."""
    digest = hashlib.blake2b(f"{context}/{command_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def batched(endpoint: str, authority: Path | None = None) -> SpanProcessor:
    """Return what sends spans in batches to an OTLP collector over HTTP, in the background."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow
        OTLPSpanExporter,
    )

    certificate = str(authority) if authority and endpoint.startswith("https:") else None
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        certificate_file=certificate,
        timeout=_PATIENCE,
    )
    return BatchSpanProcessor(exporter)


class _Ids(RandomIdGenerator):
    """Random ids, unless one is chosen."""

    def generate_trace_id(self) -> int:
        return _chosen_trace.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return _chosen_span.get() or super().generate_span_id()


class _Share(Sampler):
    """Keeps a share of the traces, by the low 48 bits of their ids: random in UUIDs 4 and 7."""

    def __init__(self, ratio: float) -> None:
        self._bound = round(ratio * (_LOW + 1))

    def keeps(self, trace_id: int) -> bool:
        """Whether a trace is kept; the same in every process of the same ratio."""
        return trace_id & _LOW < self._bound

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        """Decide by the trace's id alone."""
        kept = self.keeps(trace_id)
        return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, attributes)

    def get_description(self) -> str:
        """Name it."""
        return "annals share of conversations"


class Tracing:
    """See `shared.chassis.telemetry.tracing`, whose functions end here while tracing is on.

    Args:
        process: what this process is.
        processor: takes the spans.
        ratio: share of conversations followed.
    """

    def __init__(self, process: str, processor: SpanProcessor, ratio: float) -> None:
        self._share = _Share(ratio)
        self._provider = TracerProvider(
            sampler=self._share,
            resource=Resource.create({"service.name": f"annals {process}"}),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("annals")
        self._served: dict[str, SpanContext] = {}
        """The commands in hand, by their ids: another's thread may store what came of one."""

    def close(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()

    @contextmanager
    def serving(
        self,
        name: str,
        traceparent: str | None,
        correlation_id: str | None,
        attributes: Attributes,
        command_id: str | None = None,
    ) -> Iterator[Note]:
        """Follow a request."""
        caller = _parsed(traceparent)
        wanted = trace_of(correlation_id) if correlation_id else 0
        joins = caller is not None and wanted in {0, caller.trace_id}
        span = self._begin(
            name,
            SpanKind.SERVER,
            attributes,
            parent=caller if joins else None,
            trace_id=wanted,
            linked=() if joins or caller is None else (caller,),
        )
        if command_id:
            self._served[command_id] = span.get_span_context()
        try:
            with _current(span) as note:
                yield note
        finally:
            if command_id:
                self._served.pop(command_id, None)

    def carried(self) -> dict[str, str]:
        """Return the current span as headers."""
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers)
        return headers

    def conversation(self) -> str | None:
        """Return the current trace's id as a UUID."""
        current = trace.get_current_span().get_span_context()
        return str(UUID(int=current.trace_id)) if current.is_valid else None

    def appended(self, facts: Sequence[Fact], positions: Sequence[int], started: int) -> None:
        """One span per command, whose id consumers will derive."""
        current = trace.get_current_span().get_span_context()
        for (conversation, command_id), places in self._followed(facts):
            context = facts[places[0]].context
            served = self._served.get(command_id)
            if served is None and current.trace_id == conversation:
                served = current
            apart = current.is_valid and current.trace_id != conversation
            self._begin(
                f"append {context}",
                SpanKind.INTERNAL,
                _run(context, [positions[place] for place in places]),
                parent=served,
                trace_id=conversation,
                span_id=append_id(context, command_id),
                linked=(current,) if apart else (),
                started=started,
            ).end()

    def published(self, facts: Iterable[Followed]) -> str:
        """One span per command; the message carries the first."""
        facts, carried = list(facts), ""
        for (conversation, command_id), places in self._followed(facts):
            context = facts[places[0]].context
            span = self._begin(
                f"publish {context}",
                SpanKind.PRODUCER,
                _run(context, [facts[place].position for place in places]),
                parent=_remote(conversation, append_id(context, command_id)),
            )
            span.end()
            if not carried:
                headers: dict[str, str] = {}
                _PROPAGATOR.inject(headers, trace.set_span_in_context(span))
                carried = headers.get("traceparent", "")
        return carried

    def delivery(
        self, subscription: str, traceparents: Sequence[str]
    ) -> AbstractContextManager[Any]:
        """Follow messages in the first trace they carry that is followed, linked to the others."""
        senders = [found for each in traceparents if (found := _parsed(each)) is not None]
        followed = [sender for sender in senders if self._share.keeps(sender.trace_id)]
        if not followed:
            return nullcontext()
        first, *others = followed
        attributes = {"annals.subscription": subscription}
        name = f"process {subscription}"
        return _current(
            self._begin(name, SpanKind.CONSUMER, attributes, parent=first, linked=others)
        )

    def watched(self, handler: H) -> H:
        """Return the handler as one that notes what it applies."""
        return _Watched(handler, self)  # type: ignore[return-value]

    def applied(self, name: str, facts: Sequence[Fact], started: int) -> None:
        """One span per command, below the message's if it is of that trace, else the append's."""
        current = trace.get_current_span().get_span_context()
        for (conversation, command_id), places in self._followed(facts):
            context = facts[places[0]].context
            joins = current.trace_id == conversation
            self._begin(
                name,
                SpanKind.INTERNAL,
                _run(context, [facts[place].position for place in places]),
                parent=current if joins else _remote(conversation, append_id(context, command_id)),
                linked=(current,) if current.is_valid and not joins else (),
                started=started,
            ).end()

    def _followed(self, facts: Sequence[Followed]) -> Iterable[tuple[tuple[int, str], list[int]]]:
        """Return trace id and command id of the facts that are followed, with their places."""
        found: dict[tuple[int, str], list[int]] = {}
        last, conversation, kept = "", 0, False
        for place, fact in enumerate(facts):
            if fact.correlation_id != last:
                last, conversation = fact.correlation_id, trace_of(fact.correlation_id)
                kept = self._share.keeps(conversation)
            if kept:
                found.setdefault((conversation, fact.command_id), []).append(place)
        return found.items()

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        parent: SpanContext | None = None,
        trace_id: int = 0,
        span_id: int = 0,
        linked: Sequence[SpanContext] = (),
        started: int = 0,
    ) -> Span:
        """Begin a span below a parent, or as a root of a trace, new or chosen."""
        above = Context()
        if parent is not None:
            above = trace.set_span_in_context(trace.NonRecordingSpan(parent), above)
        chosen = _chosen_trace.set(trace_id), _chosen_span.set(span_id)
        try:
            return self._tracer.start_span(
                name,
                context=above,
                kind=kind,
                attributes=dict(attributes),
                links=[Link(context) for context in linked],
                start_time=started or time.time_ns(),
            )
        finally:
            _chosen_trace.reset(chosen[0])
            _chosen_span.reset(chosen[1])


class _Watched:
    """A handler of a subscription that notes what it applies."""

    def __init__(self, handler: Any, tracing: Tracing) -> None:
        self._handler = handler
        self._tracing = tracing
        self._span = f"fold {handler.name}" if handler.name != "policies" else "react"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def apply(self, connection: Any, facts: Sequence[Fact], held: Any) -> None:
        """Apply the facts, and note those the handler knows."""
        started = time.time_ns()
        self._handler.apply(connection, facts, held)
        topics = self._handler.topics
        known = [fact for fact in facts if fact.event.topic in topics]
        self._tracing.applied(self._span, known, started)


@contextmanager
def _current(span: Span) -> Iterator[Note]:
    """Make a span the current one until the block ends; an exception is noted by class only."""

    def note(**attributes: Any) -> None:
        span.set_attributes({name.replace("__", "."): to for name, to in attributes.items()})

    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield note
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def _run(context: str, positions: Sequence[int]) -> Attributes:
    return {
        "annals.context": context,
        "annals.position": positions[0],
        "annals.events": len(positions),
    }


def _remote(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def _parsed(traceparent: str | None) -> SpanContext | None:
    """Return the span a header names; None when it is absent or no such header."""
    if not traceparent:
        return None
    above = _PROPAGATOR.extract({"traceparent": traceparent}, Context())
    found = trace.get_current_span(above).get_span_context()
    return found if found.is_valid else None
