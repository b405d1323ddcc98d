"""What roles and the organisation let somebody see, and whom they let in beyond their own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from annals.installation import service_values
from services.accounts.commands import ChangeAccount, OpenAccount
from services.accounts.projections.account_team import account_team
from services.accounts.projections.activity_list import activity_list
from services.analytics.projections.deals import deals
from services.analytics.projections.funnel import GetFunnel
from services.leads.commands import AssignLead, CaptureLead, ChangeLead, QualifyLead
from services.leads.projections.lead_list import leads
from services.leads.projections.pool_list import pools
from services.pipeline.projections.opportunity_list import opportunity_list
from shared.chassis import tracking
from shared.chassis.api.editing import editing_of
from shared.chassis.api.rights import Postings, RoleRights, StoredRights, UnitTree
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Actor, Forbidden, NotFound
from shared.chassis.shapes.guard import EVERYTHING, Sight, Unguarded
from shared.chassis.testing import NOON
from shared.events.accounts import AccountKind
from shared.events.base import Event, Recorded
from shared.events.values import Money
from shared.events.workplace import (
    DataScope,
    EmployeeJoined,
    EmployeeMoved,
    FieldAccess,
    FieldRight,
    RoleDefined,
    RoleRetired,
    UnitCreated,
    UnitMoved,
)
from tests.analytics.life import DAY, company
from tests.trust.company import MATE, ME, STRANGER, opened

SERVICES = {service.name: service for service in service_values()}
SELF = Sight(frozenset({ME}))
TODAY = datetime(2026, 3, 2, tzinfo=UTC)


def role(name: str, scope: DataScope, *fields: FieldRight, rights: str = "*", **more: Any) -> Event:
    return RoleDefined(
        role=name, role_version=1, title=name, rights=(rights,), scope=scope, fields=fields, **more
    )


def joined(unit: str | None) -> Event:
    return EmployeeJoined(name="x", unit_id=unit, joined_on=TODAY.date())


def field(record: str, name: str, access: FieldAccess) -> FieldRight:
    return FieldRight(record=record, field=name, access=access)


class Workplace:
    """Facts of the workplace, and what they let somebody see."""

    def __init__(self, service: OpenService) -> None:
        self._service = service
        self._position = 0

    def tell(self, stream: str, *events: Event) -> "Workplace":
        """Fold facts of a stream."""
        for event in events:
            self._position += 1
            place = ("workplace", self._position, stream, self._position)
            fact = Recorded(*place, event, TODAY, TODAY, "system", "command", "command")
            with self._service.views_database.transaction() as connection:
                for projection in (RoleRights, Postings, UnitTree):
                    if type(event) in projection.folds:
                        self._service.projector.apply(connection, projection, [fact])
        return self

    def sight(self, *roles: str, right: str = "leads.ListLeads", unit: str | None = None) -> Sight:
        """Return what I see in some roles."""
        rights = StoredRights(self._service.views_database)
        return rights.sight(Actor(id=ME, roles=frozenset(roles), unit=unit), right)

    def sees(self, *roles: str, **more: Any) -> set[str] | None:
        """Return whose records I see."""
        employees = self.sight(*roles, **more).employees
        return None if employees is None else set(employees)


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    """Headquarters with north and south, and a city below north."""
    service = open_service(SERVICES["leads"])
    made = Workplace(service)
    for unit, parent in (("hq", None), ("north", "hq"), ("city", "north"), ("south", "hq")):
        made.tell(unit, UnitCreated(name=unit, parent_id=parent))
    for person, unit in ((ME, "north"), (MATE, "north"), ("junior", "city"), (STRANGER, "south")):
        made.tell(person, joined(unit))
    for scope in DataScope:
        units = ("south",) if scope is DataScope.UNITS else ()
        made.tell(scope.value, role(scope.value, scope, unit_ids=units))
    yield made
    service.close()


@pytest.mark.capability("WRK-03")
@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        (["self"], {ME}),
        (["unit"], {ME, MATE}),
        (["unit_and_below"], {ME, MATE, "junior"}),
        (["units"], {ME, STRANGER}),
        (["all"], None),
        (["unit", "units"], {ME, MATE, STRANGER}),
        (["self", "all"], None),
        (["nothing_known"], {ME}),
        ([], {ME}),
        (["administrator"], None),
    ],
)
def test_a_scope_is_whose_records_a_role_shows(
    workplace: Workplace, roles: list[str], seen: set[str] | None
) -> None:
    assert workplace.sees(*roles) == seen


@pytest.mark.capability("WRK-03")
def test_scopes_follow_the_organisation(workplace: Workplace) -> None:
    workplace.tell("city", UnitMoved(parent_id="south", effective_on=TODAY.date()))
    assert workplace.sees("unit_and_below") == {ME, MATE}
    assert workplace.sees("units") == {ME, STRANGER, "junior"}
    workplace.tell(ME, EmployeeMoved(unit_id="hq", effective_on=TODAY.date()))
    assert workplace.sees("unit_and_below") == {ME, MATE, STRANGER, "junior"}


@pytest.mark.capability("WRK-01", "WRK-03")
def test_a_move_learnt_of_late_does_not_change_what_is_seen(workplace: Workplace) -> None:
    workplace.tell(ME, EmployeeMoved(unit_id="south", effective_on=TODAY.date()))
    a_month_ago = TODAY.date() - timedelta(days=30)
    workplace.tell(ME, EmployeeMoved(unit_id="city", effective_on=a_month_ago))
    assert workplace.sees("unit") == {ME, STRANGER}


@pytest.mark.capability("WRK-03")
def test_a_token_names_the_unit_of_whom_the_workplace_does_not_know(workplace: Workplace) -> None:
    workplace.tell(ME, EmployeeMoved(unit_id=None, effective_on=TODAY.date()))
    assert workplace.sees("unit") == {ME}
    assert workplace.sees("unit", unit="hq/south") == {ME, STRANGER}


@pytest.mark.capability("WRK-03")
def test_only_roles_that_give_the_right_widen_what_is_seen(workplace: Workplace) -> None:
    workplace.tell("books", role("books", DataScope.ALL, rights="billing.*"))
    workplace.tell("own", role("own", DataScope.SELF, rights="leads.*"))
    assert workplace.sees("books", "own") == {ME}
    assert workplace.sees("books", "own", right="billing.ListContracts") is None


@pytest.mark.capability("WRK-03")
def test_a_retired_role_shows_nothing(workplace: Workplace) -> None:
    workplace.tell("all", RoleRetired(role="all"))
    assert workplace.sees("all") == {ME}


@pytest.mark.capability("WRK-02")
def test_a_field_is_restricted_as_far_as_all_roles_restrict_it(workplace: Workplace) -> None:
    phones, name = ("lead", "phones"), ("lead", "name")
    workplace.tell(
        "a",
        role(
            "a",
            DataScope.ALL,
            field(*phones, FieldAccess.NONE),
            field(*name, FieldAccess.READ),
        ),
    )
    workplace.tell("b", role("b", DataScope.ALL, field(*phones, FieldAccess.MASKED)))
    workplace.tell("c", role("c", DataScope.ALL, rights="billing.*"))
    assert workplace.sight("a").access == {phones: FieldAccess.NONE, name: FieldAccess.READ}
    assert workplace.sight("a", "b").access == {phones: FieldAccess.MASKED}
    assert workplace.sight("a", "c").access[phones] is FieldAccess.NONE
    assert workplace.sight("a", "all").access == {}
    assert workplace.sight("administrator") == EVERYTHING


def shown(service: OpenService, rpc: str, sight: Sight = SELF, **query: Any) -> Any:
    """Ask something as myself."""
    question = service.service.asked[rpc]
    return service.ask(question, question.query.model_validate(query), Actor(id=ME), sight)


def ids(service: OpenService, rpc: str, name: str, **query: Any) -> set[str]:
    return {getattr(item, name) for item in shown(service, rpc, **query).items}


@pytest.fixture
def place() -> Iterator[Callable[[str], OpenService]]:
    found: list[OpenService] = []

    def get(name: str) -> OpenService:
        found.append(opened(SERVICES[name]))
        return found[-1]

    yield get
    for service in found:
        service.close()


def change(service: OpenService, statement: Any) -> None:
    with service.views_database.transaction() as connection:
        connection.execute(statement)


@pytest.mark.capability("WRK-03")
def test_a_record_out_of_scope_is_not_known_to_exist(place: Callable[[str], OpenService]) -> None:
    service = place("leads")
    for name in ("lead-stranger", "lead-that-never-was"):
        with pytest.raises(NotFound, match=f"there is no lead {name}"):
            shown(service, "GetLead", lead_id=name)


@pytest.mark.capability("WRK-03")
def test_a_member_of_a_team_sees_the_account_and_what_hangs_on_it(
    place: Callable[[str], OpenService],
) -> None:
    service = place("accounts")
    assert ids(service, "ListAccounts", "account_id") == {"account-me"}
    statement = update(account_team).where(account_team.c.employee_id == STRANGER)
    change(service, statement.values(employee_id=ME))
    assert ids(service, "ListAccounts", "account_id") == {"account-me", "account-stranger"}
    assert "contact-stranger" in ids(service, "ListContacts", "contact_id")
    assert "activity-stranger" in ids(service, "ListActivities", "activity_id")


@pytest.mark.capability("WRK-03")
def test_a_companion_sees_the_activity_but_not_the_customer(
    place: Callable[[str], OpenService],
) -> None:
    service = place("accounts")
    theirs = activity_list.c.activity_id == "activity-stranger"
    change(service, update(activity_list).where(theirs).values(companion_ids=[ME]))
    assert ids(service, "ListActivities", "activity_id") == {"activity-me", "activity-stranger"}
    assert ids(service, "ListAccounts", "account_id") == {"account-me"}


@pytest.mark.capability("WRK-03")
@pytest.mark.parametrize(("member", "sees"), [("ME", False), ("me2", False), ("me", True)])
def test_a_deals_team_is_told_apart_exactly(
    place: Callable[[str], OpenService], member: str, *, sees: bool
) -> None:
    service = place("pipeline")
    theirs = opportunity_list.c.opportunity_id == "opportunity-stranger"
    change(service, update(opportunity_list).where(theirs).values(team_ids=[member]))
    found = ids(service, "ListOpportunities", "opportunity_id")
    assert ("opportunity-stranger" in found) is sees


@pytest.mark.capability("WRK-03")
@pytest.mark.parametrize(
    ("members", "reader", "sees"),
    [
        ([{"kind": "employee", "id": ME}], Actor(id=ME), True),
        ([{"kind": "employee", "id": MATE}], Actor(id=ME), False),
        ([{"kind": "unit", "id": "north"}], Actor(id=ME, unit="hq/north"), True),
        ([{"kind": "unit", "id": "north"}], Actor(id=ME, unit="hq/south"), False),
        ([{"kind": "role", "id": "scout"}], Actor(id=ME, roles=frozenset({"scout"})), True),
        ([{"kind": "role", "id": ME}], Actor(id=ME), False),
        ([], Actor(id=ME), True),
    ],
)
def test_leads_in_a_pool_are_seen_by_who_may_claim_them(
    place: Callable[[str], OpenService], members: list[Any], reader: Actor, *, sees: bool
) -> None:
    service = place("leads")
    change(service, update(pools).values(members=members))
    waiting = update(leads).where(leads.c.lead_id == "lead-nobody")
    change(service, waiting.values(pool_id="pool-nobody"))
    change(service, update(leads).where(leads.c.lead_id != "lead-nobody").values(pool_id=None))
    question = service.service.asked["ListLeads"]
    page = service.ask(question, question.query(), reader, SELF)
    assert ("lead-nobody" in {lead.lead_id for lead in page.items}) is sees


@pytest.mark.capability("WRK-03")
def test_a_timeline_keeps_back_what_happened_to_a_colleagues_deal(
    place: Callable[[str], OpenService],
) -> None:
    service = place("analytics")
    mine = deals.c.opportunity_id == "opportunity-me"
    assert "opportunity-me" in ids(service, "ListTimeline", "stream_id", account_id="account-me")
    change(service, update(deals).where(mine).values(owner_id=STRANGER))
    told = ids(service, "ListTimeline", "stream_id", account_id="account-me")
    assert "opportunity-me" not in told
    assert "account-me" in told


@pytest.mark.capability("WRK-03")
def test_the_past_is_cut_as_the_present() -> None:
    firm = company()
    owners = {"+8613900000001": ME, "+8613900000002": STRANGER, "+8613900000003": ME}
    for phone, owner in owners.items():
        command = CaptureLead(name="王芳", phones=(phone,), channel="web_form")
        lead_id = firm.do("leads", command, NOON).id
        firm.settle()
        firm.do("leads", AssignLead(lead_id=lead_id, owner_id=owner), NOON + DAY)
    firm.settle(NOON + 2 * DAY)
    service = firm.services["analytics"]

    def captured(sight: Sight, as_of: datetime | None) -> int:
        funnel = service.ask(
            service.service.asked["GetFunnel"], GetFunnel(as_of=as_of), Actor(id=ME), sight
        )
        return int(funnel.total.stages[0].count)

    then = NOON + DAY + timedelta(hours=1)
    assert [captured(EVERYTHING, at) for at in (None, then, NOON)] == [3, 3, 3]
    assert [captured(SELF, at) for at in (None, then, NOON)] == [2, 2, 0]


def test_a_table_that_is_not_guarded_is_not_read() -> None:
    service = opened(SERVICES["leads"])
    service.service.__dict__["guarded"] = {}
    try:
        with pytest.raises(Unguarded, match="leads"):
            shown(service, "GetLead", lead_id="lead-me")
    finally:
        del service.service.__dict__["guarded"]
        service.close()


@pytest.mark.capability("WRK-02")
@pytest.mark.parametrize(
    ("command", "restricted", "refused"),
    [
        (ChangeLead(lead_id="l", name="x"), ("lead", "name"), True),
        (ChangeLead(lead_id="l", name="x"), ("lead", "phones"), False),
        (ChangeLead(lead_id="l", name="x"), ("account", "name"), False),
        (CaptureLead(name="x", channel="call"), ("lead", "name"), True),
        (QualifyLead(lead_id="l"), ("lead", "name"), False),
        (OpenAccount(kind=AccountKind.PERSON, name="x"), ("account", "name"), True),
        (
            ChangeLead(lead_id="l", budget=Money.of("1", "CNY")),
            ("lead", "budget_amount"),
            True,
        ),
        (ChangeLead(lead_id="l", clear=("phones",)), ("lead", "phones"), True),
        (ChangeLead(lead_id="l", clear=("budget",)), ("lead", "budget_amount"), True),
        (ChangeLead(lead_id="l", clear=("phones",)), ("lead", "emails"), False),
        (ChangeLead(lead_id="l", win_probability=0), ("lead", "win_probability"), True),
        (ChangeAccount(account_id="a", clear=("fax",)), ("account", "fax"), True),
        (ChangeAccount(account_id="a", custom={}), ("account", "custom"), True),
        (ChangeAccount(account_id="a", custom=None), ("account", "custom"), False),
    ],
)
def test_what_may_only_be_read_is_not_edited(
    command: Any, restricted: tuple[str, str], *, refused: bool
) -> None:
    check = editing_of(type(command), {"lead", "account", "contact"})
    sight = Sight(fields=frozenset({(*restricted, FieldAccess.READ)}))
    check(command, EVERYTHING)
    if refused:
        with pytest.raises(Forbidden, match=".".join(restricted)):
            check(command, sight)
    else:
        check(command, sight)


def test_what_may_be_read_is_shown(place: Callable[[str], OpenService]) -> None:
    sight = Sight(fields=frozenset({("lead", "name", FieldAccess.READ)}))
    assert shown(place("leads"), "GetLead", sight, lead_id="lead-me").name == "name of me"


@pytest.mark.capability("WRK-03")
def test_rows_that_change_without_a_position_are_seen_in_time(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.api.rights._FRESH", -1.0)
    actor = Actor(id=ME, roles=frozenset({"all"}))
    views = workplace._service.views_database
    with views.transaction() as connection:
        for name in ("role_rights", "employee_units", "unit_tree"):
            tracking.advance(connection, name, "workplace", 9)
    rights = StoredRights(views)
    assert rights.allows(actor, "leads.ListLeads")
    with views.transaction() as connection:  # as a parked fact's retry does
        connection.execute(delete(RoleRights.table))
    assert rights.allows(actor, "leads.ListLeads")
    monkeypatch.setattr("shared.chassis.api.rights._WHOLE", -1.0)
    assert not rights.allows(actor, "leads.ListLeads")
