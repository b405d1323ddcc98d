"""Calls made in one message: each is answered or refused as if it had been made alone."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from shared.chassis.api.contract import Contract
from shared.chassis.api.errors import problem_of
from shared.chassis.api.form import AS_JSON
from shared.chassis.api.identity import issue_token
from shared.chassis.api.together import CALL, MOST, Answers, Calls
from shared.chassis.service import OpenService
from tests.api.conftest import SECRET

Made = Callable[..., list[Any]]
Call = tuple[str, dict[str, Any], dict[str, str]]


@pytest.fixture
def make(channel: grpc.Channel, contract: Contract) -> Made:
    """Make calls as one: `make(("AddBook", {"title": "…"}, {}), …)`; give answers and problems."""
    together = channel.unary_unary(
        CALL, request_serializer=Calls.SerializeToString, response_deserializer=Answers.FromString
    )

    def made(*calls: Call) -> list[Any]:
        sent = Calls()
        for name, fields, metadata in calls:
            rpc = contract.rpcs[name]
            request = rpc.request(**fields).SerializeToString()
            sent.calls.add(method=rpc.path, metadata=metadata, request=request)
        found = []
        for (name, *_), answer in zip(calls, together(sent, timeout=10).answers, strict=True):
            assert answer.seconds > 0
            if answer.status:
                assert answer.response == b""
                found.append(problem_of(status_pb2.Status.FromString(answer.status)))
            elif answer.response.startswith(b"{"):
                found.append(answer.response)
            else:
                found.append(contract.rpcs[name].response.FromString(answer.response))
        return found

    return made


def test_commands_and_questions_are_answered_in_their_order(
    make: Made, call: Callable[..., Any], fold: Callable[[], None], opened: OpenService
) -> None:
    known = call("AddBook", title="Atlas")
    fold()
    first, view, second, text = make(
        ("AddBook", {"title": "红楼梦"}, {}),
        ("GetBook", {"book_id": known.id}, {}),
        ("AddBook", {"title": "B"}, {}),
        ("GetBook", {"book_id": known.id}, dict([AS_JSON])),
    )
    assert (first.version, first.position, second.position) == (1, 2, 3)
    assert first.outcome == {"title": "红楼梦"}
    assert view.title == "Atlas"
    assert b'"title":"Atlas"' in text
    assert [fact.stream_id for fact in opened.log.read(1)] == [first.id, second.id]


def test_each_is_refused_on_its_own(make: Made, opened: OpenService) -> None:
    wrong, right, absent, broken = make(
        ("AddBook", {"title": ""}, {}),
        ("AddBook", {"title": "A"}, {}),
        ("GetBook", {"book_id": "nobody"}, {}),
        ("BurnBook", {"book_id": "x"}, {}),
    )
    assert (wrong["status"], wrong["violations"][0]["field"]) == (422, "title")
    assert right.version == 1
    assert absent["status"] == 404
    assert broken["status"] == 500
    assert opened.log.tip() == 1


def test_each_is_made_by_who_makes_it(make: Made, opened: OpenService) -> None:
    reader = issue_token(SECRET, "eve", roles=["reader"])
    forged = issue_token("another secret of more than thirty-two bytes", "eve")
    told = make(
        ("AddBook", {"title": "A"}, {"authorization": f"Bearer {reader}"}),
        ("AddBook", {"title": "B"}, {"authorization": f"Bearer {forged}"}),
        ("AddBook", {"title": "C"}, {"annals-correlation-id": "spring-fair"}),
    )
    assert [one["status"] for one in told[:2]] == [403, 401]
    (fact,) = opened.log.read(0)
    assert (fact.actor, fact.correlation_id) == ("administrator", "spring-fair")


def test_a_command_sent_twice_in_one_message_is_carried_out_once(
    make: Made, opened: OpenService
) -> None:
    metadata = {"annals-command-id": "one"}
    first, second = make(*[("AddBook", {"title": "A"}, metadata)] * 2)
    assert first == second
    assert opened.log.tip() == 1


def test_what_is_no_call_is_refused_and_the_others_are_answered(
    channel: grpc.Channel, contract: Contract
) -> None:
    together = channel.unary_unary(
        CALL, request_serializer=Calls.SerializeToString, response_deserializer=Answers.FromString
    )
    add = contract.rpcs["AddBook"]
    right = {"method": add.path, "request": add.request(title="A").SerializeToString()}
    sent = Calls(
        calls=[{"method": "/toy/Nothing"}, {"method": add.path, "request": b"\xff"}, right]
    )
    unknown, unreadable, answered = together(sent, timeout=10).answers
    assert (
        status_pb2.Status.FromString(unknown.status).code == grpc.StatusCode.UNIMPLEMENTED.value[0]
    )
    assert (
        status_pb2.Status.FromString(unreadable.status).code
        == (grpc.StatusCode.INVALID_ARGUMENT.value[0])
    )
    assert add.response.FromString(answered.response).version == 1
    with pytest.raises(grpc.RpcError) as refused:
        together(Calls(calls=[right] * (MOST + 1)), timeout=10)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert together(Calls(), timeout=10) == Answers()


def test_what_a_newer_release_may_know_is_told_apart(
    make: Made, channel: grpc.Channel, contract: Contract
) -> None:
    together = channel.unary_unary(
        CALL, request_serializer=Calls.SerializeToString, response_deserializer=Answers.FromString
    )
    burn = contract.rpcs["BurnBook"]
    asked = [
        {"method": burn.path, "request": burn.request(book_id=book).SerializeToString()}
        for book in ("newer", "nobody")
    ]
    answers = together(Calls(calls=asked), timeout=10).answers
    assert [one.elsewhere for one in answers] == [True, False]
