"""The committed contracts are those of the services as they stand."""

from importlib import import_module

import pytest
from fastapi.openapi.models import OpenAPI

from gateway import create_app
from shared.chassis.api.contract import PROTO, all_contracts
from shared.chassis.api.protogen import compile_proto, stale

SERVICES = sorted(path.parent.name for path in PROTO.parent.glob("services/*/service.py"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_contract_is_up_to_date(name: str) -> None:
    service = import_module(f"services.{name}.service").SERVICE
    assert stale(service) == [], "run `make proto`"


@pytest.mark.parametrize("name", ["calls", "log"])
def test_a_contract_that_people_write_is_compiled(name: str) -> None:
    written = PROTO / "annals" / name / "v1" / f"{name}.proto"
    assert written.with_suffix(".binpb").read_bytes() == compile_proto([written])


def test_the_gateway_serves_all_contracts_side_by_side() -> None:
    contracts = {contract.context: "127.0.0.1:1" for contract in all_contracts()}
    document = OpenAPI.model_validate(create_app(contracts).openapi())
    assert document.info.title == "Annals"
