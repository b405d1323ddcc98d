from fnmatch import fnmatchcase

import pytest
from pydantic import ValidationError

from services.workplace.application import WorkplaceApplication
from services.workplace.commands import (
    DefineRole,
    EstablishRoles,
    GrantRole,
    LeaveCompany,
    RetireRole,
    RevokeRole,
)
from services.workplace.domain.employee import EmployeeHasLeft
from services.workplace.domain.role import BUILT_IN, AdministratorsMayDoEverything, RoleIsRetired
from shared.chassis.api.errors import invalid
from shared.chassis.shapes import NotFound
from shared.chassis.testing import Scenario, scenario
from shared.events.workplace import DataScope, RoleDefined, RoleGranted, RoleRetired, RoleRevoked
from tests.workplace.builders import LI, employee_joined, role_defined

pytestmark = pytest.mark.capability("WRK-02")

SCOUT = DefineRole(role="scout", title="Scout", rights=("leads.List*",))


def staffed() -> Scenario[WorkplaceApplication]:
    return scenario(WorkplaceApplication).given(LI, employee_joined())


def test_a_role_is_laid_down_and_versioned() -> None:
    wider = DefineRole(role="scout", title="Scout", rights=("leads.*",))
    (
        staffed()
        .when(SCOUT)
        .then(role_defined())
        .when(SCOUT)
        .then_nothing()
        .when(wider)
        .then(role_defined(role_version=2, rights=("leads.*",)))
    )


@pytest.mark.parametrize("right", ["", "leads", "leads.", "leads..x", "Leads.X y", "**", ".*"])
def test_a_right_is_a_pattern_over_context_and_method(right: str) -> None:
    with pytest.raises(ValidationError):
        DefineRole(role="scout", title="Scout", rights=(right,))


def test_a_role_is_granted_and_revoked() -> None:
    (
        staffed()
        .given("scout", role_defined())
        .when(GrantRole(employee_id=LI, role="scout"))
        .then(RoleGranted(role="scout"))
        .when(GrantRole(employee_id=LI, role="scout"))
        .then_nothing()
        .when(RevokeRole(employee_id=LI, role="scout"))
        .then(RoleRevoked(role="scout"))
        .when(RevokeRole(employee_id=LI, role="scout"))
        .then_nothing()
    )


def test_a_built_in_role_is_laid_down_when_it_is_first_granted() -> None:
    (
        staffed()
        .when(GrantRole(employee_id=LI, role="sales_rep"))
        .then(BUILT_IN["sales_rep"], RoleGranted(role="sales_rep"))
    )


def test_an_unknown_role_is_not_granted() -> None:
    staffed().when(GrantRole(employee_id=LI, role="king")).then_refused(NotFound, id="king")
    staffed().when(GrantRole(employee_id="x", role="auditor")).then_refused(NotFound, id="x")


def test_a_retired_role_is_not_granted_until_it_is_defined_anew() -> None:
    (
        staffed()
        .given("scout", role_defined())
        .when(RetireRole(role="scout"))
        .then(RoleRetired(role="scout"))
        .when(RetireRole(role="scout"))
        .then_nothing()
        .when(GrantRole(employee_id=LI, role="scout"))
        .then_refused(RoleIsRetired, role="scout")
        .when(SCOUT)
        .then(role_defined(role_version=2))
        .when(GrantRole(employee_id=LI, role="scout"))
        .then(RoleGranted(role="scout"))
    )


def test_administrators_may_do_everything_for_ever() -> None:
    narrow = DefineRole(role="administrator", title="Admin", rights=("leads.*",))
    (
        staffed()
        .when(narrow)
        .then_refused(AdministratorsMayDoEverything)
        .when(RetireRole(role="administrator"))
        .then_refused(AdministratorsMayDoEverything)
    )


def test_whoever_left_gets_no_role_and_keeps_none() -> None:
    told = staffed().after(GrantRole(employee_id=LI, role="auditor"), LeaveCompany(employee_id=LI))
    told.when(GrantRole(employee_id=LI, role="auditor")).then_refused(EmployeeHasLeft)
    told.when(RevokeRole(employee_id=LI, role="auditor")).then_nothing()


def test_the_built_in_roles_are_laid_down_once_and_never_over_a_change() -> None:
    own = RoleDefined(role="finance", role_version=1, title="Our finance", rights=("billing.*",))
    told = staffed().given("finance", own).when(EstablishRoles())
    defined = [fact.event for fact in told.news]
    assert own not in defined
    assert {role.role for role in defined if isinstance(role, RoleDefined)} == (
        BUILT_IN.keys() - {"finance"}
    )
    told.when(EstablishRoles()).then_nothing()


@pytest.mark.parametrize(
    ("role", "right", "allowed"),
    [
        ("administrator", "leads.ConfigureScoringRules", True),
        ("sales_rep", "leads.ClaimLead", True),
        ("sales_rep", "leads.ListLeads", True),
        ("sales_rep", "leads.ConfigureScoringRules", False),
        ("sales_rep", "billing.IssueInvoice", False),
        ("sales_rep", "workplace.GrantRole", False),
        ("sales_manager", "leads.ConfigurePoolRules", True),
        ("sales_manager", "billing.ApproveContract", True),
        ("sales_manager", "billing.IssueInvoice", False),
        ("finance", "billing.ReceivePayment", True),
        ("finance", "leads.ClaimLead", False),
        ("service_agent", "support.ReplyToTicket", True),
        ("service_agent", "support.DefineSlaPolicy", False),
        ("service_manager", "support.DefineSlaPolicy", True),
        ("analyst", "analytics.GetFunnel", True),
        ("analyst", "leads.ClaimLead", False),
        ("auditor", "billing.ListPostings", True),
        ("auditor", "billing.VoidInvoice", False),
        ("auditor", "workplace.ListInbox", True),
    ],
)
def test_built_in_roles_may_do_what_their_work_needs(role: str, right: str, allowed: bool) -> None:
    assert any(fnmatchcase(right, pattern) for pattern in BUILT_IN[role].rights) is allowed


@pytest.mark.capability("WRK-03")
@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("administrator", DataScope.ALL),
        ("sales_rep", DataScope.SELF),
        ("sales_manager", DataScope.UNIT_AND_BELOW),
        ("finance", DataScope.ALL),
    ],
)
def test_built_in_roles_show_what_their_holders_work_with(role: str, scope: DataScope) -> None:
    assert BUILT_IN[role].scope is scope


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"scope": "units"}, "unit_ids are given with the scope"),
        ({"scope": "self", "unit_ids": ["north"]}, "unit_ids are given with the scope"),
        ({"scope": "team"}, "Input should be"),
    ],
)
def test_a_role_whose_scope_make_no_sense_is_refused(wrong: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DefineRole.model_validate({"role": "scout", "title": "Scout", "rights": ["*"], **wrong})


@pytest.mark.parametrize(
    ("record", "field", "reason"),
    [
        ("leed", "name", "there is no kind of record leed; did you mean lead?"),
        ("lead", "phone", "lead has no field phone; did you mean phones?"),
        ("lead", "lead_id", "lead has no field lead_id; "),
        (
            "lead",
            "won_amount",
            "lead has no field won_amount; did you mean won_at or ",
        ),
        ("posting", "x", "posting has no field x; known: about, account_id, amount, balance,"),
    ],
)
def test_a_field_that_is_not_there_is_not_restricted(record: str, field: str, reason: str) -> None:
    right = {"record": record, "field": field, "access": "none"}
    with pytest.raises(ValidationError) as refused:
        DefineRole.model_validate(
            {"role": "scout", "title": "Scout", "rights": ["*"], "fields": [right]}
        )
    (violation,) = invalid(refused.value).violations
    assert violation.field == "fields.0"
    assert violation.description.startswith(reason)
