"""What Prometheus asks of the gateway: requests and seconds by route."""

import time
from collections.abc import MutableMapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.resource import ROUTE

__all__ = ["Measured", "metrics"]

_REQUESTS = Counter(
    "annals_http_requests", "Requests by route and status.", ["method", "route", "status"]
)
_SECONDS = Histogram("annals_http_seconds", "Seconds to answer by route.", ["method", "route"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Measured:
    """ASGI middleware that counts and times requests; paths outside the document count as one."""

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
        try:
            await self._app(scope, receive, noting)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = scope.get(ROUTE, "other")
            _REQUESTS.labels(method, route, status).inc()
            _SECONDS.labels(method, route).observe(time.perf_counter() - started)


async def metrics(_request: Request) -> Response:
    """Answer with this process's metrics in Prometheus's text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
