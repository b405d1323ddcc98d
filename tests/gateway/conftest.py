import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.service import OpenService, open_service
from tests.api.conftest import SECRET, catch_up, proto
from tests.api.toy import SERVICE

__all__ = ["proto"]


class Announced(uvicorn.Server):
    """A server that says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serves.set()


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[str]:
    """Serve an application on a free port; give its address."""
    server = Announced(uvicorn.Config(app, log_level="error", ws="none", **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        assert server.serves.wait(10)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def opened() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def fold(opened: OpenService) -> Callable[[], None]:
    return lambda: catch_up(opened)


@pytest.fixture(scope="session")
def client(opened: OpenService, proto: Path) -> Iterator[httpx.Client]:
    """The gateway before a toy service: one for all tests, so these count from what they find."""
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    app = create_app({"toy": server.address}, proto=proto, max_body=4096)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        yield client
    server.stop(grace=0)
