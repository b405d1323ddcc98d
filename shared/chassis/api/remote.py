"""Calling other services' gRPC for a process that cannot: `python -m shared.chassis.api.remote FD`.

The worker runs on green threads, under which grpcio never answers. It starts this program, whose
threads are the system's, with one end of a Unix socket, and passes the ends of further ones over
it: each is served by a thread, one request after another. Requests are JSON; replies are the
messages as gRPC delivered them, then one frame that says how the call ended.

It imports little, so that it starts quickly, and ends with whoever started it.
"""

import base64
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc

from shared.chassis.api.frames import END, FAILURE, MESSAGE, read_frame, write_frame

__all__ = ["Channels", "credentials", "main"]

_IDLE = 60.0
"""Seconds without a request after which the program ends by itself."""
_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def credentials(tls: Mapping[str, str]) -> grpc.ChannelCredentials | None:
    """Return what TLS needs, read from the files now.

    Args:
        tls: files by `authority`, `certificate` and `key`; without an authority nothing is secured.
    """
    if "authority" not in tls:
        return None
    read = {name: Path(file).read_bytes() for name, file in tls.items()}
    return grpc.ssl_channel_credentials(read["authority"], read.get("key"), read.get("certificate"))


class Channels:
    """Channels to other services, opened when needed and forgotten when a call over one failed.

    Args:
        tls: see `credentials`.
    """

    def __init__(self, tls: Mapping[str, str]) -> None:
        self._tls = tls
        self._open: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def call(
        self, address: str, method: str, request: bytes, token: str | None, timeout: float
    ) -> Iterator[bytes]:
        """Call a method that answers with a stream.

        Args:
            address: `host:port`.
            method: path of the method.
            request: the request message.
            token: bearer token.
            timeout: seconds for the whole call.

        Raises:
            grpc.RpcError: the server refuses or cannot be reached.
        """
        call = self._channel(address).unary_stream(method)
        metadata = [("authorization", f"Bearer {token}")] if token else []
        try:
            yield from call(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError:
            self._forget(address)
            raise

    def close(self) -> None:
        """Close every channel."""
        for address in list(self._open):
            self._forget(address)

    def _channel(self, address: str) -> grpc.Channel:
        with self._lock:
            if address not in self._open:
                secured = credentials(self._tls)
                self._open[address] = (
                    grpc.secure_channel(address, secured, options=_OPTIONS)
                    if secured
                    else grpc.insecure_channel(address, options=_OPTIONS)
                )
            return self._open[address]

    def _forget(self, address: str) -> None:
        with self._lock:
            channel = self._open.pop(address, None)
        if channel is not None:
            channel.close()


class _Server:
    def __init__(self, tls: Mapping[str, str]) -> None:
        self._channels = Channels(tls)
        self.used_at = time.monotonic()

    def serve(self, stream: socket.socket) -> None:
        """Answer the requests of one stream until it is closed."""
        with stream, stream.makefile("rwb") as file:
            while frame := read_frame(file):
                self.used_at = time.monotonic()
                for kind, content in self._answer(json.loads(frame.content)):
                    write_frame(file, kind, content)
                file.flush()
                self.used_at = time.monotonic()

    def _answer(self, request: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
        message = base64.b64decode(request["message"])
        try:
            for piece in self._channels.call(
                request["address"], request["method"], message, request["token"], request["timeout"]
            ):
                yield MESSAGE, piece
        except grpc.RpcError as error:
            yield FAILURE, f"{error.code().name}: {error.details()}".encode()
        except OSError as error:
            yield FAILURE, f"certificates: {error.strerror}: {error.filename}".encode()
        else:
            yield END, b""


def main(control: socket.socket, tls: Mapping[str, str]) -> None:
    """Serve every socket that arrives over another, until that one closes or all is quiet."""
    server = _Server(tls)
    control.settimeout(_IDLE)
    while True:
        try:
            sign, sockets, _, _ = socket.recv_fds(control, 1, 1)
        except TimeoutError:
            if time.monotonic() - server.used_at > _IDLE:
                return
            continue
        if not sign:
            return
        stream = socket.socket(fileno=sockets[0])
        threading.Thread(target=server.serve, args=(stream,), daemon=True).start()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent, which may need it to stop
    main(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2]))
    os._exit(0)
