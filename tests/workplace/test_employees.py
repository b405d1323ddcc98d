from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from services.workplace.application import WorkplaceApplication
from services.workplace.commands import (
    CancelLeave,
    CarryOutDeparture,
    CarryOutMove,
    ChangeEmployee,
    HireEmployee,
    LeaveCompany,
    MoveEmployee,
    ScheduleLeave,
)
from services.workplace.domain.employee import EmployeeHasLeft, LeavesOverlap
from services.workplace.domain.unit import UnitIsClosed
from services.workplace.policies.carry_out_departure import carry_out_departure
from services.workplace.policies.carry_out_move import carry_out_move
from services.workplace.projections.employees import Employees
from shared.chassis.shapes import Cancel, Invalid, Later, NotFound, Taken
from shared.chassis.testing import Scenario, folded, recorded, scenario
from shared.events.workplace import (
    DepartureScheduled,
    EmployeeJoined,
    EmployeeLeft,
    EmployeeMoved,
    EmployeeProfileChanged,
    LeaveCancelled,
    LeaveScheduled,
    MoveScheduled,
)
from tests.workplace.builders import (
    LI,
    TODAY,
    UNIT,
    WU,
    day,
    employee_joined,
    noon,
    unit_closed,
    unit_created,
)

pytestmark = pytest.mark.capability("WRK-01")


def staffed() -> Scenario[WorkplaceApplication]:
    return (
        scenario(WorkplaceApplication)
        .given(UNIT, unit_created())
        .given("unit-2", unit_created(name="上海"))
        .given(LI, employee_joined())
    )


def test_somebody_is_taken_on_with_particulars_in_normal_form() -> None:
    told = staffed().when(
        HireEmployee(
            employee_id=WU, name="吴敏", email="Wu.Min@Example.CN", phone="+86 139-1234-5678",
            unit_id=UNIT, manager_id=LI, position="rep", time_zone="Asia/Shanghai",
        )
    )  # fmt: skip
    told.then(
        EmployeeJoined(
            name="吴敏", email="Wu.Min@example.cn", phone="+8613912345678", unit_id=UNIT,
            manager_id=LI, position="rep", time_zone="Asia/Shanghai", joined_on=TODAY,
        )
    )  # fmt: skip


def test_all_particulars_that_do_not_fit_are_named_at_once() -> None:
    told = staffed().when(
        HireEmployee(name="x", email="nobody@", phone="call me", time_zone="Mars/Base")
    )
    told.then_refused(Invalid)
    assert isinstance(told.refusal, Invalid)
    assert [v.field for v in told.refusal.violations] == ["email", "phone", "time_zone"]


def test_mail_address_and_number_belong_to_one_person() -> None:
    hired = staffed().after(HireEmployee(employee_id=WU, name="吴敏", email="wu@a.cn", number="7"))
    (
        hired.when(HireEmployee(name="other", email="WU@a.cn"))
        .then_refused(Taken, holder=WU, scope="employee_email")
        .when(HireEmployee(name="other", number="7"))
        .then_refused(Taken, holder=WU, scope="employee_number")
    )


def test_a_mail_address_is_free_again_once_its_owner_changed_it_or_left() -> None:
    hired = staffed().after(HireEmployee(employee_id=WU, name="吴敏", email="wu@a.cn"))
    hired.after(ChangeEmployee(employee_id=WU, email="min@a.cn"))
    hired.after(HireEmployee(employee_id="emp-3", name="other", email="wu@a.cn"))
    hired.after(LeaveCompany(employee_id=WU))
    hired.when(ChangeEmployee(employee_id="emp-3", email="min@a.cn")).then_kinds(
        EmployeeProfileChanged
    )


def test_an_external_id_is_taken_in_once() -> None:
    hr = {"source": "hr", "external_id": "42", "name": "吴敏"}
    (
        staffed()
        .after(HireEmployee.model_validate({**hr, "employee_id": WU}))
        .when(HireEmployee.model_validate(hr))
        .then_refused(Taken, holder=WU)
        .when(HireEmployee(name="x", source="hr"))
        .then_refused(Invalid)
    )


@pytest.mark.parametrize(
    ("over", "unknown"), [({"unit_id": "nowhere"}, "nowhere"), ({"manager_id": "no"}, "no")]
)
def test_nobody_is_put_where_there_is_nothing(over: dict[str, str], unknown: str) -> None:
    command = HireEmployee.model_validate({"name": "x"} | over)
    staffed().when(command).then_refused(NotFound, id=unknown)


def test_nobody_is_put_into_a_closed_unit() -> None:
    (
        staffed()
        .given("unit-2", unit_closed())
        .when(MoveEmployee(employee_id=LI, unit_id="unit-2"))
        .then_refused(UnitIsClosed)
    )


def test_nobody_is_their_own_manager() -> None:
    staffed().when(MoveEmployee(employee_id=LI, manager_id=LI)).then_refused(Invalid)
    hire = HireEmployee(employee_id=WU, name="x", manager_id=WU)
    staffed().when(hire).then_refused(Invalid)


def test_particulars_are_corrected() -> None:
    (
        staffed()
        .when(ChangeEmployee(employee_id=LI, phone="+8613912345678"))
        .then(EmployeeProfileChanged(name="李伟", phone="+8613912345678", changed=("phone",)))
        .when(ChangeEmployee(employee_id=LI, phone="+86 139 1234 5678"))
        .then_nothing()
    )


def test_a_move_keeps_what_it_does_not_name() -> None:
    (
        staffed()
        .when(MoveEmployee(employee_id=LI, position="lead"))
        .then(
            EmployeeMoved(unit_id=UNIT, position="lead", previous_unit_id=UNIT, effective_on=TODAY)
        )
        .when(MoveEmployee(employee_id=LI, position="lead"))
        .then_nothing()
    )


def test_a_move_ahead_waits_for_its_day() -> None:
    planned = MoveScheduled(unit_id="unit-2", effective_on=day(10))
    carry_out = CarryOutMove(employee_id=LI, unit_id="unit-2", effective_on=day(10))
    told = staffed().when(MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=day(10)))
    told.then(planned)
    assert carry_out_move(recorded(planned, stream_id=LI)) == [
        Later(datetime(2026, 3, 10, tzinfo=UTC), carry_out, LI)
    ]
    (
        told.when(MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=day(10)))
        .then_nothing()
        .when(carry_out, at=noon(10))
        .then(EmployeeMoved(unit_id="unit-2", previous_unit_id=UNIT, effective_on=day(10)))
        .when(carry_out, at=noon(10))
        .then_nothing()
    )


def test_a_planned_move_undoes_nothing_that_happened_meanwhile() -> None:
    told = staffed().when(MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=day(10)))
    (planned,) = told.news
    (waiting,) = carry_out_move(planned)
    assert isinstance(waiting, Later)
    told.after(MoveEmployee(employee_id=LI, position="team lead"), at=noon(5))
    moved = EmployeeMoved(
        unit_id="unit-2", position="team lead", previous_unit_id=UNIT, effective_on=day(10)
    )
    told.when(waiting.command, at=waiting.at).then(moved)
    told.when(waiting.command, at=waiting.at).then_nothing()
    row = folded(Employees, told.log.read(0, 100))[LI,]
    assert (row["unit_id"], row["position"], row["next_posting"]) == ("unit-2", "team lead", None)


def test_a_move_that_was_planned_anew_is_not_carried_out_as_before() -> None:
    (
        staffed()
        .after(MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=day(10)))
        .after(MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=day(20)))
        .when(CarryOutMove(employee_id=LI, unit_id="unit-2", effective_on=day(10)), at=noon(10))
        .then_nothing()
    )


def test_a_move_in_the_past_does_not_undo_a_later_one() -> None:
    told = staffed().after(MoveEmployee(employee_id=LI, unit_id="unit-2"))
    told.after(MoveEmployee(employee_id=LI, position="junior", effective_on=date(2025, 6, 1)))
    told.when(MoveEmployee(employee_id=LI, unit_id="unit-2")).then_nothing()


def test_nobody_moves_before_they_joined() -> None:
    early = MoveEmployee(employee_id=LI, unit_id="unit-2", effective_on=date(2024, 12, 31))
    staffed().when(early).then_refused(Invalid)


def test_whoever_leaves_is_moved_no_more() -> None:
    (
        staffed()
        .when(LeaveCompany(employee_id=LI, reason="moved away"))
        .then(EmployeeLeft(left_on=TODAY, reason="moved away"))
        .when(LeaveCompany(employee_id=LI))
        .then_nothing()
        .when(MoveEmployee(employee_id=LI, unit_id="unit-2"))
        .then_refused(EmployeeHasLeft)
        .when(ChangeEmployee(employee_id=LI, name="x"))
        .then_refused(EmployeeHasLeft)
        .when(ScheduleLeave(employee_id=LI, starts_on=day(3), ends_on=day(4)))
        .then_refused(EmployeeHasLeft)
    )


def test_a_departure_ahead_waits_for_the_end_of_its_day() -> None:
    planned = DepartureScheduled(left_on=day(31), reason="retired")
    carry_out = CarryOutDeparture(employee_id=LI, left_on=day(31), reason="retired")
    told = staffed().when(LeaveCompany(employee_id=LI, left_on=day(31), reason="retired"))
    told.then(planned)
    assert carry_out_departure(recorded(planned, stream_id=LI)) == [
        Later(datetime(2026, 4, 1, tzinfo=UTC), carry_out, LI)
    ]
    left = EmployeeLeft(left_on=day(31), reason="retired")
    told.when(carry_out, at=datetime(2026, 4, 1, tzinfo=UTC)).then(left)
    told.when(carry_out, at=datetime(2026, 4, 1, tzinfo=UTC)).then_nothing()
    assert carry_out_departure(recorded(left, stream_id=LI)) == [Cancel(LI)]
    assert carry_out_move(recorded(left, stream_id=LI)) == [Cancel(LI)]


def test_nobody_leaves_before_they_joined() -> None:
    early = LeaveCompany(employee_id=LI, left_on=date(2024, 1, 1))
    staffed().when(early).then_refused(Invalid)


def test_leaves_do_not_overlap() -> None:
    holiday = ScheduleLeave(employee_id=LI, starts_on=day(9), ends_on=day(13), kind="annual")
    (
        staffed()
        .when(holiday)
        .then(LeaveScheduled(starts_on=day(9), ends_on=day(13), kind="annual"))
        .when(holiday)
        .then_nothing()
        .when(ScheduleLeave(employee_id=LI, starts_on=day(13), ends_on=day(14)))
        .then_refused(LeavesOverlap, starts_on="2026-03-09")
        .when(ScheduleLeave(employee_id=LI, starts_on=day(14), ends_on=day(13)))
        .then_refused(Invalid)
        .when(CancelLeave(employee_id=LI, starts_on=day(9), ends_on=day(13)))
        .then(LeaveCancelled(starts_on=day(9), ends_on=day(13)))
        .when(CancelLeave(employee_id=LI, starts_on=day(9), ends_on=day(13)))
        .then_nothing()
    )


def test_an_impossible_date_is_refused_at_the_door() -> None:
    with pytest.raises(ValidationError):
        MoveEmployee.model_validate({"employee_id": LI, "effective_on": "2026-02-30"})
