import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from tests.api.conftest import contract, fold, opened, proto, server

__all__ = ["contract", "fold", "opened", "proto", "server"]


class Announced(uvicorn.Server):
    """A server that says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serves.set()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port; give its address."""
    server = Announced(uvicorn.Config(app, log_level="error", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        assert server.serves.wait(10)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def client(server: ApiServer, proto: Path) -> Iterator[httpx.Client]:
    app = create_app({"toy": server.address}, proto=proto, max_body=4096)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        yield client
