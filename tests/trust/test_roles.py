"""Every role meets every method: who may call what follows from the roles' definitions alone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from annals.installation import service_values
from services.workplace.domain.role import BUILT_IN
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.contract import Contract
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.limits import Limits
from shared.chassis.api.log import pull
from shared.chassis.api.rights import ADMINISTRATOR, SERVICE, RoleRights
from shared.chassis.service import open_service
from shared.events.base import Recorded
from tests.api.conftest import SECRET

pytestmark = pytest.mark.capability("WRK-02")

CONTRACTS = {service.name: Contract.load(service.name) for service in service_values()}
METHODS = [rpc for contract in CONTRACTS.values() for rpc in contract.rpcs.values()]
LOGS = [f"{name}.ReadLog" for name in CONTRACTS]
STRANGER = "somebody_without_rights"
ROLES = [*BUILT_IN, SERVICE, STRANGER]


def may(role: str, right: str) -> bool:
    """Read the role's definition as a person would."""
    if role == SERVICE:
        return right.endswith(".ReadLog")
    patterns = BUILT_IN[role].rights if role in BUILT_IN else ()
    if right.endswith(".ReadLog"):  # knows no scope and no masks: no wide pattern gives it
        return role == ADMINISTRATOR or right in patterns
    return any(re.fullmatch(p.replace(".", r"\.").replace("*", ".*"), right) for p in patterns)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """Every service behind one door that nobody passes without a token."""
    services = [open_service(service) for service in service_values()]
    now = datetime(2026, 3, 2, tzinfo=UTC)
    facts = [
        Recorded("workplace", number, role.role, 1, role, now, now, "system", f"c{number}", "c")
        for number, role in enumerate(BUILT_IN.values(), 1)
    ]
    for opened in services:
        with opened.views_database.transaction() as connection:
            opened.projector.apply(connection, RoleRights, facts)
    identity = DevelopmentIdentity(SECRET, anonymous=None)
    server = ApiServer(services, identity=identity, limits=Limits(reflection=False))
    server.start()
    yield server
    server.stop(grace=0)
    for opened in services:
        opened.close()


@pytest.fixture(scope="module")
def channel(server: ApiServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def code(channel: grpc.Channel, rpc: Any, role: str | None) -> grpc.StatusCode:
    """Call a method with an empty request, and return how it ends."""
    call = channel.unary_unary(
        rpc.path,
        request_serializer=rpc.request.SerializeToString,
        response_deserializer=rpc.response.FromString,
    )
    token = f"Bearer {issue_token(SECRET, 'wang', roles=[role])}" if role else ""
    try:
        call(rpc.request(), metadata=[("authorization", token)] if role else [], timeout=30)
    except grpc.RpcError as error:
        ended: grpc.StatusCode = error.code()
        return ended
    return grpc.StatusCode.OK


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_call_what_it_is_given_and_nothing_else(
    channel: grpc.Channel, role: str
) -> None:
    for rpc in METHODS:
        ended = code(channel, rpc, role)
        refused = ended is grpc.StatusCode.PERMISSION_DENIED
        assert refused is not may(role, rpc.right), (rpc.right, ended)
        assert ended is not grpc.StatusCode.INTERNAL, rpc.right


def test_nobody_calls_anything_without_a_token(channel: grpc.Channel) -> None:
    for rpc in METHODS:
        assert code(channel, rpc, None) is grpc.StatusCode.UNAUTHENTICATED, rpc.right


@pytest.mark.parametrize("role", ROLES)
def test_logs_are_read_by_services_and_whom_a_role_lets(channel: grpc.Channel, role: str) -> None:
    token = issue_token(SECRET, "wang", roles=[role])
    for right in LOGS:
        ended = grpc.StatusCode.OK
        try:
            list(pull(channel, right.partition(".")[0], 0, token=token))
        except grpc.RpcError as error:
            ended = error.code()
        denied = grpc.StatusCode.PERMISSION_DENIED
        assert ended is (grpc.StatusCode.OK if may(role, right) else denied), right


def test_a_log_is_read_by_nobody_without_a_token(channel: grpc.Channel) -> None:
    for name in CONTRACTS:
        with pytest.raises(grpc.RpcError) as refused:
            list(pull(channel, name, 0))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_health_is_told_to_everybody(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", *(contract.service for contract in CONTRACTS.values())):
        reply = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_contracts_are_told_only_where_that_is_allowed(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as refused:
        next(iter(stub.ServerReflectionInfo(iter([request]), timeout=10)))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_table_of_roles_tells_them_apart() -> None:
    """The comparison above would be worth nothing if every role could do the same."""
    table = {role: frozenset(r.right for r in METHODS if may(role, r.right)) for role in ROLES}
    assert table[STRANGER] == table[SERVICE] == frozenset()
    assert len(table["administrator"]) == len(METHODS)
    assert len(set(table.values())) >= len(ROLES) - 2
