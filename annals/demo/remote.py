"""The stage of real services: commands go over gRPC, the clock is that of the installation."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import grpc
from grpc_status import rpc_status

from annals.demo.act import ADMINISTRATOR, Act, Found
from annals.demo.company import STAFF
from shared.chassis import tracking
from shared.chassis.api.codec import reader, writer
from shared.chassis.api.contract import Contract
from shared.chassis.api.errors import problem_of
from shared.chassis.api.identity import issue_token
from shared.chassis.clock import FileClock
from shared.chassis.messaging.deadlines import POLICIES, due
from shared.chassis.messaging.lag import lag, quiescent
from shared.chassis.messaging.watch import Watch
from shared.chassis.service import OpenService

__all__ = ["Interrupted", "NotSettling", "Remote"]

_PATIENCE = 180.0
_CALL = 20.0
_PAUSE = 0.004
_AGAIN = 0.05
_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
]

Call = Callable[..., Any]


class Interrupted(Exception):
    """The stage was closed while something was being played."""


class NotSettling(Exception):
    """Something is behind and does not come nearer; the workers may have stopped."""

    def __init__(self, behind: Sequence[str]) -> None:
        super().__init__(
            f"not everything is applied after {_PATIENCE:g} s: {', '.join(behind) or 'deadlines'}"
        )


class Remote:
    """An embedded installation that runs.

    Every call waits while the services start again, and is repeated with its command id when its
    answer was lost.

    Args:
        address: of the gRPC API.
        secret: what its tokens are signed with.
        services: its services, opened beside it to see how far they are.
        clock: its clock.
    """

    def __init__(
        self, address: str, secret: str, services: Sequence[OpenService], clock: FileClock
    ) -> None:
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._secret = secret
        self._services = services
        self._clock = clock
        self._tokens: dict[str, str] = {}
        self._calls: dict[tuple[str, str], tuple[Call, Call, Call]] = {}
        self._stopped = threading.Event()
        self._standings = [_Standing(opened) for opened in services]

    @cached_property
    def _contracts(self) -> Mapping[str, Contract]:
        return {opened.name: Contract.load(opened.name) for opened in self._services}

    def turn(self, moment: datetime | None) -> None:
        """See `Stage`; a simulated present never goes back."""
        if moment is None or not self._clock.simulated or moment > self._clock.now():
            self._clock.set(moment, durable=moment is None)

    def settle(self) -> None:
        """See `Stage`.

        Raises:
            NotSettling: something stays behind.
            Interrupted: the stage was closed.
        """
        self._wait_until(lambda: _settled(self._standings, self._clock.now()))

    def rest(self) -> None:
        """See `Stage`.

        Raises:
            NotSettling: something stays behind.
            Interrupted: the stage was closed.
        """
        self._wait_until(lambda: quiescent(self._services))

    def perform(self, act: Act, request: Mapping[str, Any]) -> str | None:
        """See `Stage`."""
        send, write, _ = self._call(act.context, act.rpc)
        metadata = (
            ("annals-command-id", act.id),
            ("annals-occurred-at", act.at.isoformat()),
            *self._authorization(act.by),
        )
        answer = self._until_known(lambda: send(write(request), metadata))
        return answer if isinstance(answer, str) else None

    def find(self, found: Found) -> str | None:
        """See `Stage`; the list may be a moment behind the policies."""
        send, write, read = self._call(found.context, found.rpc)
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up:
            answer = self._until_known(lambda: send(write({"filter": found.filter}), ()))
            items = read(answer).get("items", []) if not isinstance(answer, str) else []
            if items:
                return str(items[0][found.field])
            self._stopped.wait(_AGAIN)
        return None

    def close(self) -> None:
        """Give up whatever is waited for, and close the connection."""
        self._stopped.set()
        self._channel.close()

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _PATIENCE
        while not reached():
            if self._stopped.is_set():
                raise Interrupted
            if time.monotonic() > give_up:
                behind = {
                    f"{row.service}.{row.consumer}" for row in lag(self._services) if row.events
                }
                raise NotSettling(sorted(behind))
            time.sleep(_PAUSE)

    def _until_known(self, send: Callable[[], Any]) -> Any:
        """Return the answer, or the rule of the refusal."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            if self._stopped.is_set():
                raise Interrupted
            try:
                return send()
            except grpc.RpcError as error:
                if self._stopped.is_set():
                    continue
                status = rpc_status.from_call(error)
                told = problem_of(status) if status else {}
                if error.code() not in _TRANSIENT or time.monotonic() > give_up:
                    return str(told.get("rule") or error.code().name)
            self._stopped.wait(_AGAIN)

    def _call(self, context: str, rpc: str) -> tuple[Call, Call, Call]:
        if (context, rpc) not in self._calls:
            method = self._contracts[context].rpcs[rpc]
            stub = self._channel.unary_unary(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )

            def send(message: Any, metadata: Sequence[tuple[str, str]]) -> Any:
                return stub(message, metadata=metadata, timeout=_CALL, wait_for_ready=True)

            self._calls[context, rpc] = send, writer(method.request), reader(method.response)
        return self._calls[context, rpc]

    def _authorization(self, by: str) -> tuple[tuple[str, str], ...]:
        if by == ADMINISTRATOR:
            return ()
        if by not in self._tokens:
            employee = STAFF[by]
            self._tokens[by] = "Bearer " + issue_token(
                self._secret,
                by,
                name=employee.name,
                roles=(*employee.roles, "late_entry"),
                unit=employee.path,
            )
        return (("authorization", self._tokens[by]),)


class _Standing:
    """How far a service's log and policies are, looked up only when something was committed."""

    def __init__(self, opened: OpenService) -> None:
        self.context = opened.name
        self.listens = frozenset().union(*(p.contexts for p in opened.service.policies))
        self.tip = 0
        self._opened = opened
        self._watch = Watch(opened.log_database)
        self._positions: Mapping[tuple[str, str], int] = {}

    def refresh(self) -> bool:
        """Look again; return whether anything was committed since the last time."""
        if not self._watch.changed():
            return False
        self.tip = self._opened.log.tip()
        with self._opened.log_database.read() as connection:
            self._positions = tracking.positions(connection)
        return True

    def has_reacted(self, tips: Mapping[str, int]) -> bool:
        """Whether its policies have seen everything up to these tips."""
        return all(
            self._positions.get((POLICIES, context), 0) >= tips[context]
            for context in self.listens & tips.keys()
        )

    def has_due(self, now: datetime) -> bool:
        """Whether a deadline waits to be kept."""
        return due(self._opened.log_database, now) > 0


def _settled(standings: Sequence[_Standing], now: datetime) -> bool:
    """Whether every policy has reacted to every fact and no deadline is due.

    Nothing may be committed while this is looked at, or it would have to be looked at again.
    """
    for standing in standings:
        standing.refresh()
    tips = {standing.context: standing.tip for standing in standings}
    if not all(standing.has_reacted(tips) for standing in standings):
        return False
    if any(standing.has_due(now) for standing in standings):
        return False
    changed = [standing.refresh() for standing in standings]
    return not any(changed)
