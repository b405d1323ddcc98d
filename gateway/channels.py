"""Connections to the services, opened when first needed, with the retries gRPC itself offers."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["Channels"]

_READY_WITHIN = 1.0
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    (
        # Every call may be repeated: queries change nothing, commands carry their id.
        "grpc.service_config",
        orjson.dumps(
            {
                "methodConfig": [
                    {
                        "name": [{}],
                        "retryPolicy": {
                            "maxAttempts": 4,
                            "initialBackoff": "0.1s",
                            "maxBackoff": "1s",
                            "backoffMultiplier": 2,
                            "retryableStatusCodes": ["UNAVAILABLE"],
                        },
                    }
                ]
            }
        ).decode(),
    ),
]


class Channels:
    """One channel per address, shared by the contexts that live there.

    Args:
        addresses: where each context's API listens.
        credentials: TLS; plain when None.
    """

    def __init__(
        self, addresses: Mapping[str, str], credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self._addresses = addresses
        self._credentials = credentials
        self._open: dict[str, Any] = {}

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

    async def unready(self, services: Mapping[str, str]) -> list[str]:
        """Return which of the contexts (context to gRPC service name) do not serve."""

        async def serves(context: str, service: str) -> bool:
            stub = health_pb2_grpc.HealthStub(self.channel(context))
            request = health_pb2.HealthCheckRequest(service=service)
            try:
                reply = await stub.Check(request, timeout=_READY_WITHIN)
            except grpc.aio.AioRpcError:
                return False
            return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

        answers: Iterable[bool] = await asyncio.gather(*(serves(c, s) for c, s in services.items()))
        return [context for context, ready in zip(services, answers, strict=True) if not ready]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._open.values():
            await channel.close()
        self._open.clear()
