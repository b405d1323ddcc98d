"""Nobody forgets a planned follow-up."""

from collections.abc import Sequence

from services.workplace.domain.telling import remind
from shared.chassis.shapes import Cancel, Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import FollowUpCancelled, FollowUpPlanned, FollowUpRecorded

__all__ = ["remind_of_follow_up"]


@whenever(FollowUpPlanned, FollowUpRecorded, FollowUpCancelled)
def remind_of_follow_up(
    recorded: Recorded[FollowUpPlanned | FollowUpRecorded | FollowUpCancelled],
) -> Sequence[Reaction]:
    """Whenever a follow-up is planned, remind whoever is to do it when it falls due undone."""
    match recorded.event:
        case FollowUpPlanned() as planned:
            return remind(
                recorded,
                planned.employee_id,
                planned.due_at,
                planned.follow_up_id,
                "follow_up_overdue",
                "A planned follow-up is due and not done",
                about=("lead", recorded.stream_id),
                follow_up_id=planned.follow_up_id,
                due_at=planned.due_at.isoformat(),
            )
        case FollowUpRecorded(plan_id=str(planned_id)):
            return [Cancel(planned_id)]
        case FollowUpCancelled(follow_up_id=planned_id):
            return [Cancel(planned_id)]
    return []
