"""How often one caller may come: by token, or by address without one."""

import hashlib

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import problems
from shared.chassis.api.errors import problem_of, status_of
from shared.chassis.api.limits import Allowance, TooManyRequests

__all__ = ["Limited"]


class Limited:
    """ASGI application that refuses whoever asks too often, and says when to come again.

    Args:
        app: what stands behind.
        rate: requests per second and caller; 0 sets no limit.
    """

    def __init__(self, app: ASGIApp, rate: float) -> None:
        self._app = app
        self._allowance = Allowance(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if self._allowance.is_limited:
            try:
                self._allowance.take(_caller(Request(scope)))
            except TooManyRequests as refusal:
                answer = problems.response(problem_of(status_of(refusal)))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _caller(request: Request) -> str:
    """Return a name for the caller; a token's digest, for whose it is only services find out."""
    token = request.headers.get("authorization")
    if token:
        return hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
    return request.client.host if request.client else ""
