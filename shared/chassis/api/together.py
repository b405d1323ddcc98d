"""Calls that travel as one, `annals.calls.v1.Together/Call`: the messages and the server's side.

Most of what a short call costs, a call costs without doing anything: the frames, the threads that
pass it on. A caller with many calls at a time spares that by sending them in one message.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context, copy_context
from time import perf_counter
from typing import Any, NamedTuple

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2

from shared.chassis.api.contract import PROTO, load_file
from shared.chassis.api.form import answer_of

__all__ = [
    "CALL",
    "MOST",
    "SERVICE",
    "Answers",
    "Bound",
    "Call",
    "Calls",
    "together_handler",
]

SERVICE = "annals.calls.v1.Together"
CALL = f"/{SERVICE}/Call"
MOST = 100
"""Calls in one message."""

_messages = load_file(PROTO / "annals" / "calls" / "v1" / "calls.binpb").message_types_by_name
Call: Any = message_factory.GetMessageClass(_messages["Call"])
Calls: Any = message_factory.GetMessageClass(_messages["Calls"])
Answers: Any = message_factory.GetMessageClass(_messages["Answers"])


class Bound(NamedTuple):
    """A method as `together_handler` calls it.

    Attributes:
        request: message class of the request.
        begun: begins a call; see `shared.chassis.api.binder.Begun`.
        carry_out: carries the commands out that calls ask for, each on its own; None when the
            method is a question.
    """

    request: type[Any]
    begun: Callable[[Any, dict[str, str]], Any]
    carry_out: Callable[[Sequence[Any]], Sequence[Any]] | None


def together_handler(
    methods: Mapping[str, Bound], is_newer: Callable[[status_pb2.Status], bool]
) -> grpc.GenericRpcHandler:
    """Serve methods, by their gRPC paths, called several at a time.

    Questions are answered one after another, and what commands ask for is carried out as one.

    Args:
        methods: of all services of this server.
        is_newer: whether a refusal says that a process of a newer release may do what this cannot.
    """

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        if len(request.calls) > MOST:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{MOST} calls at most in one message")
        calls = [_Call(one, methods.get(one.method)) for one in request.calls]
        for one in calls:
            if context.is_active():
                one.step()
        _carry_out(calls)
        return Answers(answers=[one.told(is_newer) for one in calls])

    handler = grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=Calls.FromString,
        response_serializer=Answers.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"Call": handler})


def _carry_out(calls: "Iterable[_Call]") -> None:
    """Carry out what calls wait for, all of one application as one."""
    waiting: dict[Any, list[_Call]] = {}
    for one in calls:
        if one.command is not None and one.bound is not None:
            waiting.setdefault(one.bound.carry_out, []).append(one)
    for carry_out, some in waiting.items():
        results = carry_out([one.command for one in some])
        for one, result in zip(some, results, strict=True):
            one.step(result)


class _Call:
    """One of the calls, with a context of its own for what log lines and traces say of it."""

    def __init__(self, one: Any, bound: Bound | None) -> None:
        self.bound = bound
        self.command: Any = None
        """What it waits for."""
        self._result: Any = _refused(code_pb2.CANCELLED, "nobody is waiting any more")
        self._seconds = 0.0
        self._context: Context = copy_context()
        self._steps: Any = None
        if bound is None:
            self._result = _refused(code_pb2.UNIMPLEMENTED, "there is no such method")
            return
        try:
            message = bound.request.FromString(one.request)
        except DecodeError:
            self._result = _refused(code_pb2.INVALID_ARGUMENT, "the request cannot be read")
            return
        self._steps = bound.begun(message, dict(one.metadata))

    def step(self, result: Any = None) -> None:
        """Go on until it ends or waits for a command, whose result it is then given."""
        if self._steps is None:
            return
        act, value = self._steps.send, result
        if isinstance(result, Exception):
            act = self._steps.throw
        started = perf_counter()
        try:
            self.command = self._context.run(act, value)
        except StopIteration as ended:
            self._result, self._steps, self.command = ended.value, None, None
        self._seconds += perf_counter() - started

    def told(self, is_newer: Callable[[status_pb2.Status], bool]) -> dict[str, Any]:
        """Return the answer's fields."""
        if isinstance(self._result, status_pb2.Status):
            status = self._result.SerializeToString()
            return {
                "status": status,
                "elsewhere": is_newer(self._result),
                "seconds": self._seconds,
            }
        return {"response": answer_of(self._result), "seconds": self._seconds}


def _refused(code: int, text: str) -> status_pb2.Status:
    return status_pb2.Status(code=code, message=text)
