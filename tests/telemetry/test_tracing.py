"""A conversation is followed across the log, by what its facts say anyway."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from typing import cast
from uuid import UUID, uuid4

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from shared.chassis.application import Application
from shared.chassis.messaging import Delivery, Parcel, Relay, pull_from
from shared.chassis.service import OpenService
from shared.chassis.shapes import Command
from shared.chassis.telemetry import tracing
from shared.chassis.telemetry.spans import trace_of
from shared.chassis.testing import issue
from tests.api.toy import AddBook
from tests.telemetry.conftest import Follow

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Deliver = Callable[[], None]


def names(spans: Sequence[ReadableSpan]) -> list[str]:
    return [span.name for span in sorted(spans, key=lambda span: span.start_time or 0)]


def trace_ids(spans: Sequence[ReadableSpan]) -> set[str]:
    return {f"{span.context.trace_id:032x}" for span in spans}


def path_to(name: str, spans: Sequence[ReadableSpan]) -> list[str]:
    """Return the names from the root to the span of this name."""
    known = {span.context.span_id: span for span in spans}
    (span,) = (span for span in spans if span.name == name)
    found = [span.name]
    while span.parent is not None:
        span = known[span.parent.span_id]
        found.insert(0, span.name)
    return found


@pytest.mark.capability("PLT-14")
def test_one_trace_leads_from_the_request_to_the_row(
    client: httpx.Client, opened: OpenService, deliver: Deliver, follow: Follow
) -> None:
    spans = follow(1)
    answer = client.post("/v1/books", json={"title": "红楼梦"}).json()
    deliver()
    found = spans()
    assert path_to("fold toy_books", found) == [
        "POST /v1/books",
        "annals.toy.v1.Toy/AddBook",
        "append toy",
        "publish toy",
        "process toy.views",
        "fold toy_books",
    ]
    assert len(trace_ids(found)) == 1
    (fact,) = opened.log.read(0)
    assert trace_ids(found) == {UUID(fact.correlation_id).hex}
    (fold,) = (span for span in found if span.name == "fold toy_books")
    assert fold.attributes == {
        "annals.context": "toy",
        "annals.position": answer["position"],
        "annals.events": 1,
    }
    assert client.get(f"/v1/books/{answer['id']}").json()["title"] == "红楼梦"


def test_a_caller_s_trace_is_joined(
    client: httpx.Client, opened: OpenService, deliver: Deliver, follow: Follow
) -> None:
    spans = follow(1)
    client.post("/v1/books", json={"title": "x"}, headers={"traceparent": CALLER})
    deliver()
    assert trace_ids(spans()) == {CALLER.split("-")[1]}
    (fact,) = opened.log.read(0)
    assert UUID(fact.correlation_id).hex == CALLER.split("-")[1]


def test_a_conversation_with_a_name_of_the_caller_s_has_a_trace_of_its_own(
    client: httpx.Client, deliver: Deliver, follow: Follow
) -> None:
    spans = follow(1)
    headers = {"traceparent": CALLER, "Annals-Correlation-Id": "spring-fair"}
    for title in ("one", "two"):
        client.post("/v1/books", json={"title": title}, headers=headers)
        deliver()
    assert trace_ids(spans()) == {f"{trace_of('spring-fair'):032x}"}
    requests = [span for span in spans() if span.name == "POST /v1/books"]
    assert {f"{link.context.trace_id:032x}" for span in requests for link in span.links} == {
        CALLER.split("-")[1]
    }


def test_facts_that_travel_together_are_folded_each_in_its_trace(
    client: httpx.Client, deliver: Deliver, follow: Follow
) -> None:
    spans = follow(1)
    for title in ("one", "two", "three"):
        client.post("/v1/books", json={"title": title})
    deliver()
    folds = [span for span in spans() if span.name == "fold toy_books"]
    requests = [span for span in spans() if span.name == "POST /v1/books"]
    assert len(trace_ids(folds)) == 3
    assert trace_ids(folds) == trace_ids(requests)


def test_messages_taken_together_continue_the_first_and_point_at_the_others(
    client: httpx.Client, opened: OpenService, follow: Follow
) -> None:
    spans = follow(1)
    sent: list[Parcel] = []
    relay = Relay(opened.log, sent.append)
    for title in ("one", "two", "three"):
        client.post("/v1/books", json={"title": title})
        relay.step()
    (views,) = Delivery(opened, pull_from([opened])).subscriptions
    with tracing.delivery(views.name, *(parcel.headers for parcel in sent)):
        views.deliver(*((parcel.headers, parcel.body) for parcel in sent))
    first, *others = (span.context for span in spans() if span.name == "publish toy")
    (process,) = (span for span in spans() if span.name == "process toy.views")
    assert process.parent is not None
    assert process.parent.span_id == first.span_id
    assert [link.context.span_id for link in process.links] == [span.span_id for span in others]
    folds = [span for span in spans() if span.name == "fold toy_books"]
    assert len(trace_ids(folds)) == 3


def test_what_another_request_s_thread_stores_hangs_below_its_own_request(
    opened: OpenService, follow: Follow
) -> None:
    spans = follow(1)
    mine, theirs = (issue(AddBook.model_validate({"title": name})) for name in ("one", "two"))
    application = cast(Application, opened.application)

    def served(command: Command) -> dict[str, str]:
        return {"annals-command-id": command.envelope.command_id}

    def ask() -> None:
        waiting.enter_context(
            tracing.serving("theirs", served(theirs), theirs.envelope.correlation_id)
        )

    with ExitStack() as waiting:
        elsewhere = copy_context()
        elsewhere.run(ask)
        with tracing.serving("mine", served(mine), mine.envelope.correlation_id):
            application.handle(theirs)
            application.handle(mine)
        elsewhere.run(waiting.pop_all().close)
    asked = {span.name: span.context for span in spans() if span.name != "append toy"}
    stored = {span.parent.span_id: span for span in spans() if span.parent is not None}
    assert stored.keys() == {asked["mine"].span_id, asked["theirs"].span_id}
    assert [link.context for link in stored[asked["theirs"].span_id].links] == [asked["mine"]]


def test_what_is_pulled_from_the_log_is_still_of_its_trace(
    client: httpx.Client, opened: OpenService, deliver: Deliver, follow: Follow
) -> None:
    client.post("/v1/books", json={"title": "before anybody looked"})
    spans = follow(1)
    deliver()
    (fact,) = opened.log.read(0)
    assert trace_ids([span for span in spans() if span.name == "fold toy_books"]) == {
        UUID(fact.correlation_id).hex
    }


def test_a_share_is_followed_whole_and_the_rest_not_at_all(
    client: httpx.Client, deliver: Deliver, follow: Follow
) -> None:
    spans = follow(0.5)
    for _ in range(40):
        client.post("/v1/books", json={"title": "x"})
        deliver()
    by_trace: dict[int, set[str]] = {}
    for span in spans():
        by_trace.setdefault(span.context.trace_id, set()).add(span.name)
    assert 5 < len(by_trace) < 35
    assert len({frozenset(found) for found in by_trace.values()}) == 1


def test_a_failure_is_followed_without_its_words(client: httpx.Client, follow: Follow) -> None:
    spans = follow(1)
    client.post("/v1/books", json={"title": "x", "copies": "none"})
    assert client.post("/v1/books/nobody:burn").status_code == 500
    assert client.post("/v1/books/nobody:return").status_code == 404
    told = {
        (span.name, (span.attributes or {}).get("http.response.status_code")) for span in spans()
    }
    assert ("POST /v1/books/{book_id}:burn", 500) in told
    assert ("POST /v1/books/{book_id}:return", 404) in told
    assert not any(span.events for span in spans())
    assert not any("nobody" in str(span.attributes) for span in spans())


def test_nothing_is_carried_while_nobody_follows(
    client: httpx.Client, opened: OpenService, deliver: Deliver
) -> None:
    client.post("/v1/books", json={"title": "x"}, headers={"traceparent": CALLER})
    deliver()
    (fact,) = opened.log.read(0)
    assert CALLER.split("-")[1] not in fact.correlation_id.replace("-", "")
    assert (tracing.carried(), tracing.conversation(), tracing.published([fact])) == ({}, None, "")


def test_a_uuid_is_its_own_trace_and_any_other_name_has_one() -> None:
    name = uuid4()
    assert trace_of(str(name)) == name.int
    assert trace_of("spring fair") == trace_of("spring fair") != trace_of("autumn fair")
    assert 0 < trace_of(str(UUID(int=0))) < 2**128
