from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

from shared.chassis.api.binder import ApiServer, Unbound
from shared.chassis.api.errors import problem_of
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.log import pull
from shared.chassis.messaging.slices import decode
from shared.chassis.service import OpenService
from shared.events.base import TOPICS, Recorded
from shared.events.workplace import RoleDefined
from tests.api.conftest import SECRET
from tests.api.toy import SERVICE, BookAdded

Call = Callable[..., Any]


def refused(call: Call, name: str, **arguments: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    with pytest.raises(grpc.RpcError) as caught:
        call(name, **arguments)
    status = rpc_status.from_call(caught.value)
    return caught.value.code(), problem_of(status)


def test_a_command_is_recorded_and_answered_with_id_version_and_position(
    call: Call, opened: OpenService
) -> None:
    answer = call("AddBook", title=" 红楼梦 ", price={"amount": "12.50"}, copies=0)
    (fact,) = opened.log.read(0)
    assert (answer.id, answer.version, answer.position) == (fact.stream_id, 1, 1)
    assert answer.outcome == {"title": "红楼梦"}
    assert fact.actor == "administrator"


def test_a_query_reads_what_was_written(call: Call, fold: Callable[[], None]) -> None:
    book = call("AddBook", title="Atlas")
    fold()
    view = call("GetBook", book_id=book.id, min_position=f"toy:{book.position}")
    assert (view.title, view.version, view.HasField("reader")) == ("Atlas", 1, False)
    assert view.changed_at.ToDatetime(UTC) <= datetime.now(UTC)


def test_a_list_gives_a_page(call: Call, fold: Callable[[], None]) -> None:
    call("AddBook", title="B")
    call("AddBook", title="A")
    fold()
    page = call("ListBooks", page_size=1)
    assert [book.title for book in page.items] == ["A"]


def test_every_field_that_does_not_fit_is_named(call: Call) -> None:
    code, problem = refused(
        call, "AddBook", title="", genre="poem", price={"amount": "-1"}, printed_on="2026-02-30"
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    named = {violation["field"] for violation in problem["violations"]}
    assert named == {"title", "genre", "price.amount", "printed_on"}


def test_a_missing_field_is_told_from_an_empty_one(call: Call) -> None:
    _, problem = refused(call, "AddBook")
    assert problem["violations"] == [{"field": "title", "description": "Field required"}]


def test_a_broken_rule_is_named_with_its_facts(call: Call) -> None:
    book = call("AddBook", title="Atlas")
    call("LendBook", book_id=book.id, reader="wang")
    code, problem = refused(call, "LendBook", book_id=book.id, reader="li")
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert problem["rule"] == "BookIsLent"
    assert problem["details"] == {"reader": "li", "since": "2026-01-02"}


def test_each_refusal_has_its_status(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.chassis.service._PATIENCE", 0)
    book = call("AddBook", title="Atlas", isbn="1")
    missing = refused(call, "LendBook", book_id="nowhere", reader="wang")
    assert missing[0] is grpc.StatusCode.NOT_FOUND
    taken = refused(call, "AddBook", title="Again", isbn="1")
    assert taken[0] is grpc.StatusCode.ALREADY_EXISTS
    assert taken[1]["details"]["holder"] == book.id
    limit = refused(call, "LendBook", book_id=book.id, reader="greedy")
    assert limit[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    late = refused(call, "GetBook", book_id=book.id, min_position="toy:99")
    assert late[0] is grpc.StatusCode.UNAVAILABLE


def test_a_stale_version_is_refused_with_the_current_one(call: Call) -> None:
    book = call("AddBook", title="Atlas")
    seen = {"annals-expected-version": "1"}
    call("LendBook", book_id=book.id, reader="wang", metadata=seen)
    code, problem = refused(call, "ReturnBook", book_id=book.id, metadata=seen)
    assert code is grpc.StatusCode.ABORTED
    assert problem["details"] == {"current_version": 2}


def test_a_repeated_command_id_gives_the_first_answer(call: Call, opened: OpenService) -> None:
    once = {"annals-command-id": "import-7"}
    first = call("AddBook", title="Atlas", metadata=once)
    assert call("AddBook", title="Atlas", metadata=once) == first
    assert opened.log.tip() == 1


def test_an_unforeseen_error_tells_an_incident_and_nothing_else(call: Call) -> None:
    code, problem = refused(call, "BurnBook", book_id="b")
    assert code is grpc.StatusCode.INTERNAL
    assert problem["rule"] == "ServerFailed"
    assert problem["details"]["incident"] in problem["detail"]
    assert "secret words" not in str(problem)


def test_the_envelope_comes_from_the_metadata(call: Call, opened: OpenService) -> None:
    call(
        "AddBook",
        title="Atlas",
        metadata={
            "annals-occurred-at": "2020-02-29T12:00:00+08:00",
            "annals-correlation-id": "campaign-1",
            "annals-causation-id": "mail-1",
        },
    )
    (fact,) = opened.log.read(0)
    assert fact.occurred_at == datetime(2020, 2, 29, 4, tzinfo=UTC)
    assert fact.recorded_at.year > 2020
    assert (fact.correlation_id, fact.causation_id) == ("campaign-1", "mail-1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("annals-occurred-at", "2020-02-30T12:00:00Z"),
        ("annals-occurred-at", "2020-02-29T12:00:00"),
        ("annals-occurred-at", "9020-02-28T12:00:00Z"),
        ("annals-expected-version", "-1"),
        ("annals-command-id", "two words"),
    ],
)
def test_malformed_metadata_is_refused(call: Call, key: str, value: str) -> None:
    code, problem = refused(call, "AddBook", title="Atlas", metadata={key: value})
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert problem["violations"][0]["field"] == key


def define_role(opened: OpenService, role: str, *rights: str) -> None:
    event = RoleDefined(role=role, role_version=1, title=role, rights=rights)
    now = datetime.now(UTC)
    fact = Recorded("workplace", 1, role, 1, event, now, now, "administrator", "c", "c")
    (rows,) = [p for p in SERVICE.projections if p.name == "role_rights"]
    with opened.views_database.transaction() as connection:
        opened.projector.apply(connection, rows, [fact])


def bearer(*roles: str) -> dict[str, str]:
    return {"authorization": f"Bearer {issue_token(SECRET, 'wang', roles=roles)}"}


def test_a_role_may_do_what_its_patterns_say(call: Call, opened: OpenService) -> None:
    define_role(opened, "librarian", "toy.Add*", "toy.LendBook")
    book = call("AddBook", title="Atlas", metadata=bearer("librarian"))
    assert opened.log.read(0)[0].actor == "wang"
    code, problem = refused(call, "ReturnBook", book_id=book.id, metadata=bearer("librarian"))
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert problem["details"] == {"right": "toy.ReturnBook"}
    late = bearer("librarian") | {"annals-occurred-at": "2020-01-01T00:00:00Z"}
    code, problem = refused(call, "AddBook", title="Old", metadata=late)
    assert problem["details"] == {"right": "toy.LateEntry"}


def test_a_token_that_proves_nothing_is_refused(call: Call) -> None:
    for value in ("Bearer nonsense", "Basic abc", f"Bearer {issue_token('x' * 32, 'eve')}"):
        code, _ = refused(call, "AddBook", title="Atlas", metadata={"authorization": value})
        assert code is grpc.StatusCode.UNAUTHENTICATED


def test_the_log_can_be_pulled_in_slices(
    call: Call, channel: grpc.Channel, opened: OpenService
) -> None:
    for number in range(5):
        call("AddBook", title=f"Volume {number}")
    slices = [decode(parcel.body) for parcel in pull(channel, "toy", 1, 3)]
    assert [fact.position for piece in slices for fact in piece.facts] == [2, 3, 4]
    assert slices[0].facts[0].event == opened.log.read(1)[0].event
    with pytest.raises(grpc.RpcError) as caught:
        list(pull(channel, "leads", 0))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_log_gives_others_what_this_release_does_not_know(
    call: Call, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("AddBook", title="Atlas")
    with monkeypatch.context() as older:
        older.delitem(TOPICS, BookAdded.topic)
        (parcel,) = pull(channel, "toy", 0)
    (fact,) = decode(parcel.body).facts
    assert fact.event == BookAdded(title="Atlas")


def test_a_log_is_not_open_to_everybody(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(pull(channel, "toy", 0, token=issue_token(SECRET, "wang", roles=["sales"])))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_health_and_reflection_answer(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="annals.toy.v1.Toy")
    assert health.Check(request).status == health_pb2.HealthCheckResponse.SERVING
    names = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {"annals.toy.v1.Toy", "annals.log.v1.EventLog"} <= set(names)


def test_a_method_without_counterpart_keeps_the_server_from_starting(
    opened: OpenService, proto: Path
) -> None:
    opened.service = replace(SERVICE, questions=SERVICE.questions[:1])
    with pytest.raises(Unbound, match="ListBooks"):
        ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)


def test_two_servers_cannot_share_an_address(
    opened: OpenService, server: ApiServer, proto: Path
) -> None:
    with pytest.raises(RuntimeError):
        ApiServer(
            [opened], identity=DevelopmentIdentity(SECRET), address=server.address, proto=proto
        )
