"""Team memberships end when their time is over."""

from services.accounts.commands import ExpireTeamMember
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.accounts import TeamMemberAdded, TeamMemberRemoved
from shared.events.base import Recorded

__all__ = ["expire_team_member"]


@whenever(TeamMemberAdded, TeamMemberRemoved)
def expire_team_member(
    recorded: Recorded[TeamMemberAdded | TeamMemberRemoved],
) -> list[Reaction]:
    """Whenever somebody joins a team until a day, let them leave it on that day."""
    employee_id = recorded.event.employee_id
    key = f"{recorded.stream_id}:{employee_id}"
    match recorded.event:
        case TeamMemberAdded(expires_at=ends) if ends is not None:
            expire = ExpireTeamMember(account_id=recorded.stream_id, employee_id=employee_id)
            return [Later(ends, expire, key)]
    return [Cancel(key)]
