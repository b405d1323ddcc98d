"""Whose the rows of the accounts' read models are."""

from services.accounts.projections.account_list import account_list
from services.accounts.projections.account_team import account_team
from services.accounts.projections.activity_list import activity_list
from services.accounts.projections.contact_links import contact_links
from services.accounts.projections.contact_list import contact_list
from shared.chassis.shapes.guard import Guard, Team, Via
from shared.events.accounts import TeamAccess

__all__ = ["GUARDS"]

_WITH_ACCOUNT = Via(("account_id",), (account_list.c.account_id,))

GUARDS = (
    Guard(
        table=account_list,
        record="account",
        owners=("owner_id",),
        team=Team(
            account_team.c.account_id,
            account_team.c.employee_id,
            writes=(account_team.c.access, TeamAccess.WRITE.value),
        ),
    ),
    Guard(table=account_team, record="team_member", via=(_WITH_ACCOUNT,)),
    Guard(
        table=contact_list,
        record="contact",
        owners=("added_by",),
        via=(Via(("contact_id",), (contact_links.c.contact_id,)),),
    ),
    Guard(table=contact_links, record="contact", via=(_WITH_ACCOUNT,)),
    Guard(
        table=activity_list,
        record="activity",
        owners=("employee_id",),
        members=("companion_ids",),
        via=(_WITH_ACCOUNT,),
    ),
)
