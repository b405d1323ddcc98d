"""The workplace's commands: load, decide, record."""

from collections.abc import Callable, Sequence

from services.workplace.commands import (
    CancelLeave,
    CarryOutDeparture,
    CarryOutMove,
    ChangeEmployee,
    CloseUnit,
    CreateUnit,
    DefineRole,
    EstablishRoles,
    GrantRole,
    HireEmployee,
    LeaveCompany,
    MoveEmployee,
    MoveUnit,
    Notify,
    ReadNotification,
    RenameUnit,
    RetireRole,
    RevokeRole,
    ScheduleLeave,
)
from services.workplace.domain.employee import Employee, hire_employee
from services.workplace.domain.notification import Notification, notify
from services.workplace.domain.particulars import digest
from services.workplace.domain.role import BUILT_IN, Role, define_role
from services.workplace.domain.unit import Unit, create_unit
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, Command
from shared.events.base import Event
from shared.events.values import EmployeeId, Slug, UnitId
from shared.events.workplace import EmployeeLeft, EmployeeProfileChanged

__all__ = ["WorkplaceApplication"]


class WorkplaceApplication(Application):
    """Units, staff, roles, and what inboxes tell."""

    context = "workplace"

    def create_unit(self, command: CreateUnit) -> Answer:
        unit_id = command.unit_id or command.new_id("unit")

        def decide(work: Work) -> str:
            if command.parent_id is not None:
                work.load(Unit, command.parent_id).must_be_open()
            work.record(unit_id, [create_unit(command)])
            return unit_id

        return self.commit(command, decide)

    def rename_unit(self, command: RenameUnit) -> Answer:
        return self.change(Unit, command.unit_id, lambda unit: unit.rename(command), command)

    def move_unit(self, command: MoveUnit) -> Answer:
        def decide(work: Work) -> str:
            unit = work.load(Unit, command.unit_id)
            if command.parent_id is not None:
                work.load(Unit, command.parent_id).must_be_open()
            above = _with_all_above(work, command.parent_id)
            work.record(command.unit_id, unit.move(command, above))
            return command.unit_id

        return self.commit(command, decide)

    def close_unit(self, command: CloseUnit) -> Answer:
        return self.change(Unit, command.unit_id, lambda unit: unit.close(command), command)

    def hire_employee(self, command: HireEmployee) -> Answer:
        employee_id = command.employee_id or command.new_id("employee")

        def decide(work: Work) -> str:
            joined = hire_employee(command)
            _check_posting(work, command.unit_id, command.manager_id)
            if command.source and command.external_id:
                work.claim(f"external:{command.source}", command.external_id, employee_id)
            if joined.number:
                work.claim("employee_number", joined.number, employee_id)
            if joined.email:
                work.claim("employee_email", digest(joined.email), employee_id)
            work.record(employee_id, [joined])
            return employee_id

        return self.commit(command, decide)

    def change_employee(self, command: ChangeEmployee) -> Answer:
        def decide(work: Work) -> str:
            employee = work.load(Employee, command.employee_id)
            events = employee.change(command)
            for event in events:
                if isinstance(event, EmployeeProfileChanged) and "email" in event.changed:
                    _free_email(work, employee)
                    work.claim("employee_email", digest(event.email or ""), command.employee_id)
            work.record(command.employee_id, events)
            return command.employee_id

        return self.commit(command, decide)

    def move_employee(self, command: MoveEmployee) -> Answer:
        def decide(work: Work) -> str:
            employee = work.load(Employee, command.employee_id)
            _check_posting(work, command.unit_id, command.manager_id)
            work.record(command.employee_id, employee.move(command))
            return command.employee_id

        return self.commit(command, decide)

    def carry_out_move(self, command: CarryOutMove) -> Answer:
        return self._employ(command.employee_id, lambda e: e.carry_out_move(command), command)

    def leave_company(self, command: LeaveCompany) -> Answer:
        return self._employ(command.employee_id, lambda e: e.leave(command), command)

    def carry_out_departure(self, command: CarryOutDeparture) -> Answer:
        return self._employ(command.employee_id, lambda e: e.carry_out_departure(command), command)

    def schedule_leave(self, command: ScheduleLeave) -> Answer:
        return self._employ(command.employee_id, lambda e: e.schedule_leave(command), command)

    def cancel_leave(self, command: CancelLeave) -> Answer:
        return self._employ(command.employee_id, lambda e: e.cancel_leave(command), command)

    def grant_role(self, command: GrantRole) -> Answer:
        def decide(work: Work) -> str:
            employee = work.load(Employee, command.employee_id)
            _establish(work, command.role)
            work.load(Role, command.role).must_be_in_use()
            work.record(command.employee_id, employee.grant(command))
            return command.employee_id

        return self.commit(command, decide)

    def revoke_role(self, command: RevokeRole) -> Answer:
        return self._employ(command.employee_id, lambda e: e.revoke(command), command)

    def define_role(self, command: DefineRole) -> Answer:
        def decide(work: Work) -> str:
            work.record(command.role, define_role(work.find(Role, command.role), command))
            return command.role

        return self.commit(command, decide)

    def retire_role(self, command: RetireRole) -> Answer:
        def decide(work: Work) -> str:
            _establish(work, command.role)
            work.record(command.role, work.load(Role, command.role).retire(command))
            return command.role

        return self.commit(command, decide)

    def establish_roles(self, command: EstablishRoles) -> Answer:
        def decide(work: Work) -> str:
            for role in BUILT_IN:
                _establish(work, role)
            return "administrator"

        return self.commit(command, decide)

    def notify(self, command: Notify) -> Answer:
        def decide(work: Work) -> str:
            if work.find(Notification, command.notification_id) is None:
                work.record(command.notification_id, notify(command))
            return command.notification_id

        return self.commit(command, decide)

    def read_notification(self, command: ReadNotification) -> Answer:
        return self.change(
            Notification, command.notification_id, lambda one: one.read(command), command
        )

    def _employ(
        self,
        employee_id: EmployeeId,
        decide: Callable[[Employee], Sequence[Event]],
        command: Command,
    ) -> Answer:
        def one(work: Work) -> str:
            employee = work.load(Employee, employee_id)
            events = decide(employee)
            if any(isinstance(event, EmployeeLeft) for event in events):
                _free_email(work, employee)
            work.record(employee_id, events)
            return employee_id

        return self.commit(command, one)


def _with_all_above(work: Work, unit_id: UnitId | None) -> list[UnitId]:
    above: list[UnitId] = []
    while unit_id is not None and unit_id not in above:
        above.append(unit_id)
        unit_id = work.load(Unit, unit_id).parent_id
    return above


def _check_posting(work: Work, unit_id: UnitId | None, manager_id: EmployeeId | None) -> None:
    if unit_id is not None:
        work.load(Unit, unit_id).must_be_open()
    if manager_id is not None:
        work.load(Employee, manager_id)


def _free_email(work: Work, employee: Employee) -> None:
    if employee.email:
        work.release("employee_email", digest(employee.email))


def _establish(work: Work, role: Slug) -> None:
    """Lay a built-in role down when it is met for the first time."""
    if role in BUILT_IN and work.find(Role, role) is None:
        work.record(role, [BUILT_IN[role]])
