"""Other services' logs over gRPC, for commands that run beside a service and end.

A worker goes another way, for gRPC does not work in it: `shared.chassis.worker.pulling`.
"""

from collections.abc import Callable, Collection, Container
from typing import Any

import grpc

from shared.chassis.api.logwire import READ, read_next, read_request, read_slice
from shared.chassis.messaging.lag import Beyond
from shared.chassis.messaging.slices import MAX_EVENTS, Slice
from shared.chassis.shapes import Unavailable
from shared.events.base import Event, Recorded

__all__ = ["Distant", "DistantLog"]

_TIMEOUT = 60.0
_GLANCE = 2.0
_AT_ONCE = 8 * MAX_EVENTS
"""Facts asked for in one call."""


class Distant:
    """Reads the logs of services that live elsewhere; as a function it is a `Pull`.

    Args:
        addresses: returns the address of a context's service, `host:port`.
        token: returns the bearer token; asked before each call.
        credentials: TLS; plain when None.
    """

    def __init__(
        self,
        addresses: Callable[[str], str],
        token: Callable[[], str | None],
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self._addresses = addresses
        self._token = token
        self._credentials = credentials
        self._open: dict[str, grpc.Channel] = {}

    def __call__(
        self, context: str, after: int, limit: int, wanted: Container[str] | None = None
    ) -> Slice | None:
        """Read up to `limit` facts after a position; see `Pull`.

        Raises:
            Unavailable: the service refuses or cannot be reached; it says why.
        """
        return read_slice(self.messages(context, after, limit), wanted)

    def ahead(self, context: str, position: int) -> Beyond | None:
        """Tell what a log holds after a position; see `Ahead`."""
        try:
            found = read_next(self.messages(context, position, 1, _GLANCE))
        except Unavailable:
            return None
        return Beyond(*found) if found else Beyond(position, None)

    def log(self, context: str) -> "DistantLog":
        """Return a context's log as something to rebuild read models from."""
        return DistantLog(self, context)

    def messages(
        self, context: str, after: int, limit: int, timeout: float = _TIMEOUT
    ) -> list[bytes]:
        """Return the answer to one request as it came.

        Raises:
            Unavailable: see `__call__`.
        """
        call = self._channel(context).unary_stream(READ)
        token = self._token()
        metadata = [("authorization", f"Bearer {token}")] if token else []
        request = read_request(context, after, limit)
        try:
            return list(call(request, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            raise Unavailable(f"{context} does not give its log: {reason}") from error

    def close(self) -> None:
        """Close what was opened."""
        for channel in self._open.values():
            channel.close()
        self._open.clear()

    def _channel(self, context: str) -> Any:
        address = self._addresses(context)
        if address not in self._open:
            self._open[address] = (
                grpc.insecure_channel(address)
                if self._credentials is None
                else grpc.secure_channel(address, self._credentials)
            )
        return self._open[address]


class DistantLog:
    """A context's log elsewhere: a `Source` for `rebuild`.

    Args:
        distant: the way there.
        context: whose log.
    """

    def __init__(self, distant: Distant, context: str) -> None:
        self._distant = distant
        self._context = context

    def tip(self) -> int:
        """Return the last position."""
        found = read_next(self._distant.messages(self._context, 0, 1))
        return found[0] if found else 0

    def read(
        self,
        after: int,
        limit: int = 256,
        *,
        upto: int | None = None,
        topics: Collection[str] = (),
    ) -> list[Recorded[Event]]:
        """Return up to `limit` facts of these topics after a position and up to another."""
        found: list[Recorded[Event]] = []
        end = float("inf") if upto is None else upto
        while len(found) < limit and after < end:
            some = int(min(_AT_ONCE, end - after))
            piece = self._distant(self._context, after, some, topics or None)
            if piece is None:
                break
            found += piece.facts
            after = piece.last
        return found[:limit]
