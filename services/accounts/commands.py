"""What people and policies may ask of accounts, contacts and activities."""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from shared.chassis.shapes import Command
from shared.events.accounts import (
    AccountKind,
    Anniversary,
    BankAccount,
    Milestone,
    TeamAccess,
)
from shared.events.leads import CarriedFollowUp
from shared.events.values import (
    AccountId,
    ActivityId,
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
    NonNegativeMoney,
    OpportunityId,
    Phone,
    UnitId,
    Value,
)

__all__ = [
    "AddContact",
    "AddTeamMember",
    "AssignAccountOwner",
    "CancelActivity",
    "CarriedActivity",
    "ChangeAccount",
    "ChangeContact",
    "CompleteActivity",
    "CountDeal",
    "ExpireTeamMember",
    "LinkContact",
    "OpenAccount",
    "OpenConvertedAccount",
    "PlanActivity",
    "ReachMilestone",
    "RecordActivity",
    "RecordContactLeft",
    "RemoveTeamMember",
    "ReplanActivity",
    "ReviewLifecycle",
    "SetAccountParent",
    "TagAccount",
    "UncountDeal",
    "UntagAccount",
    "WithdrawConversion",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
RawPhone = Annotated[str, StringConstraints(min_length=3, max_length=40)]
RawEmail = Annotated[str, StringConstraints(min_length=3, max_length=320)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Words = Annotated[dict[str, Line], Field(max_length=50)]
Custom = Annotated[CustomFields, Field(max_length=100)]
FieldName = Annotated[str, StringConstraints(max_length=64)]
Cleared = Annotated[tuple[FieldName, ...], Field(max_length=50)]
Many = Field(max_length=20)


class AccountProfile(Command):
    """What can be said of an account."""

    number: Name | None = None
    """The company's own number for the customer."""
    legal_representative: Name | None = None
    registered_capital: NonNegativeMoney | None = None
    addresses: Annotated[tuple[Address, ...], Many] | None = None
    phones: Annotated[tuple[RawPhone, ...], Many] | None = None
    fax: RawPhone | None = None
    emails: Annotated[tuple[RawEmail, ...], Many] | None = None
    website: Line | None = None
    industry: Label | None = None
    nature: Label | None = None
    """Legal or ownership form, e.g. state-owned, joint venture."""
    employees: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    region: Label | None = None
    territory: Label | None = None
    """Sales territory."""
    bank_accounts: Annotated[tuple[BankAccount, ...], Many] | None = None
    introduction: Text | None = None
    custom: Custom | None = None
    phone_country: Country = "CN"
    """The country (ISO 3166-1) that telephone numbers without a prefix belong to."""


class OpenAccount(AccountProfile, http="POST /v1/accounts"):
    """Enter a customer in the books."""

    account_id: AccountId | None = None
    """Chosen by the caller; a fresh one when left out."""
    name: Name
    kind: AccountKind = AccountKind.ORGANISATION
    owner_id: EmployeeId | None = None
    """Who looks after it; whoever opens it when left out, nobody for an import."""
    unit_id: UnitId | None = None
    parent_id: AccountId | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: Label | None = None
    """The system a historic record is imported from."""
    external_id: Name | None = None
    """Its id there; entered once per source."""


class ChangeAccount(AccountProfile, http="POST /v1/accounts/{account_id}:change"):
    """Correct or complete an account's profile: what is left out stays as it is."""

    account_id: AccountId
    name: Name | None = None
    kind: AccountKind | None = None
    clear: Cleared = ()
    """Names of the fields to empty."""


class SetAccountParent(Command, http="POST /v1/accounts/{account_id}:set-parent"):
    """Place an account under a parent in its group, or make it independent."""

    account_id: AccountId
    parent_id: AccountId | None = None
    """Nobody's when left out."""
    relation: Label | None = None
    """Subsidiary, branch, …"""


class AssignAccountOwner(Command, http="POST /v1/accounts/{account_id}:assign-owner"):
    """Let somebody else look after an account."""

    account_id: AccountId
    owner_id: EmployeeId
    unit_id: UnitId | None = None
    reason: Label | None = None


class AddTeamMember(Command, http="POST /v1/accounts/{account_id}/team"):
    """Add an employee to an account's team, or change what they may do and until when."""

    account_id: AccountId
    employee_id: EmployeeId
    access: TeamAccess = TeamAccess.READ
    role: Label | None = None
    expires_at: AwareDatetime | None = None


class RemoveTeamMember(Command, http="POST /v1/accounts/{account_id}/team/{employee_id}:remove"):
    """Take an employee off an account's team."""

    account_id: AccountId
    employee_id: EmployeeId


class ExpireTeamMember(Command):
    """End a team membership whose time is over."""

    account_id: AccountId
    employee_id: EmployeeId


class TagAccount(Command, http="POST /v1/accounts/{account_id}:tag"):
    """Give an account a tag."""

    account_id: AccountId
    tag: Label


class UntagAccount(Command, http="POST /v1/accounts/{account_id}:untag"):
    """Take a tag from an account."""

    account_id: AccountId
    tag: Label


class ReachMilestone(Command, http="POST /v1/accounts/{account_id}/milestones"):
    """Note that the customer relation passed a milestone."""

    account_id: AccountId
    milestone: Milestone
    note: Text | None = None


class CountDeal(Command):
    """Count a deal with the customer towards its lifecycle, once."""

    account_id: AccountId
    opportunity_id: OpportunityId | None = None
    contract_id: ContractId | None = None


class UncountDeal(Command):
    """No longer count a deal that turned out to be none."""

    account_id: AccountId
    opportunity_id: OpportunityId


class ReviewLifecycle(Command):
    """See whether the customer has been silent for so long that the relation rests or is lost."""

    account_id: AccountId


class CarriedActivity(Value):
    """A lead's follow-up with the id it goes by among the account's activities."""

    activity_id: ActivityId
    follow_up: CarriedFollowUp


class OpenConvertedAccount(Command):
    """Enter what a lead's conversion opens: an account, a contact, and what was done so far."""

    lead_id: LeadId
    account_id: AccountId
    opens_account: bool
    contact_id: ContactId | None = None
    opens_contact: bool = False
    opportunity_id: OpportunityId | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    kind: AccountKind = AccountKind.ORGANISATION
    account_name: str | None = None
    contact_name: str | None = None
    title: str | None = None
    phones: tuple[Phone, ...] | None = None
    emails: tuple[Email, ...] | None = None
    platform_ids: dict[str, str] | None = None
    address: Address | None = None
    region: Label | None = None
    industry: Label | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    need: str | None = None
    activities: tuple[CarriedActivity, ...] = ()
    source: str | None = None
    external_id: str | None = None


class WithdrawConversion(Command):
    """Take from the books what a reverted conversion had opened."""

    lead_id: LeadId
    account_id: AccountId
    withdraws_account: bool
    contact_id: ContactId | None = None
    withdraws_contact: bool = False
    follow_up_ids: tuple[FollowUpId, ...] = ()
    reason: Label


class ContactProfile(Command):
    """What can be said of a person who acts for a customer."""

    salutation: Name | None = None
    titles: Annotated[tuple[Name, ...], Many] | None = None
    department: Label | None = None
    reports_to_id: ContactId | None = None
    assistant: Name | None = None
    phones: Annotated[tuple[RawPhone, ...], Many] | None = None
    emails: Annotated[tuple[RawEmail, ...], Many] | None = None
    platform_ids: Words | None = None
    """Platform to the person's id there, e.g. `wechat`."""
    addresses: Annotated[tuple[Address, ...], Many] | None = None
    birthday: date | None = None
    anniversaries: Annotated[tuple[Anniversary, ...], Many] | None = None
    education: Line | None = None
    family: Line | None = None
    preferences: Words | None = None
    language: Language | None = None
    """BCP 47 tag, e.g. `zh-CN`."""
    custom: Custom | None = None
    phone_country: Country = "CN"
    """The country (ISO 3166-1) that telephone numbers without a prefix belong to."""


class AddContact(ContactProfile, http="POST /v1/accounts/{account_id}/contacts"):
    """Enter a person who acts for an account."""

    account_id: AccountId
    contact_id: ContactId | None = None
    """Chosen by the caller; a fresh one when left out."""
    name: Name
    role: Label | None = None
    is_primary: bool = False
    source: Label | None = None
    """The system a historic record is imported from."""
    external_id: Name | None = None
    """Its id there; entered once per source."""


class ChangeContact(ContactProfile, http="POST /v1/contacts/{contact_id}:change"):
    """Correct or complete what is known of a person: what is left out stays as it is."""

    contact_id: ContactId
    name: Name | None = None
    clear: Cleared = ()
    """Names of the fields to empty."""


class LinkContact(Command, http="POST /v1/contacts/{contact_id}:link"):
    """Let a person act for one more account, or in another role."""

    contact_id: ContactId
    account_id: AccountId
    role: Label | None = None
    is_primary: bool = False
    since: date | None = None


class RecordContactLeft(Command, http="POST /v1/contacts/{contact_id}:leave"):
    """Note that a person no longer acts for an account."""

    contact_id: ContactId
    account_id: AccountId
    on: date | None = None
    reason: Label | None = None


class ActivityPeople(Command):
    """Who met whom, how and about what."""

    contact_ids: Annotated[tuple[ContactId, ...], Many] = ()
    opportunity_id: OpportunityId | None = None
    employee_id: EmployeeId | None = None
    """Who does it; the caller when left out."""
    companion_ids: Annotated[tuple[EmployeeId, ...], Many] = ()
    method: Label
    """Call, visit, meeting, message, …"""
    subject: Line | None = None


class ActivityPlan(ActivityPeople):
    """What is planned with a customer, and for when."""

    due_at: AwareDatetime
    goal: Text | None = None
    preparation: Text | None = None


class ActivityResult(Command):
    """What came of it."""

    result: Text | None = None
    outcome: Label | None = None
    attitude: Attitude | None = None
    duration_minutes: Annotated[int, Field(ge=0, le=44_640)] | None = None
    cost: NonNegativeMoney | None = None
    remarks: Text | None = None
    attachments: Annotated[tuple[Attachment, ...], Many] | None = None


class PlanActivity(ActivityPlan, http="POST /v1/accounts/{account_id}/activities:plan"):
    """Plan something with a customer."""

    account_id: AccountId
    activity_id: ActivityId | None = None
    """Chosen by the caller; a fresh one when left out."""


class ReplanActivity(ActivityPlan, http="POST /v1/activities/{activity_id}:replan"):
    """Change what is planned, or when."""

    activity_id: ActivityId


class CompleteActivity(ActivityResult, http="POST /v1/activities/{activity_id}:complete"):
    """Note that what was planned was done, and what came of it."""

    activity_id: ActivityId


class CancelActivity(Command, http="POST /v1/activities/{activity_id}:cancel"):
    """Drop what was planned."""

    activity_id: ActivityId
    reason: Label


class RecordActivity(
    ActivityPeople, ActivityResult, http="POST /v1/accounts/{account_id}/activities"
):
    """Note what was done with a customer."""

    account_id: AccountId
    activity_id: ActivityId | None = None
    """Chosen by the caller; a fresh one when left out."""
    goal: Text | None = None
    preparation: Text | None = None
