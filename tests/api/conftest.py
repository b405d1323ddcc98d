from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from shared.chassis import tracking
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.contract import Contract
from shared.chassis.api.identity import DevelopmentIdentity
from shared.chassis.api.protogen import write
from shared.chassis.service import OpenService, open_service
from tests.api.toy import SERVICE

SECRET = "a development secret of more than thirty-two bytes"


@pytest.fixture(scope="session")
def proto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proto")
    write(SERVICE, folder)
    return folder


@pytest.fixture(scope="session")
def contract(proto: Path) -> Contract:
    return Contract.load("toy", proto)


@pytest.fixture
def opened() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


@pytest.fixture
def fold(opened: OpenService) -> Callable[[], None]:
    return lambda: catch_up(opened)


def catch_up(opened: OpenService) -> None:
    """Do what the worker does: bring the read models up to the log."""
    facts = opened.log.read(0, 10_000)
    with opened.views_database.transaction() as connection:
        for projection in SERVICE.projections:
            known = tracking.position(connection, projection.name, "toy")
            new = [fact for fact in facts if fact.position > known]
            if new and "toy" in projection.contexts():
                opened.projector.apply(connection, projection, new)
                tracking.advance(connection, projection.name, "toy", new[-1].position)


@pytest.fixture
def server(opened: OpenService, proto: Path) -> Iterator[ApiServer]:
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    yield server
    server.stop(grace=0)


@pytest.fixture
def channel(server: ApiServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def call(channel: grpc.Channel, contract: Contract) -> Callable[..., Any]:
    """Call a method of the toy context: `call("AddBook", title="…", metadata={…})`."""

    def ask(name: str, metadata: dict[str, str] | None = None, **fields: Any) -> Any:
        rpc = contract.rpcs[name]
        method = channel.unary_unary(
            rpc.path,
            request_serializer=rpc.request.SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        return method(rpc.request(**fields), metadata=list((metadata or {}).items()), timeout=10)

    return ask
