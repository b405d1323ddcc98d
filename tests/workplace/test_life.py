"""The service as a whole: commands, read models, questions."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.workplace.commands import (
    CancelLeave,
    ChangeEmployee,
    CloseUnit,
    CreateUnit,
    EstablishRoles,
    GrantRole,
    HireEmployee,
    LeaveCompany,
    MoveEmployee,
    MoveUnit,
    Notify,
    ReadNotification,
    RetireRole,
    RevokeRole,
    ScheduleLeave,
)
from services.workplace.projections.employees import Employees, GetEmployee, ListEmployees
from services.workplace.projections.inbox import ListInbox
from services.workplace.projections.roles import GetRole, ListRoles
from services.workplace.projections.units import GetUnit, ListUnits
from services.workplace.service import SERVICE
from shared.chassis import tracking
from shared.chassis.api.rights import Postings
from shared.chassis.service import open_service
from shared.chassis.shapes import Actor, Answer, Command, Invalid, NotFound, Query
from shared.chassis.testing import NOON, TESTER, folded, issue, recorded
from shared.events.workplace import EmployeeMoved, UnitKind
from tests.workplace.builders import LI, WU, day, employee_joined


class Office:
    """The service with its read models up to date."""

    def __init__(self) -> None:
        self.service = open_service(SERVICE)
        self.folded = 0

    def does(self, *commands: Command, by: Actor = TESTER) -> Answer:
        assert self.service.application is not None
        for command in commands:
            answer = self.service.application.handle(issue(command, by=by))
        facts = self.service.log.read(self.folded, 1000)
        with self.service.views_database.transaction() as connection:
            for projection in SERVICE.projections:
                self.service.projector.apply(connection, projection, facts)
                tracking.advance(connection, projection.name, "workplace", self.service.log.tip())
        self.folded = self.service.log.tip()
        return answer

    def asks(self, query: Query, by: Actor = TESTER) -> Any:
        return self.service.ask(SERVICE.asked[type(query).__name__], query, by)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.does(
        CreateUnit(unit_id="hq", name="总部", kind=UnitKind.COMPANY),
        CreateUnit(unit_id="sales", name="销售", parent_id="hq", head_id=LI),
        CreateUnit(unit_id="east", name="华东", parent_id="sales"),
        HireEmployee(employee_id=LI, name="李伟", unit_id="sales"),
        HireEmployee(employee_id=WU, name="吴敏", unit_id="east", manager_id=LI),
    )
    return office


@pytest.mark.capability("WRK-01")
def test_the_organisation_can_be_read(office: Office) -> None:
    assert office.asks(GetUnit(unit_id="east")).path == ["hq", "sales", "east"]
    office.does(MoveUnit(unit_id="east", parent_id="hq"), CloseUnit(unit_id="sales"))
    assert office.asks(GetUnit(unit_id="east")).path == ["hq", "east"]
    (closed,) = office.asks(ListUnits(filter="is_closed = true")).items
    assert (closed.unit_id, closed.head_id) == ("sales", LI)


@pytest.mark.capability("WRK-01", "WRK-02")
def test_an_employee_can_be_read_with_place_roles_and_plans(office: Office) -> None:
    answer = office.does(
        ChangeEmployee(employee_id=WU, phone="+8613912345678"),
        MoveEmployee(employee_id=WU, position="代表"),
        MoveEmployee(employee_id=WU, unit_id="hq", effective_on=day(20)),
        ScheduleLeave(employee_id=WU, starts_on=day(9), ends_on=day(10)),
        ScheduleLeave(employee_id=WU, starts_on=day(16), ends_on=day(17)),
        CancelLeave(employee_id=WU, starts_on=day(16), ends_on=day(17)),
        GrantRole(employee_id=WU, role="sales_rep"),
        GrantRole(employee_id=WU, role="analyst"),
        RevokeRole(employee_id=WU, role="analyst"),
    )
    wu = office.asks(GetEmployee(employee_id=WU))
    assert (wu.name, wu.phone, wu.roles) == ("吴敏", "+8613912345678", ["sales_rep"])
    assert (wu.unit_id, wu.position, wu.manager_id) == ("east", "代表", LI)
    assert wu.unit_path == ["hq", "sales", "east"]
    assert (wu.next_posting.unit_id, wu.next_posting.effective_on) == ("hq", day(20))
    assert (wu.next_posting.position, wu.next_posting.manager_id) == ("代表", LI)
    assert [leave.starts_on for leave in wu.leaves] == [day(9)]
    assert wu.version == answer.version
    office.does(LeaveCompany(employee_id=WU))
    (gone,) = office.asks(ListEmployees(filter="status = left")).items
    assert (gone.employee_id, gone.roles, gone.left_on) == (WU, [], day(2))
    (found,) = office.asks(ListEmployees(filter='name : "李"')).items
    assert found.employee_id == LI


@pytest.mark.capability("WRK-02")
def test_roles_can_be_read(office: Office) -> None:
    office.does(EstablishRoles(), RetireRole(role="auditor"))
    assert office.asks(GetRole(role="administrator")).rights == ["*"]
    assert len(office.asks(ListRoles()).items) == 8
    (retired,) = office.asks(ListRoles(filter="is_retired = true")).items
    assert retired.role == "auditor"


@pytest.mark.capability("WRK-06")
def test_an_inbox_is_its_owner_s(office: Office) -> None:
    for number, recipient in enumerate((LI, LI, WU)):
        office.does(
            Notify(
                notification_id=f"message-{number}",
                recipient_id=recipient,
                kind="ticket_assigned",
                about_kind="ticket",
                about_id="ticket-1",
                title="A ticket was assigned to you",
                details={"number": "T2603-1"},
            )
        )
    li = Actor(id=LI)
    office.does(ReadNotification(notification_id="message-0"), by=li)
    assert len(office.asks(ListInbox(), by=li).items) == 2
    (unread,) = office.asks(ListInbox(unread=True), by=li).items
    assert (unread.notification_id, unread.details) == ("message-1", {"number": "T2603-1"})
    assert office.asks(ListInbox(filter=f"notification_id = message-0 OR kind : {WU}"), by=li)
    with pytest.raises(Invalid):
        office.asks(ListInbox(filter=f"recipient_id = {WU}"), by=li)
    everything = "kind = ticket_assigned OR kind != ticket_assigned"
    assert len(office.asks(ListInbox(filter=everything), by=li).items) == 2


@pytest.mark.parametrize(
    "query", [GetUnit(unit_id="no"), GetEmployee(employee_id="no"), GetRole(role="no")]
)
def test_what_is_unknown_is_not_found(office: Office, query: Query) -> None:
    with pytest.raises(NotFound):
        office.asks(query)


@pytest.mark.capability("WRK-01")
@settings(max_examples=50, deadline=None)
@given(st.permutations([3, 5, 8, 13]))
def test_whatever_order_moves_are_learnt_in_the_latest_holds(days: list[int]) -> None:
    facts = [recorded(employee_joined(), stream_id=LI, at=NOON - timedelta(days=400))]
    facts += [
        recorded(
            EmployeeMoved(unit_id=f"unit-{number}", effective_on=day(number)),
            stream_id=LI,
            version=place,
        )
        for place, number in enumerate(days, 2)
    ]
    row = folded(Employees, facts)[LI,]
    assert row["unit_id"] == folded(Postings, facts)[LI,]["unit_id"] == "unit-13"
    assert [p["unit_id"] for p in row["postings"][1:]] == ["unit-3", "unit-5", "unit-8", "unit-13"]
