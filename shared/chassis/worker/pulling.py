"""Pulling other services' logs over gRPC, from a process in which gRPC does not work."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from eventlet.greenio import GreenSocket
from eventlet.patcher import original

from shared.chassis.api.frames import END, MESSAGE, REQUEST, read_frame, write_frame
from shared.chassis.api.logwire import READ, read_next, read_request, read_slice
from shared.chassis.messaging.lag import Beyond
from shared.chassis.messaging.slices import Slice
from shared.chassis.shapes.errors import Unavailable

__all__ = ["Caller", "Elsewhere"]

_ROOT = Path(__file__).parents[3]
_TIMEOUT = 10.0
_STOPPING = 5.0
_GLANCE = 1.0
_SILENCE = 30.0


class _Broken(Exception):
    """The helper has ended; another may do."""


class Caller:
    """Calls other services through a helper process, which is started when there is a call to make.

    The helper ends after a quiet minute. Each green thread that waits has a stream of its own, so
    that a service which does not answer holds up nobody but its caller.

    Args:
        tls: files by `authority`, `certificate` and `key`; empty to speak in clear.
    """

    def __init__(self, tls: Mapping[str, Path] | None = None) -> None:
        self._tls = {name: str(file) for name, file in (tls or {}).items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Any = None
        self._idle: list[Any] = []
        self._starting = threading.Lock()

    def call(
        self,
        address: str,
        method: str,
        message: bytes,
        token: str | None,
        timeout: float = _TIMEOUT,
    ) -> list[bytes]:
        """Call a method that answers with a stream, and return its messages.

        Args:
            address: `host:port` of the service.
            method: path of the method.
            message: the request.
            token: bearer token; given anew with every call, since it may change.
            timeout: seconds for the whole call.

        Raises:
            Unavailable: the service refuses or cannot be reached; it says why.
        """
        asked = {
            "address": address,
            "method": method,
            "message": base64.b64encode(message).decode(),
            "token": token,
            "timeout": timeout,
        }
        request = json.dumps(asked).encode()
        process = self._process
        try:
            return self._ask(address, request)
        except (_Broken, OSError):
            if process is self._process:
                self.close()
        try:
            return self._ask(address, request)
        except (_Broken, OSError) as error:
            raise Unavailable("the helper that reads other services' logs ends") from error

    def close(self) -> None:
        """End the helper; another call starts another."""
        process, self._process = self._process, None
        while self._idle:
            self._idle.pop().close()
        if process is not None:
            self._control.close()
            try:
                process.wait(_STOPPING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _ask(self, address: str, request: bytes) -> list[bytes]:
        file = self._idle.pop() if self._idle else self._stream()
        try:
            write_frame(file, REQUEST, request)
            file.flush()
            messages: list[bytes] = []
            while (frame := read_frame(file)) is not None and frame.kind == MESSAGE:
                messages.append(frame.content)
        except BaseException:  # also when the green thread is killed: the stream is in mid-answer
            file.close()
            raise
        if frame is None:
            file.close()
            raise _Broken
        self._idle.append(file)
        if frame.kind != END:
            raise Unavailable(f"{address} does not give its log: {frame.content.decode()}")
        return messages

    def _stream(self) -> Any:
        native = original("socket")
        with self._starting:  # starting gives way to others, who would start their own
            if self._process is None:
                self._start(native)
        ours, theirs = native.socketpair()
        with theirs:
            native.send_fds(self._control, [b"+"], [theirs.fileno()])
        stream = GreenSocket(ours)
        file = stream.makefile("rwb")
        stream.close()  # once the file is closed, too
        return file

    def _start(self, native: Any) -> None:
        self._control, theirs = native.socketpair()
        with theirs:
            number = theirs.fileno()
            module = "shared.chassis.api.remote"
            self._process = subprocess.Popen(  # noqa: S603 - the command is this program's own
                [sys.executable, "-m", module, str(number), json.dumps(self._tls)],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
            )


class Elsewhere:
    """Other services' logs, read over gRPC: a `Pull`, and an `Ahead` for their lag.

    Args:
        addresses: returns the address of a context's service, `host:port`.
        token: returns this service's token; asked before each call.
        tls: files by `authority`, `certificate` and `key`; None to speak in clear.
    """

    def __init__(
        self,
        addresses: Callable[[str], str],
        token: Callable[[], str | None],
        tls: Mapping[str, Path] | None = None,
    ) -> None:
        self._caller = Caller(tls)
        self._addresses = addresses
        self._token = token
        self._silent_until: dict[str, float] = {}

    def __call__(
        self, context: str, after: int, limit: int, wanted: Container[str] | None = None
    ) -> Slice | None:
        """Read up to `limit` facts after a position; see `Pull`."""
        return read_slice(self._read(context, after, limit, _TIMEOUT), wanted)

    def ahead(self, context: str, position: int) -> Beyond | None:
        """Tell what a log holds after a position; see `Ahead`.

        An owner that did not answer is left alone for a while, so that looking at the lag stays
        quick.
        """
        if monotonic() < self._silent_until.get(context, 0.0):
            return None
        try:
            found = read_next(self._read(context, position, 1, _GLANCE))
        except Unavailable:
            self._silent_until[context] = monotonic() + _SILENCE
            return None
        return Beyond(*found) if found else Beyond(position, None)

    def _read(self, context: str, after: int, limit: int, timeout: float) -> list[bytes]:
        request = read_request(context, after, limit)
        return self._caller.call(self._addresses(context), READ, request, self._token(), timeout)
