"""What Prometheus asks of the gateway: seconds by route and status."""

import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.conversation import METHODS
from gateway.resource import ROUTE
from shared.chassis.telemetry.metrics import CONTENT_TYPE, HTTP_SECONDS, page

__all__ = ["Measured", "metrics"]


class Measured:
    """ASGI middleware that times requests; paths outside the document count as one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        method = scope["method"] if scope["method"] in METHODS else "other"
        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started
            HTTP_SECONDS.labels(method, scope.get(ROUTE, "other"), status).observe(seconds)


async def metrics(_request: Request) -> Response:
    """Answer with this process's metrics in Prometheus's text format."""
    return Response(page(), media_type=CONTENT_TYPE)
