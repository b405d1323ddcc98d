"""Nobody forgets a planned activity."""

from collections.abc import Sequence

from services.workplace.domain.telling import remind
from shared.chassis.shapes import Cancel, Reaction, whenever
from shared.events.accounts import ActivityCancelled, ActivityDone, ActivityPlanned
from shared.events.base import Recorded

__all__ = ["remind_of_activity"]


@whenever(ActivityPlanned, ActivityDone, ActivityCancelled)
def remind_of_activity(
    recorded: Recorded[ActivityPlanned | ActivityDone | ActivityCancelled],
) -> Sequence[Reaction]:
    """Whenever an activity is planned, remind who plans it when it falls due undone."""
    activity = recorded.event
    if not isinstance(activity, ActivityPlanned):
        return [Cancel(recorded.stream_id)]
    return remind(
        recorded,
        activity.employee_id,
        activity.due_at,
        recorded.stream_id,
        "activity_overdue",
        "An activity you planned is due and not done",
        about=("account", activity.account_id),
        activity_id=recorded.stream_id,
        due_at=activity.due_at.isoformat(),
    )
