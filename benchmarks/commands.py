"""Commands per second through gRPC and through HTTP, beside servers that do nothing."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import orjson

from benchmarks.figures import Figure, percentile
from benchmarks.noop import METHOD
from benchmarks.processes import free_port, running, settings, wait_until_up
from shared.chassis.api.contract import Contract

__all__ = [
    "Call",
    "capture",
    "capturing_by_grpc",
    "lead",
    "measure",
    "measured",
    "nothing",
    "nothing_by_grpc",
    "requesting",
]

_CLIENTS = 8
_WARM = 100
_SECONDS = 8.0
_PATIENCE = 60.0

Call = Callable[[int], None]


def measure() -> list[Figure]:
    """Capture leads by several clients at once: validated, compared, encrypted, synced to disk."""
    with tempfile.TemporaryDirectory(prefix="annals-bench-") as folder:
        environment = settings(Path(folder))
        http, rpc = int(environment["ANNALS_HTTP_PORT"]), int(environment["ANNALS_GRPC_PORT"])
        with running(["-m", "annals", "up"], environment) as process:
            wait_until_up(http, "/readyz", process, _PATIENCE)
            by_grpc = measured(partial(capturing_by_grpc, f"127.0.0.1:{rpc}"), "g")
            by_http = measured(partial(_capturing_by_http, http), "h")
    with nothing("grpc") as port:
        bare_grpc = measured(partial(nothing_by_grpc, port), "n")
    with nothing("http") as port:
        bare_http = measured(partial(_nothing_by_http, port), "n")
    return [
        *_figures("commands through gRPC", by_grpc, "no-op calls through gRPC", bare_grpc),
        *_figures("commands through HTTP", by_http, "no-op POSTs to FastAPI", bare_http),
    ]


def _figures(
    name: str, mine: tuple[float, float], other: str, bare: tuple[float, float]
) -> Iterator[Figure]:
    for title, (rate, _) in ((name, mine), (other, bare)):
        compared = title == name
        yield Figure(
            name=title,
            value=rate,
            unit="calls/s",
            benchmark="commands",
            against=other if compared else None,
            ratio=rate / bare[0] if compared else None,
        )
    yield Figure(
        name=f"{name}, p99", value=mine[1] * 1000, unit="ms", benchmark="commands", better="less"
    )


def measured(
    connected: Callable[[], Any], series: str, clients: int = _CLIENTS
) -> tuple[float, float]:
    """Call from several threads for some seconds; return calls per second and the p99 in seconds.

    Args:
        connected: opens a client's connection, as a context that gives what calls.
        series: tells this run's leads from those of other runs.
        clients: how many threads.
    """
    taken: list[list[float]] = [[] for _ in range(clients)]
    failures: list[Exception] = []
    warm, ended = threading.Barrier(clients + 1), threading.Event()

    def client(number: int) -> None:
        try:
            with connected() as call:
                for turn in range(_WARM):
                    call(_number(series, number, turn))
                warm.wait()
                turn = _WARM
                while not ended.is_set():
                    started = time.perf_counter()
                    call(_number(series, number, turn))
                    taken[number].append(time.perf_counter() - started)
                    turn += 1
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)
            warm.abort()

    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        warm.wait(_PATIENCE)
        began = time.perf_counter()
        ended.wait(_SECONDS)
        ended.set()
    except threading.BrokenBarrierError:
        raise failures[0] if failures else TimeoutError("clients do not get warm") from None
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    every = [one for some in taken for one in some]
    return len(every) / seconds, percentile(every, 0.99)


def _number(series: str, client: int, turn: int) -> int:
    return (ord(series) % 10) * 100_000_000 + client * 1_500_000 + turn


def lead(number: int) -> dict[str, Any]:
    return {
        "name": f"王 {number}",
        "company": f"恒湾客户 {number} Instruments",
        "phones": [f"+86 13{number:09}"],
        "emails": [f"wang{number}@example.com"],
        "channel": "web_form",
        "region": "华东",
    }


def capture(channel: grpc.Channel, token: str | None = None) -> Callable[[dict[str, Any]], Any]:
    """Return a function that captures a lead and returns the answer."""
    rpc = Contract.load("leads").rpcs["CaptureLead"]
    invoke = channel.unary_unary(
        rpc.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=rpc.response.FromString,
    )
    metadata = [("authorization", f"Bearer {token}")] if token else []
    return lambda values: invoke(rpc.request(**values), timeout=_PATIENCE, metadata=metadata)


@contextmanager
def capturing_by_grpc(address: str, token: str | None = None) -> Iterator[Call]:
    with grpc.insecure_channel(address) as channel:
        call = capture(channel, token)
        yield lambda number: call(lead(number))


@contextmanager
def nothing_by_grpc(port: int) -> Iterator[Call]:
    request = Contract.load("leads").rpcs["CaptureLead"].request
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        invoke = channel.unary_unary(
            METHOD, request_serializer=lambda message: message.SerializeToString()
        )

        def call(number: int) -> None:
            invoke(request(**lead(number)), timeout=_PATIENCE)

        yield call


def _capturing_by_http(port: int) -> Any:
    return _posting(port, "/v1/leads")


def _nothing_by_http(port: int) -> Any:
    return _posting(port, "/nothing")


def _posting(port: int, path: str) -> Any:
    return requesting(port, lambda number: ("POST", path, lead(number)))


@contextmanager
def requesting(
    port: int, request: Callable[[int], tuple[str, str, Any]], token: str | None = None
) -> Iterator[Call]:
    """Give what sends the request of a number: method, path, and what the body says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"

    def call(number: int) -> None:
        method, path, body = request(number)
        connection.request(method, path, None if body is None else orjson.dumps(body), headers)
        response = connection.getresponse()
        said = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{path}: {response.status} {said[:300]!r}")

    try:
        yield call
    finally:
        connection.close()


@contextmanager
def nothing(kind: str) -> Iterator[int]:
    """Run the server that does nothing, `grpc` or `http`; return its port."""
    port = free_port()
    with running(["-m", "benchmarks.noop", kind, str(port)]) as process:
        if kind == "grpc":
            _wait_for_grpc(port)
        else:
            wait_until_up(port, "/healthz", process, _PATIENCE)
        yield port


def _wait_for_grpc(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=_PATIENCE)
