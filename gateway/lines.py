"""Calls to a context, those that are made at the same time in one message.

A call that comes alone leaves at once. While two messages are under way, calls wait for one of them
to be answered, a few milliseconds at most, and leave together: the busier the line, the less a call
costs. In a message one question is worked on after the other, so those of methods that turn out to
take long travel alone for a while, and those that wait for a read model always do.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from math import inf
from time import monotonic
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.rpc import status_pb2

from shared.chassis.api.contract import Rpc
from shared.chassis.api.together import CALL, MOST, Answers, Call, Calls

__all__ = ["CallRefused", "Line"]

_UNDER_WAY = 2
"""Messages under way before calls wait."""
_WAIT = 0.005
"""Seconds that calls wait at most."""
_QUICK = 0.02
"""Seconds that calls of a method may take on average to share messages."""
_LATEST = 8
"""Calls of a method that its average goes back, about."""
_SLOW_FOR = 5.0
"""Seconds that calls of a method travel alone when they took longer."""
_BYTES = 65_536
"""Of a message that is shared."""
_ALONE_FOR = 60.0
"""Seconds until a service that takes no calls together, of an older release, is asked again."""


class CallRefused(Exception):
    """The service refuses a call.

    Attributes:
        status: what it says.
    """

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class _NotTogether(Exception):
    """A call has to be made by itself: this process of the service cannot answer it so."""


class _Waiting(NamedTuple):
    call: Any
    """The message of one call."""
    timeout: float
    answered: "Future[bytes]"


class Line:
    """The calls of one kind, commands or questions, to one context.

    Args:
        channel: to the context's service.
        waits: whether a call should wait when the service cannot be reached just now.
        accepted: bytes that the service takes in one message.
    """

    def __init__(self, channel: Any, waits: Callable[[], bool], accepted: int = _BYTES) -> None:
        self._channel = channel
        self._waits = waits
        self._room = min(_BYTES, accepted)
        self._together = channel.unary_unary(
            CALL,
            request_serializer=Calls.SerializeToString,
            response_deserializer=Answers.FromString,
        )
        self._alone: dict[str, Any] = {}
        self._alone_until = -inf
        self._seconds: dict[str, float] = {}
        self._slow_until: dict[str, float] = {}
        self._queue: list[_Waiting] = []
        self._under_way = 0
        self._leaving: asyncio.Handle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def call(
        self,
        rpc: Rpc,
        message: Any,
        metadata: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - gRPC's own
    ) -> bytes:
        """Call a method and return the answer as it came.

        Args:
            rpc: the method.
            message: the request.
            metadata: of this call.
            timeout: seconds until the call is given up.

        Raises:
            CallRefused: by the service.
            grpc.aio.AioRpcError: the service cannot be reached, or refuses a call made alone.
        """
        if self._may_share(rpc, message):
            request = message.SerializeToString()
            call = Call(method=rpc.path, metadata=metadata, request=request)
            if call.ByteSize() <= self._room:
                answered = asyncio.get_running_loop().create_future()
                self._queue.append(_Waiting(call, timeout, answered))
                self._plan()
                with suppress(_NotTogether):
                    answer: bytes = await answered
                    return answer
        return await self._by_itself(rpc, message, metadata, timeout)

    def _may_share(self, rpc: Rpc, message: Any) -> bool:
        now = monotonic()
        if now < self._alone_until or now < self._slow_until.get(rpc.path, -inf):
            return False
        return not getattr(message, "min_position", "")

    async def _by_itself(
        self,
        rpc: Rpc,
        message: Any,
        metadata: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - gRPC's own
    ) -> bytes:
        method = self._alone.get(rpc.path)
        if method is None:
            method = self._alone[rpc.path] = self._channel.unary_unary(
                rpc.path, request_serializer=rpc.request.SerializeToString
            )
        answer: bytes = await method(
            message,
            timeout=timeout,
            metadata=tuple(metadata.items()),
            wait_for_ready=self._waits(),
        )
        return answer

    def _plan(self) -> None:
        """Have what waits leave: soon when the line is free, else when it is or in a moment."""
        if self._leaving is not None or not self._queue:
            return
        loop = asyncio.get_running_loop()
        if self._under_way < _UNDER_WAY:
            self._leaving = loop.call_soon(self._leave)
        else:
            self._leaving = loop.call_later(_WAIT, self._leave)

    def _leave(self) -> None:
        self._leaving = None
        room = self._room

        def fits(waiting: _Waiting) -> bool:
            nonlocal room
            room -= int(waiting.call.ByteSize())
            return room >= 0

        waiting = [one for one in self._queue if not one.answered.done()]
        group = [*takewhile(fits, waiting[:MOST])]
        self._queue = waiting[len(group) :]
        if group:
            self._under_way += 1
            sending = asyncio.get_running_loop().create_task(self._sent(group))
            self._sending.add(sending)
            sending.add_done_callback(self._arrived)
        self._plan()

    def _arrived(self, sending: "asyncio.Task[None]") -> None:
        self._sending.discard(sending)
        self._under_way -= 1
        if self._leaving is not None and self._under_way < _UNDER_WAY:
            self._leaving.cancel()
            self._leaving = None
        self._plan()

    async def _sent(self, group: Sequence[_Waiting]) -> None:
        """Make several calls as one, and give each its answer."""
        try:
            answers = await self._together(
                Calls(calls=[one.call for one in group]),
                timeout=group[0].timeout,
                wait_for_ready=self._waits(),
            )
            for one, answer in zip(group, answers.answers, strict=True):
                self._note(one.call.method, answer.seconds)
                if not one.answered.done():
                    _give(one.answered, answer)
        except Exception as error:  # noqa: BLE001 - raised where the calls came from
            told = self._learned(error, group)
            for one in group:
                if not one.answered.done():
                    one.answered.set_exception(told)
        finally:
            for one in group:
                one.answered.cancel()  # if it is still open: the gateway ends

    def _learned(self, error: Exception, group: Sequence[_Waiting]) -> Exception:
        """Note what a failure says of the service and its methods; return what callers are told."""
        match error.code() if isinstance(error, grpc.aio.AioRpcError) else None:
            case grpc.StatusCode.UNIMPLEMENTED:
                self._alone_until = monotonic() + _ALONE_FOR
                return _NotTogether()
            case grpc.StatusCode.DEADLINE_EXCEEDED if len(group) > 1:
                for one in group:
                    self._slow_until[one.call.method] = monotonic() + _SLOW_FOR
        return error

    def _note(self, method: str, seconds: float) -> None:
        known = self._seconds.get(method, 0.0)
        self._seconds[method] = known + (seconds - known) / _LATEST
        if self._seconds[method] > _QUICK:
            self._slow_until[method] = monotonic() + _SLOW_FOR
            self._seconds[method] = 0.0


def _give(answered: "Future[bytes]", answer: Any) -> None:
    if answer.elsewhere:
        answered.set_exception(_NotTogether())
    elif answer.status:
        answered.set_exception(CallRefused(status_pb2.Status.FromString(answer.status)))
    else:
        answered.set_result(answer.response)
