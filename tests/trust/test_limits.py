"""What one caller may ask of one process: how much, how often, how long."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.contract import Contract
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.limits import Allowance, Limits, TooManyRequests
from shared.chassis.service import OpenService, open_service
from shared.chassis.settings import Mode, Settings
from shared.chassis.shapes import Actor
from tests.api.conftest import SECRET, contract, proto
from tests.api.toy import SERVICE
from tests.gateway.conftest import serving

__all__ = ["contract", "proto"]

TIGHT = Limits(message=2048, page=3, rate=1.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(allowance: Allowance, caller: str, times: int) -> int:
    """Return how many of so many requests at one moment are taken."""
    taken = 0
    for _ in range(times):
        try:
            allowance.take(caller)
        except TooManyRequests:
            continue
        taken += 1
    return taken


def test_a_caller_gets_a_seconds_worth_at_once_and_then_the_rate() -> None:
    clock = Clock()
    allowance = Allowance(5.0, clock)
    assert granted(allowance, "wang", 100) == 5
    clock.now += 0.4
    assert granted(allowance, "wang", 100) == 2
    clock.now += 3600
    assert granted(allowance, "wang", 100) == 5


def test_a_slow_rate_still_lets_single_requests_through() -> None:
    clock = Clock()
    allowance = Allowance(0.1, clock)
    assert granted(allowance, "wang", 2) == 1
    with pytest.raises(TooManyRequests) as refused:
        allowance.take("wang")
    assert refused.value.details == {"retry_after": 10.0}
    clock.now += 10
    assert granted(allowance, "wang", 2) == 1


def test_one_callers_haste_is_not_anothers() -> None:
    allowance = Allowance(1.0, Clock())
    assert granted(allowance, "wang", 9) == 1
    assert granted(allowance, "li", 9) == 1


def test_no_rate_is_no_limit() -> None:
    assert granted(Allowance(0.0, Clock()), "wang", 1000) == 1000


def test_many_callers_take_no_endless_memory() -> None:
    allowance = Allowance(1.0, Clock())
    for number in range(10_100):
        allowance.take(str(number))
    assert len(allowance._left) == 10_000


def test_threads_together_get_no_more_than_one() -> None:
    allowance, taken = Allowance(50.0, Clock()), list[int]()
    threads = [
        threading.Thread(target=lambda: taken.append(granted(allowance, "wang", 50)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 50


@pytest.fixture
def opened() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def server(opened: OpenService, proto: Path) -> Iterator[ApiServer]:
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto, limits=TIGHT)
    server.start()
    yield server
    server.stop(grace=0)


@pytest.fixture
def call(server: ApiServer, contract: Contract) -> Iterator[Callable[..., Any]]:
    with grpc.insecure_channel(server.address) as channel:

        def ask(name: str, by: str, timeout: float = 10, **fields: Any) -> Any:
            rpc = contract.rpcs[name]
            method = channel.unary_unary(
                rpc.path,
                request_serializer=rpc.request.SerializeToString,
                response_deserializer=rpc.response.FromString,
            )
            token = issue_token(SECRET, by, roles=["administrator"])
            metadata = [("authorization", f"Bearer {token}")]
            return method(rpc.request(**fields), metadata=metadata, timeout=timeout)

        yield ask


def test_a_service_refuses_haste_and_says_how_long_to_wait(call: Callable[..., Any]) -> None:
    call("ListBooks", "wang")
    with pytest.raises(grpc.RpcError) as refused:
        [call("ListBooks", "wang") for _ in range(50)]
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "too many requests" in refused.value.details()
    call("ListBooks", "li")


def test_a_large_message_is_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        call("AddBook", "wang", title="x" * 4096)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_page_is_as_long_as_it_may_be(call: Callable[..., Any]) -> None:
    for number in range(5):
        call("AddBook", f"adder-{number}", title=f"Book {number}")
    with pytest.raises(grpc.RpcError) as refused:
        call("ListBooks", "wang", page_size=4)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "page_size: may be 3 at most" in refused.value.details()
    call("ListBooks", "li", page_size=3)
    call("ListBooks", "zhao")


def test_what_nobody_waits_for_any_more_is_not_done(
    opened: OpenService, proto: Path, contract: Contract
) -> None:
    """The only thread is busy while a call's deadline passes in the queue."""
    identity = Held()
    server = ApiServer([opened], identity=identity, proto=proto, threads=1)
    server.start()
    rpc = contract.rpcs["AddBook"]
    with grpc.insecure_channel(server.address) as channel:
        add = channel.unary_unary(
            rpc.path,
            request_serializer=rpc.request.SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        first = add.future(rpc.request(title="first"), timeout=30)
        assert identity.busy.wait(10)
        late = add.future(rpc.request(title="late"), timeout=0.2)
        assert late.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
        identity.free.set()
        first.result()
        add(rpc.request(title="last"), timeout=30)
    server.stop(grace=5)
    facts = opened.log.read(0, 10)
    assert [getattr(fact.event, "title", "") for fact in facts] == ["first", "last"]


class Held(DevelopmentIdentity):
    """Takes its time with the first caller."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.busy, self.free = threading.Event(), threading.Event()

    def identify(self, authorization: str | None) -> Actor:
        """Say that somebody is there, and wait."""
        self.busy.set()
        assert self.free.wait(20)
        return super().identify(authorization)


def test_settings_become_limits() -> None:
    limits = Limits.of(Settings(body_limit=4096, page_limit=20, rate_limit=2.5))
    assert limits == Limits(message=4096, page=20, rate=2.5, reflection=True)
    production = Settings.model_construct(
        mode=Mode.PRODUCTION, body_limit=4096, page_limit=20, rate_limit=2.5
    )
    assert Limits.of(production).reflection is False


def test_the_gateway_refuses_haste_before_it_asks_anybody(proto: Path) -> None:
    app = create_app({"toy": "127.0.0.1:1"}, proto=proto, rate=0.05)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        client.get("/v1/books")
        refused = client.get("/v1/books")
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 15 <= int(refused.headers["Retry-After"]) <= 20
        assert refused.json()["rule"] == "TooManyRequests"
        other = {"Authorization": f"Bearer {issue_token(SECRET, 'li')}"}
        assert client.get("/v1/books", headers=other).status_code == 503
        assert client.get("/v1/books", headers=other).status_code == 429
        assert client.get("/healthz").status_code == 200


def test_the_gateway_passes_on_how_long_to_wait(server: ApiServer, proto: Path) -> None:
    app = create_app({"toy": server.address}, proto=proto)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        answers = [client.get("/v1/books") for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
