"""Serving an application over HTTP until the process is told to stop."""

import math
import os
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gateway.local import Local
from shared.chassis.settings import Mode, Settings

__all__ = ["serve_http", "shielded"]


class _Server(uvicorn.Server):
    """Says when it serves, ends in order at a first signal and at once at a second."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


def shielded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return an application that foreign web pages cannot use where no token is needed.

    Production demands a token of everybody, and may stand behind a proxy under any name.
    """
    return app if settings.mode is Mode.PRODUCTION else Local(app, settings.host)


def serve_http(app: ASGIApp, settings: Settings, ready: Callable[[], None], grace: float) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand are answered first.

    Args:
        app: an ASGI application.
        settings: name the address, the port and the certificate.
        ready: called once it answers.
        grace: seconds that requests in hand get.
    """
    config = uvicorn.Config(
        shielded(app, settings),
        host=settings.host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=math.ceil(grace),
    )
    _Server(config, ready).run()
