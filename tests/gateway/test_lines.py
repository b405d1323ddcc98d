"""Calls that are made at the same time leave in one message; who comes alone leaves at once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import status_pb2

from gateway import lines
from gateway.lines import CallRefused, Line
from shared.chassis.api.contract import Contract
from shared.chassis.api.together import CALL, MOST, Answers, Calls

_CONTRACT = Contract.load("leads")
GET, LIST = (_CONTRACT.rpcs[name] for name in ("GetLead", "ListLeads"))
PATIENCE = 10.0


class Service:
    """Stands for the channel to a service, which answers each call with its lead's id."""

    def __init__(self) -> None:
        self.messages: list[list[str]] = []
        """The leads asked for in each message, or alone."""
        self.alone: list[str] = []
        self.answers: dict[str, dict[str, Any]] = defaultdict(dict)
        """What is particular about the answer to a lead."""
        self.fails: grpc.StatusCode | None = None
        self.loses = 0
        """Answers that are missing."""
        self.open = asyncio.Event()
        self.open.set()

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any = None
    ) -> Callable[..., Awaitable[Any]]:
        del response_deserializer
        together = path == CALL

        async def call(message: Any, **options: Any) -> Any:
            assert options["timeout"] == PATIENCE
            request_serializer(message)
            return await (self._together(message) if together else self._alone(message))

        return call

    async def _together(self, calls: Any) -> Any:
        leads = [GET.request.FromString(one.request).lead_id for one in calls.calls]
        self.messages.append(leads)
        await self.open.wait()
        if self.fails is not None:
            raise grpc.aio.AioRpcError(self.fails, grpc.aio.Metadata(), grpc.aio.Metadata())
        told = leads[: len(leads) - self.loses]
        return Answers(answers=[{"response": lead.encode(), **self.answers[lead]} for lead in told])

    async def _alone(self, message: Any) -> bytes:
        self.alone.append(message.lead_id)
        return b"alone"

    async def sent(self, messages: int) -> None:
        """Wait until so many messages have left."""
        while len(self.messages) < messages:  # noqa: ASYNC110 - the line is not told to tell us
            await asyncio.sleep(0)

    async def held(self, line: Line, *leads: str) -> list["asyncio.Task[bytes]"]:
        """Have the service take its time from now on, with calls for some leads under way."""
        self.open.clear()
        calls = []
        for lead in leads:
            before = len(self.messages)
            calls.append(asyncio.create_task(ask(line, lead)))
            await self.sent(before + 1)
        return calls


async def ask(line: Line, lead: str, metadata: Mapping[str, str] | None = None) -> bytes:
    return await line.call(GET, GET.request(lead_id=lead), metadata or {}, PATIENCE)


def run(scene: Callable[[Line, Service], Awaitable[None]], **settings: float) -> None:
    """Play a scene with a line to a service, and other settings of lines."""

    async def played() -> None:
        service = Service()
        line = Line(service, lambda: True, lines._BYTES)
        await asyncio.wait_for(scene(line, service), PATIENCE)

    with pytest.MonkeyPatch.context() as patched:
        for name, value in settings.items():
            patched.setattr(lines, name, value)
        asyncio.run(played())


async def answers(calls: Sequence[Awaitable[bytes]]) -> list[Any]:
    """Return what was answered, or what became of a call instead."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    return [one.decode() if isinstance(one, bytes) else one for one in found]


def test_those_who_ask_at_once_share_a_message() -> None:
    async def scene(line: Line, service: Service) -> None:
        assert await answers([ask(line, lead) for lead in "abc"]) == ["a", "b", "c"]
        assert await ask(line, "d") == b"d"
        assert service.messages == [["a", "b", "c"], ["d"]]

    run(scene)


def test_calls_wait_while_two_messages_are_under_way() -> None:
    async def scene(line: Line, service: Service) -> None:
        first = await service.held(line, "a", "b")
        later = [asyncio.create_task(ask(line, lead)) for lead in "cd"]
        await asyncio.sleep(0.01)
        assert service.messages == [["a"], ["b"]]
        service.open.set()
        assert await answers([*first, *later]) == ["a", "b", "c", "d"]
        assert service.messages == [["a"], ["b"], ["c", "d"]]

    run(scene, _WAIT=PATIENCE)


def test_nobody_waits_for_a_message_that_takes_long() -> None:
    async def scene(line: Line, service: Service) -> None:
        first = await service.held(line, "a", "b")
        later = asyncio.create_task(ask(line, "c"))
        await service.sent(3)
        service.open.set()
        assert await answers([*first, later]) == ["a", "b", "c"]

    run(scene)


def test_how_long_a_call_waits_does_not_start_anew_with_every_answer() -> None:
    async def scene(line: Line, service: Service) -> None:
        line._under_way = 10  # after a hiccup
        waiting = asyncio.create_task(ask(line, "a"))
        await asyncio.sleep(0)
        leaving = line._leaving
        await service.held(Line(service, lambda: True))
        line._arrived(asyncio.create_task(asyncio.sleep(0)))
        assert line._leaving is leaving
        service.open.set()
        assert await waiting == b"a"

    run(scene)


def test_a_call_carries_its_own_metadata_and_is_refused_on_its_own() -> None:
    async def scene(line: Line, service: Service) -> None:
        seen: list[dict[str, str]] = []
        together = service._together

        async def noting(calls: Any) -> Any:
            seen.extend(dict(one.metadata) for one in calls.calls)
            return await together(calls)

        service._together = noting  # type: ignore[method-assign]
        status = status_pb2.Status(code=7, message="not you")
        service.answers["b"] = {"response": b"", "status": status.SerializeToString()}
        a, b, c = await answers([ask(line, lead, {"authorization": lead}) for lead in "abc"])
        assert (a, c) == ("a", "c")
        assert isinstance(b, CallRefused)
        assert b.status == status
        assert seen == [{"authorization": lead} for lead in "abc"]

    run(scene)


def test_what_another_process_may_know_is_asked_alone() -> None:
    async def scene(line: Line, service: Service) -> None:
        service.answers["b"] = {"response": b"", "status": b"", "elsewhere": True}
        assert await answers([ask(line, lead) for lead in "ab"]) == ["a", "alone"]
        assert service.alone == ["b"]

    run(scene)


def test_a_service_that_takes_no_calls_together_is_asked_alone_for_a_while() -> None:
    async def scene(line: Line, service: Service) -> None:
        service.fails = grpc.StatusCode.UNIMPLEMENTED
        assert await answers([ask(line, lead) for lead in "ab"]) == ["alone", "alone"]
        assert await ask(line, "c") == b"alone"
        assert service.messages == [["a", "b"]]
        line._alone_until = 0
        service.fails = None
        assert await ask(line, "d") == b"d"

    run(scene)


def test_a_message_that_fails_fails_for_all_in_it() -> None:
    async def scene(line: Line, service: Service) -> None:
        service.fails = grpc.StatusCode.UNAVAILABLE
        found = await answers([ask(line, lead) for lead in "ab"])
        assert [one.code() for one in found] == [grpc.StatusCode.UNAVAILABLE] * 2
        service.fails = None
        assert await ask(line, "c") == b"c"

    run(scene)


def test_nobody_is_left_waiting_when_an_answer_is_missing_or_the_gateway_ends() -> None:
    async def scene(line: Line, service: Service) -> None:
        service.loses = 1
        a, b = await answers([ask(line, lead) for lead in "ab"])
        assert a == "a"
        assert isinstance(b, ValueError)
        service.loses = 0
        waiting = await service.held(line, "c")
        for sending in line._sending:
            sending.cancel()
        (ended,) = await answers(waiting)
        assert isinstance(ended, asyncio.CancelledError)
        service.open.set()
        assert await ask(line, "d") == b"d"

    run(scene)


def test_who_no_longer_waits_is_not_missed() -> None:
    async def scene(line: Line, service: Service) -> None:
        gone, other = await service.held(line, "a", "b")
        later = [asyncio.create_task(ask(line, lead)) for lead in "cd"]
        await asyncio.sleep(0)
        gone.cancel()
        later[0].cancel()
        service.open.set()
        assert await answers([other, later[1]]) == ["b", "d"]
        assert service.messages == [["a"], ["b"], ["d"]]

    run(scene)


def test_calls_of_a_slow_method_travel_alone_for_a_while() -> None:
    async def scene(line: Line, service: Service) -> None:
        for lead in "abc":
            service.answers[lead] = {"seconds": 1.0}
        await ask(line, "a")
        assert await answers([ask(line, lead) for lead in "bc"]) == ["alone", "alone"]
        listed = [line.call(LIST, LIST.request(), {}, PATIENCE) for _ in range(2)]
        await answers(listed)
        line._slow_until.clear()
        assert await answers([ask(line, lead) for lead in "de"]) == ["d", "e"]
        assert service.messages == [["a"], ["", ""], ["d", "e"]]

    run(scene)


def test_calls_that_were_too_slow_together_are_made_alone_for_a_while() -> None:
    async def scene(line: Line, service: Service) -> None:
        service.fails = grpc.StatusCode.DEADLINE_EXCEEDED
        found = await answers([ask(line, lead) for lead in "ab"])
        assert [one.code() for one in found] == [service.fails] * 2
        assert await ask(line, "c") == b"alone"

    run(scene)


def test_who_waits_for_a_read_model_keeps_nobody_waiting() -> None:
    async def scene(line: Line, service: Service) -> None:
        waiting = GET.request(lead_id="a", min_position="leads:7")
        calls = [line.call(GET, waiting, {}, PATIENCE), ask(line, "b")]
        assert await answers(calls) == ["alone", "b"]
        assert service.messages == [["b"]]

    run(scene)


def test_large_requests_travel_alone_and_shared_messages_stay_small() -> None:
    async def scene(line: Line, service: Service) -> None:
        leads = ["x" * size for size in (10, 300, 60, 61)]
        found = await answers([ask(line, lead) for lead in leads])
        assert found == [leads[0], "alone", leads[2], leads[3]]
        assert service.messages == [[leads[0], leads[2]], [leads[3]]]
        many = [str(number) for number in range(250)]
        assert await answers([ask(line, lead) for lead in many]) == many
        assert max(map(len, service.messages)) <= MOST

    run(scene, _BYTES=230)


def test_messages_are_calls_as_the_contract_has_them() -> None:
    calls = Calls(calls=[{"method": GET.path, "metadata": {"a": "b"}, "request": b"x"}])
    assert Calls.FromString(calls.SerializeToString()) == calls
