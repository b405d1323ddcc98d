"""The operations port of api and worker processes: `/metrics`, `/livez` and `/readyz`.

Every request is answered by a thread of its own; in a process patched by eventlet that is a green
thread, so that it may use the same connections as the work itself and tells nothing while the work
stands still.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import orjson
import structlog

from shared.chassis.telemetry import metrics

__all__ = ["Check", "Operations"]

log = structlog.get_logger(__name__)

Check = Callable[[], str | None]
"""Returns what is wrong in a few words, None when nothing is; raising is wrong as well."""

_JSON = "application/json"
_OK = "ok"


class Operations:
    """Answers an operator's questions over HTTP, from entering to leaving the context.

    Args:
        checks: what has to hold for the process to be ready, by name.
        host: the address to listen on.
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, checks: Mapping[str, Check], host: str = "127.0.0.1", port: int = 0) -> None:
        self._checks = checks

        class Handler(_Handler):
            operations = self

        self._server = _Server((host, port), Handler)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="operations", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def unready(self) -> dict[str, str]:
        """Return what is not as it has to be, by the name of the check; empty when ready."""
        found = {name: _outcome(check) for name, check in self._checks.items()}
        return {name: wrong for name, wrong in found.items() if wrong != _OK}

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, content type and body for a path."""
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, metrics.CONTENT_TYPE, metrics.page()
            case "/livez":
                return HTTPStatus.OK, _JSON, orjson.dumps({"status": "alive"})
            case "/readyz":
                wrong = self.unready()
                status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
                told = dict.fromkeys(self._checks, _OK) | wrong
                ready = "not ready" if wrong else "ready"
                return status, _JSON, orjson.dumps({"status": ready, "checks": told})
            case _:
                known = {"paths": ["/metrics", "/livez", "/readyz"]}
                return HTTPStatus.NOT_FOUND, _JSON, orjson.dumps(known)


def _outcome(check: Check) -> str:
    try:
        return check() or _OK
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is no
        log.warning("readiness check failed", error=type(error).__qualname__)
        return type(error).__name__


class _Server(ThreadingHTTPServer):
    """Takes callers that hang up as they are, and tells the log of anything else that fails."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            log.error("request failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; says nothing about who asked."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    operations: Operations

    def do_GET(self) -> None:
        status, kind, body = self.operations.answer(self.path)
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: Any) -> None:
        """Leave out the access log."""

    def version_string(self) -> str:
        """Name the product, not what it is written in."""
        return "annals"
