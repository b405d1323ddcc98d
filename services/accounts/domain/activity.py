"""One call, visit, meeting or message with a customer."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from services.accounts.commands import (
    ActivityPeople,
    ActivityPlan,
    CancelActivity,
    CarriedActivity,
    CompleteActivity,
    OpenConvertedAccount,
    PlanActivity,
    RecordActivity,
    ReplanActivity,
    WithdrawConversion,
)
from shared.chassis.shapes import BrokenRule
from shared.events.accounts import (
    ActivityCancelled,
    ActivityDone,
    ActivityFact,
    ActivityPlanned,
    ActivityWithdrawn,
)
from shared.events.base import Event

__all__ = ["Activity", "ActivityIsSettled", "ActivityStatus"]

_PEOPLE = tuple(ActivityFact.model_fields)


class ActivityStatus(StrEnum):
    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class ActivityIsSettled(BrokenRule):
    sentence = "The activity is done or cancelled already."


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something planned with a customer until it is done or dropped."""

    status: ActivityStatus
    plan: ActivityPlanned | None = None
    carried: ActivityDone | None = None
    """A lead's follow-up that travelled along with its conversion."""

    @staticmethod
    def record(command: RecordActivity) -> list[Event]:
        return [
            ActivityDone(
                **_people(command, command.account_id),
                goal=command.goal,
                preparation=command.preparation,
                result=command.result,
                outcome=command.outcome,
                attitude=command.attitude,
                duration_minutes=command.duration_minutes,
                cost=command.cost,
                remarks=command.remarks,
                attachments=command.attachments,
            )
        ]

    @staticmethod
    def carry(command: OpenConvertedAccount, carried: CarriedActivity) -> list[Event]:
        follow_up = carried.follow_up
        return [
            ActivityDone(
                account_id=command.account_id,
                contact_ids=(command.contact_id,) if command.contact_id else (),
                opportunity_id=command.opportunity_id,
                lead_id=command.lead_id,
                employee_id=follow_up.employee_id,
                method=follow_up.method,
                result=follow_up.content,
                outcome=follow_up.outcome,
                attitude=follow_up.attitude,
                duration_minutes=follow_up.duration_minutes,
                cost=follow_up.cost,
                follow_up_id=follow_up.follow_up_id,
            )
        ]

    @staticmethod
    def planned(command: PlanActivity) -> list[Event]:
        return [_plan(command, command.account_id)]

    def replan(self, command: ReplanActivity) -> list[Event]:
        plan = self._open_plan()
        after = _plan(command, plan.account_id, employee_id=plan.employee_id)
        return [] if after == plan else [after]

    def complete(self, command: CompleteActivity) -> list[Event]:
        plan = self._open_plan()
        return [
            ActivityDone(
                **{name: getattr(plan, name) for name in _PEOPLE},
                was_planned=True,
                goal=plan.goal,
                preparation=plan.preparation,
                result=command.result,
                outcome=command.outcome,
                attitude=command.attitude,
                duration_minutes=command.duration_minutes,
                cost=command.cost,
                remarks=command.remarks,
                attachments=command.attachments,
            )
        ]

    def cancel(self, command: CancelActivity) -> list[Event]:
        if self.status is ActivityStatus.CANCELLED:
            return []
        plan = self._open_plan()
        return [
            ActivityCancelled(
                **{name: getattr(plan, name) for name in _PEOPLE}, reason=command.reason
            )
        ]

    def withdraw(self, command: WithdrawConversion) -> list[Event]:
        """Go back with the conversion that brought it along."""
        carried = self.carried
        if carried is None or carried.follow_up_id is None:
            return []
        people = {name: getattr(carried, name) for name in _PEOPLE}
        return [
            ActivityWithdrawn(**people, follow_up_id=carried.follow_up_id, reason=command.reason)
        ]

    def _open_plan(self) -> ActivityPlanned:
        if self.plan is None or self.status is not ActivityStatus.PLANNED:
            raise ActivityIsSettled(status=self.status.value)
        return self.plan

    @staticmethod
    def evolve(state: "Activity | None", event: Event) -> "Activity | None":
        match event:
            case ActivityPlanned():
                return Activity(status=ActivityStatus.PLANNED, plan=event)
            case ActivityDone():
                return Activity(
                    status=ActivityStatus.DONE,
                    plan=state.plan if state else None,
                    carried=event if event.follow_up_id else None,
                )
            case ActivityWithdrawn():
                return Activity(status=ActivityStatus.WITHDRAWN)
            case ActivityCancelled() if state is not None:
                return replace(state, status=ActivityStatus.CANCELLED)
        return state


def _plan(
    command: ActivityPlan, account_id: str, *, employee_id: str | None = None
) -> ActivityPlanned:
    return ActivityPlanned(
        **_people(command, account_id, employee_id=employee_id),
        due_at=command.due_at,
        goal=command.goal,
        preparation=command.preparation,
    )


def _people(
    command: ActivityPeople, account_id: str, *, employee_id: str | None = None
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "contact_ids": command.contact_ids,
        "opportunity_id": command.opportunity_id,
        "employee_id": command.employee_id or employee_id or command.by.id,
        "companion_ids": command.companion_ids,
        "method": command.method,
        "subject": command.subject,
    }
