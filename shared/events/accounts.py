"""Facts about customers: accounts, the people who act for them, and what was done with them."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime

from shared.events.base import Event, Personal
from shared.events.values import (
    AccountId,
    Address,
    Attachment,
    Attitude,
    CampaignId,
    ContactId,
    ContractId,
    CustomFields,
    Email,
    EmployeeId,
    FollowUpId,
    Label,
    LeadId,
    Money,
    OpportunityId,
    Phone,
    UnitId,
    Value,
)

__all__ = [
    "AccountFact",
    "AccountKind",
    "AccountLifecycleMoved",
    "AccountMilestoneReached",
    "AccountOpened",
    "AccountOwnerChanged",
    "AccountParentSet",
    "AccountProfileChanged",
    "AccountProfileFact",
    "AccountTagged",
    "AccountUntagged",
    "AccountWithdrawn",
    "ActivityCancelled",
    "ActivityDone",
    "ActivityFact",
    "ActivityPlanned",
    "ActivityWithdrawn",
    "Anniversary",
    "BankAccount",
    "ContactAdded",
    "ContactFact",
    "ContactLeft",
    "ContactLinked",
    "ContactProfileChanged",
    "ContactProfileFact",
    "ContactWithdrawn",
    "CustomerDealsFact",
    "DealCounted",
    "DealUncounted",
    "Lifecycle",
    "Milestone",
    "TeamAccess",
    "TeamMemberAdded",
    "TeamMemberRemoved",
    "TeamRemoval",
]


class AccountKind(StrEnum):
    """Whether the customer is a body or a human being."""

    ORGANISATION = "organisation"
    PERSON = "person"


class Lifecycle(StrEnum):
    """How far a customer relation has come."""

    POTENTIAL = "potential"
    SIGNED = "signed"
    REPURCHASING = "repurchasing"
    DORMANT = "dormant"
    LOST = "lost"


class Milestone(StrEnum):
    """A mark a customer relation passes once or again."""

    VALUED = "valued"
    KEY = "key"
    TARGET = "target"
    SIGNED = "signed"
    DROPPED = "dropped"


class TeamAccess(StrEnum):
    """What a team member may do with the account."""

    READ = "read"
    WRITE = "write"


class TeamRemoval(StrEnum):
    """Why somebody is no longer on the team."""

    REMOVED = "removed"
    EXPIRED = "expired"


class BankAccount(Value):
    """Where the customer pays from or is paid to."""

    bank: str
    number: str
    """IBAN or national account number."""
    holder: str | None = None
    bic: str | None = None


class AccountFact(Event):
    """A fact about one account."""

    stream_kind: ClassVar[str] = "account"


class AccountProfileFact(AccountFact):
    """A fact that says everything known of the account, as it stands afterwards."""

    kind: AccountKind = AccountKind.ORGANISATION
    name: Personal[str] = None
    number: str | None = None
    """The company's own number for the customer."""
    legal_representative: Personal[str] = None
    registered_capital: Money | None = None
    addresses: Personal[tuple[Address, ...]] = None
    phones: Personal[tuple[Phone, ...]] = None
    fax: Personal[Phone] = None
    emails: Personal[tuple[Email, ...]] = None
    website: str | None = None
    industry: Label | None = None
    nature: Label | None = None
    """Legal or ownership form, e.g. state-owned, joint venture."""
    employees: int | None = None
    region: Label | None = None
    territory: Label | None = None
    """Sales territory."""
    bank_accounts: Personal[tuple[BankAccount, ...]] = None
    introduction: Personal[str] = None
    custom: Personal[CustomFields] = None


class AccountOpened(AccountProfileFact, topic="accounts.AccountOpened.v1"):
    """A customer was entered in the books, directly or by converting a lead."""

    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    parent_id: AccountId | None = None
    lead_id: LeadId | None = None
    """The lead it was converted from."""
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class AccountProfileChanged(AccountProfileFact, topic="accounts.AccountProfileChanged.v1"):
    """Somebody corrected or completed the account's profile."""

    changed: tuple[str, ...]
    """Names of the profile fields that differ from before."""


class AccountParentSet(AccountFact, topic="accounts.AccountParentSet.v1"):
    """The account was placed under a parent in its group, or made independent."""

    parent_id: AccountId | None = None
    previous_parent_id: AccountId | None = None
    relation: Label | None = None
    """Subsidiary, branch, …"""


class AccountOwnerChanged(AccountFact, topic="accounts.AccountOwnerChanged.v1"):
    """Somebody else looks after the account from now on."""

    owner_id: EmployeeId
    unit_id: UnitId | None = None
    previous_owner_id: EmployeeId | None = None
    reason: Label | None = None


class TeamMemberAdded(AccountFact, topic="accounts.TeamMemberAdded.v1"):
    """An employee joined the account's team, or got other rights or another end date."""

    employee_id: EmployeeId
    access: TeamAccess
    role: Label | None = None
    expires_at: AwareDatetime | None = None


class TeamMemberRemoved(AccountFact, topic="accounts.TeamMemberRemoved.v1"):
    """An employee left the account's team."""

    employee_id: EmployeeId
    because: TeamRemoval


class AccountLifecycleMoved(AccountFact, topic="accounts.AccountLifecycleMoved.v1"):
    """The customer relation entered another stage of its life."""

    from_stage: Lifecycle
    to_stage: Lifecycle
    since: AwareDatetime
    reason: Label | None = None


class AccountMilestoneReached(AccountFact, topic="accounts.AccountMilestoneReached.v1"):
    """The customer relation passed a milestone."""

    milestone: Milestone
    note: Personal[str] = None


class AccountTagged(AccountFact, topic="accounts.AccountTagged.v1"):
    """The account got a tag."""

    tag: Label


class AccountUntagged(AccountFact, topic="accounts.AccountUntagged.v1"):
    """The account lost a tag."""

    tag: Label


class AccountWithdrawn(AccountFact, topic="accounts.AccountWithdrawn.v1"):
    """The account left the books because the conversion that opened it was taken back."""

    lead_id: LeadId | None = None
    reason: Label


class CustomerDealsFact(Event):
    """A fact about what one customer has bought, known even before the account is."""

    stream_kind: ClassVar[str] = "customer_deals"

    account_id: AccountId
    opportunity_id: OpportunityId | None = None
    contract_id: ContractId | None = None


class DealCounted(CustomerDealsFact, topic="accounts.DealCounted.v1"):
    """A won opportunity, or a contract in force, counts towards the customer's lifecycle."""

    made_at: AwareDatetime


class DealUncounted(CustomerDealsFact, topic="accounts.DealUncounted.v1"):
    """A deal that was counted turned out to be none."""


class ContactFact(Event):
    """A fact about one person who acts for customers."""

    stream_kind: ClassVar[str] = "contact"


class Anniversary(Value):
    """A day of the year that matters to the contact."""

    name: str
    day: date


class ContactProfileFact(ContactFact):
    """A fact that says everything known of the person, as it stands afterwards."""

    name: Personal[str] = None
    salutation: Personal[str] = None
    titles: Personal[tuple[str, ...]] = None
    department: Label | None = None
    reports_to_id: ContactId | None = None
    assistant: Personal[str] = None
    phones: Personal[tuple[Phone, ...]] = None
    emails: Personal[tuple[Email, ...]] = None
    platform_ids: Personal[dict[str, str]] = None
    addresses: Personal[tuple[Address, ...]] = None
    birthday: Personal[date] = None
    anniversaries: Personal[tuple[Anniversary, ...]] = None
    education: Personal[str] = None
    family: Personal[str] = None
    preferences: Personal[dict[str, str]] = None
    language: str | None = None
    """BCP 47 tag, e.g. `zh-CN`."""
    custom: Personal[CustomFields] = None


class ContactAdded(ContactProfileFact, topic="accounts.ContactAdded.v1"):
    """A person was entered as acting for an account."""

    account_id: AccountId
    role: Label | None = None
    is_primary: bool = False
    lead_id: LeadId | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class ContactProfileChanged(ContactProfileFact, topic="accounts.ContactProfileChanged.v1"):
    """Somebody corrected or completed what is known of the person."""

    account_ids: tuple[AccountId, ...]
    """The accounts the person acts for now."""
    changed: tuple[str, ...]
    """Names of the profile fields that differ from before."""


class ContactLinked(ContactFact, topic="accounts.ContactLinked.v1"):
    """The person acts for one more account, or in another role."""

    account_id: AccountId
    role: Label | None = None
    is_primary: bool = False
    since: date | None = None


class ContactLeft(ContactFact, topic="accounts.ContactLeft.v1"):
    """The person no longer acts for an account; what they did for it stays known."""

    account_id: AccountId
    on: date | None = None
    reason: Label | None = None


class ContactWithdrawn(ContactFact, topic="accounts.ContactWithdrawn.v1"):
    """The contact left the books because the conversion that added it was taken back."""

    account_id: AccountId
    lead_id: LeadId | None = None
    reason: Label


class ActivityFact(Event):
    """A fact about one call, visit, meeting or message with a customer."""

    stream_kind: ClassVar[str] = "activity"

    account_id: AccountId
    contact_ids: tuple[ContactId, ...] = ()
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None
    employee_id: EmployeeId
    companion_ids: tuple[EmployeeId, ...] = ()
    method: Label
    """Call, visit, meeting, message, …"""
    subject: Personal[str] = None


class ActivityPlanned(ActivityFact, topic="accounts.ActivityPlanned.v1", subject="account_id"):
    """Something was planned with the customer, or the plan was changed."""

    due_at: AwareDatetime
    goal: Personal[str] = None
    preparation: Personal[str] = None


class ActivityDone(ActivityFact, topic="accounts.ActivityDone.v1", subject="account_id"):
    """Something was done with the customer, planned or not."""

    was_planned: bool = False
    goal: Personal[str] = None
    preparation: Personal[str] = None
    result: Personal[str] = None
    outcome: Label | None = None
    attitude: Attitude | None = None
    duration_minutes: int | None = None
    cost: Money | None = None
    remarks: Personal[str] = None
    attachments: Personal[tuple[Attachment, ...]] = None
    follow_up_id: FollowUpId | None = None
    """The lead's follow-up that travelled along with the conversion."""


class ActivityCancelled(ActivityFact, topic="accounts.ActivityCancelled.v1", subject="account_id"):
    """A planned activity was dropped."""

    reason: Label


class ActivityWithdrawn(ActivityFact, topic="accounts.ActivityWithdrawn.v1", subject="account_id"):
    """A lead's follow-up left the account's activities: its conversion was taken back."""

    follow_up_id: FollowUpId
    reason: Label
