"""Connections to the services, opened when first needed, with the retries gRPC itself offers.

A service that answered a moment ago and does not now is being replaced: calls wait for it. One that
has been silent for longer is down, and calls say so soon.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import grpc
import grpc.aio
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.lines import Line

__all__ = ["Channels"]

_READY_WITHIN = 1.0
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    (
        # Every call may be repeated: queries change nothing, commands carry their id.
        "grpc.service_config",
        orjson.dumps(
            {
                "loadBalancingConfig": [{"round_robin": {}}],
                "methodConfig": [
                    {
                        "name": [{}],
                        "retryPolicy": {
                            "maxAttempts": 4,
                            "initialBackoff": "0.1s",
                            "maxBackoff": "1s",
                            "backoffMultiplier": 2,
                            # A server that shuts down cancels calls it has not begun.
                            "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                        },
                    }
                ],
            }
        ).decode(),
    ),
]


class Channels:
    """One channel per address, shared by the contexts that live there.

    Args:
        addresses: where each context's API listens.
        credentials: TLS; plain when None.
        patience: seconds of silence after which a service counts as down.
        accepted: bytes that a service takes in one message.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        credentials: grpc.ChannelCredentials | None = None,
        patience: float = 20.0,
        accepted: int = 1024 * 1024,
    ) -> None:
        self._addresses = addresses
        self._patience = patience
        self._accepted = accepted
        self._credentials = credentials
        self._open: dict[str, Any] = {}
        self._lines: dict[tuple[str, bool], Line] = {}
        self._answered: dict[str, float] = {}

    def channel(self, context: str) -> Any:
        """Return the channel to a context; call it inside the event loop that will use it."""
        address = self._addresses[context]
        if address not in self._open:
            self._open[address] = (
                grpc.aio.insecure_channel(address, options=_OPTIONS)
                if self._credentials is None
                else grpc.aio.secure_channel(address, self._credentials, options=_OPTIONS)
            )
        return self._open[address]

    def line(self, context: str, *, changes: bool) -> Line:
        """Return the line for commands, which change something, or questions to a context.

        A question does not wait for commands, nor a command for questions. Call it inside the event
        loop that will use it.
        """
        line = self._lines.get((context, changes))
        if line is None:
            line = Line(self.channel(context), lambda: self.waits(context), self._accepted)
            self._lines[context, changes] = line
        return line

    def waits(self, context: str) -> bool:
        """Whether a call should wait for a context that cannot be reached just now."""
        return time.monotonic() - self._answered.get(context, -inf) < self._patience

    def answered(self, context: str) -> None:
        """Note that a context answers."""
        self._answered[context] = time.monotonic()

    def reaches(self, context: str) -> bool:
        """Whether there is a connection to a context just now."""
        return bool(self.channel(context).get_state() is grpc.ChannelConnectivity.READY)

    async def unready(self, services: Mapping[str, str]) -> list[str]:
        """Return which of the contexts (context to gRPC service name) do not serve."""

        async def serves(context: str, service: str) -> bool:
            stub = health_pb2_grpc.HealthStub(self.channel(context))
            request = health_pb2.HealthCheckRequest(service=service)
            try:
                reply = await stub.Check(request, timeout=_READY_WITHIN)
            except grpc.aio.AioRpcError:
                return False
            if reply.status != health_pb2.HealthCheckResponse.SERVING:
                return False
            self.answered(context)
            return True

        answers: Iterable[bool] = await asyncio.gather(*(serves(c, s) for c, s in services.items()))
        return [context for context, ready in zip(services, answers, strict=True) if not ready]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._open.values():
            await channel.close()
        self._open.clear()
        self._lines.clear()
