"""What the accounts service is made of."""

from services.accounts.application import AccountsApplication
from services.accounts.policies.count_deal import count_deal
from services.accounts.policies.expire_team_member import expire_team_member
from services.accounts.policies.open_converted_account import open_converted_account
from services.accounts.policies.review_lifecycle import review_lifecycle
from services.accounts.policies.uncount_deal import uncount_deal
from services.accounts.policies.withdraw_reverted_conversion import withdraw_reverted_conversion
from services.accounts.projections.account_list import (
    AccountList,
    get_account,
    list_accounts,
    list_child_accounts,
)
from services.accounts.projections.account_team import AccountTeam, list_team
from services.accounts.projections.activity_list import (
    ActivityList,
    get_activity,
    list_account_activities,
    list_activities,
)
from services.accounts.projections.contact_links import ContactLinks
from services.accounts.projections.contact_list import (
    ContactList,
    get_contact,
    list_account_contacts,
    list_contacts,
)
from services.accounts.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="accounts",
    description="Customers, the people who act for them, and what is planned and done with them.",
    application=AccountsApplication,
    policies=(
        open_converted_account,
        withdraw_reverted_conversion,
        count_deal,
        uncount_deal,
        review_lifecycle,
        expire_team_member,
    ),
    projections=(AccountList, AccountTeam, ContactList, ContactLinks, ActivityList),
    questions=(
        get_account,
        list_accounts,
        list_child_accounts,
        list_team,
        get_contact,
        list_contacts,
        list_account_contacts,
        get_activity,
        list_activities,
        list_account_activities,
    ),
    guards=GUARDS,
)
