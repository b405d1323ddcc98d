"""Who may ask without a token, where none is needed: this machine and the own pages of Annals.

Whoever sends no token to an embedded installation acts as its administrator. Any web page may have
its visitor's browser send a plain request here, or have a name of its own lead here and read; a
browser tells of both in `Origin` and `Sec-Fetch-*` (Fetch Metadata, W3C) and in `Host`.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import problems
from shared.chassis.api.errors import problem

__all__ = ["Local"]

_FOLLOWED = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What a browser says when a link leads here, into a window of its own."""


class Local:
    """ASGI application that refuses foreign pages and foreign names unless a token comes along.

    Args:
        app: what stands behind.
        host: where it listens: a name or an address; all addresses are `0.0.0.0` or `::`.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or a connection on, or refuse it."""
        if scope["type"] != "lifespan" and (refusal := self._refusal(scope)):
            await problems.response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> dict[str, Any] | None:
        headers = Headers(scope=scope)
        if headers.get("authorization", "").lower().startswith("bearer "):
            return None
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_here(host):
            return _refused("HostIsForeign", "does not answer to this name", host=host)
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return _refused("OriginIsForeign", "answers its own pages only", origin=origin)
        if headers.get("sec-fetch-site") == "cross-site" and not (
            scope.get("method") == "GET"
            and all(headers.get(name) == value for name, value in _FOLLOWED.items())
        ):
            return _refused("OriginIsForeign", "answers its own pages only")
        return None

    def _is_here(self, host: str) -> bool:
        """Whether a `Host` is one that nobody else can have made to lead here."""
        try:
            name = urlsplit(f"//{host}").hostname
            if name in {"localhost", self._host}:
                return True
            address = ip_address(name or "")
            return address.is_loopback or ip_address(self._host).is_unspecified
        except ValueError:
            return False


def _refused(rule: str, sentence: str, **details: str) -> dict[str, Any]:
    detail = f"without a token this installation {sentence}; send one, or open it at localhost"
    return problem(403, "It is not allowed", detail, rule=rule, details=details)
