"""What may be asked of the leads context."""

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.chassis.shapes import Command
from shared.events.leads import (
    AssignmentRule,
    DemandLevel,
    DuplicateRule,
    GradeThreshold,
    PoolMember,
    ScoringRule,
)
from shared.events.values import (
    AccountId,
    Address,
    Attachment,
    Attitude,
    CampaignId,
    ContactId,
    EmployeeId,
    FollowUpId,
    Label,
    LeadId,
    NonNegativeMoney,
    OpportunityId,
    PoolId,
    Probability,
    ProcessId,
    ProductId,
    Slug,
    UnitId,
)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
PhoneText = Annotated[str, StringConstraints(min_length=1, max_length=40)]
EmailText = Annotated[str, StringConstraints(min_length=3, max_length=320)]
PlatformId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Minutes = Annotated[int, Field(ge=0, le=100_000)]
Days = Annotated[int, Field(ge=1, le=3650)]
Hours = Annotated[int, Field(ge=1, le=87_600)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
MANY = 500


class Profile(Command):
    """What is known of a person and their need."""

    name: Name | None = None
    company: Name | None = None
    title: Name | None = None
    phones: tuple[PhoneText, ...] = Field((), max_length=20)
    phone_country: Country | None = None
    """Country in which numbers without a country code are read; else that of the address."""
    emails: tuple[EmailText, ...] = Field((), max_length=20)
    platform_ids: dict[str, PlatformId] = Field(default_factory=dict, max_length=20)
    """Platform to the person's id there, e.g. `wechat`."""
    address: Address | None = None
    region: Label | None = None
    industry: Label | None = None
    expected_scale: Name | None = None
    demand_level: DemandLevel | None = None
    budget: NonNegativeMoney | None = None
    win_probability: Probability | None = None
    expected_purchase_on: date | None = None
    need: Text | None = None
    product_ids: tuple[ProductId, ...] = Field((), max_length=100)
    custom: dict[str, Any] = Field(default_factory=dict, max_length=200)
    """Fields the company defined itself."""


class Statement(Profile):
    """A statement of interest with where it came from."""

    lead_id: LeadId | None = None
    channel: Label
    """web_form, landing_page, email, phone, chat, social, ad_platform, event, referral, …"""
    campaign_id: CampaignId | None = None
    landing_page: Line | None = None
    utm: dict[str, Line] = Field(default_factory=dict, max_length=20)
    """Campaign parameters of the link, without the prefix: `source`, `medium`, `term`, …"""
    referrer: Line | None = None
    raw: dict[str, Any] = Field(default_factory=dict, max_length=500)
    """The payload as it came in."""
    unit_id: UnitId | None = None
    owner_id: EmployeeId | None = None
    """Who has it at once; else the assignment rules decide."""
    pool_id: PoolId | None = None
    """The pool it goes to at once; else the assignment rules decide."""
    source: Slug | None = None
    """The system a record was taken from; needs `external_id`."""
    external_id: Name | None = None


class CaptureLead(Statement, http="POST /v1/leads"):
    """Take in a prospect from any channel, unless the duplicate rules recognise it."""


class ImportedConversion(BaseModel):
    """How a historic lead became a customer; left-out ids are chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    account_id: AccountId | None = None
    contact_id: ContactId | None = None
    opportunity_id: OpportunityId | None = None
    opportunity_name: Name | None = None
    with_opportunity: bool = False
    process_id: ProcessId | None = None
    amount: NonNegativeMoney | None = None
    expected_close_on: date | None = None


class ImportLead(Statement):
    """Take in a historic lead with what became of it, as one record."""

    assigned_at: AwareDatetime | None = None
    qualified_at: AwareDatetime | None = None
    disqualified_at: AwareDatetime | None = None
    disqualified_because: Label | None = None
    conversion: ImportedConversion | None = None


class ChangeLead(Profile, http="POST /v1/leads/{lead_id}:change"):
    """Correct or complete a lead's profile; what is left out stays as it is."""

    lead_id: LeadId
    clear: tuple[FieldName, ...] = Field((), max_length=20)
    """Profile fields to empty."""


class ClaimLead(Command, http="POST /v1/leads/{lead_id}:claim"):
    """Take a lead from its pool as one's own."""

    lead_id: LeadId


class ClaimManyLeads(Command, http="POST /v1/leads:claim-many"):
    """Take several leads; the outcome says for each `done`, `skipped` or `refused` and why."""

    lead_ids: tuple[LeadId, ...] = Field(min_length=1, max_length=MANY)


class ReleaseLead(Command, http="POST /v1/leads/{lead_id}:release"):
    """Give a lead back to a pool."""

    lead_id: LeadId
    reason: Label
    note: Text | None = None
    pool_id: PoolId | None = None
    """The pool it came from when left out."""


class ReleaseManyLeads(Command, http="POST /v1/leads:release-many"):
    """Give several leads back; the outcome says for each `done`, `skipped` or `refused` and why."""

    lead_ids: tuple[LeadId, ...] = Field(min_length=1, max_length=MANY)
    reason: Label
    note: Text | None = None


class AssignLead(Command, http="POST /v1/leads/{lead_id}:assign"):
    """Give a lead to an employee."""

    lead_id: LeadId
    owner_id: EmployeeId
    unit_id: UnitId | None = None
    note: Text | None = None


class AssignNext(Command):
    """Give a new lead to whose turn it is, or put it into a pool, as the assignment rules say."""

    lead_id: LeadId


class MoveLeadToPool(Command, http="POST /v1/leads/{lead_id}:move-to-pool"):
    """Put a lead into a pool, whoever has it."""

    lead_id: LeadId
    pool_id: PoolId


class QualifyLead(Command, http="POST /v1/leads/{lead_id}:qualify"):
    """Accept a lead as worth an opportunity."""

    lead_id: LeadId
    note: Text | None = None


class NurtureLead(Command, http="POST /v1/leads/{lead_id}:nurture"):
    """Put an early lead aside to be warmed up."""

    lead_id: LeadId
    until: date | None = None
    reason: Label | None = None
    note: Text | None = None


class DisqualifyLead(Command, http="POST /v1/leads/{lead_id}:disqualify"):
    """Give a lead up."""

    lead_id: LeadId
    reason: Label
    note: Text | None = None


class ReopenLead(Command, http="POST /v1/leads/{lead_id}:reopen"):
    """Take up a nurtured or disqualified lead again, with its last owner or in a pool."""

    lead_id: LeadId
    reason: Label
    note: Text | None = None
    pool_id: PoolId | None = None


class WantedOpportunity(BaseModel):
    """The opportunity a conversion opens."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    opportunity_id: OpportunityId | None = None
    name: Name | None = None
    process_id: ProcessId | None = None
    amount: NonNegativeMoney | None = None
    expected_close_on: date | None = None
    product_ids: tuple[ProductId, ...] = Field((), max_length=100)


class ConvertLead(Command, http="POST /v1/leads/{lead_id}:convert"):
    """Make a lead a customer: an account, a contact and, if wanted, an opportunity."""

    lead_id: LeadId
    existing_account_id: AccountId | None = None
    """Attach to this account instead of opening one."""
    existing_contact_id: ContactId | None = None
    """Attach to this contact of that account instead of adding one."""
    account_id: AccountId | None = None
    """The id to open the account under."""
    contact_id: ContactId | None = None
    """The id to add the contact under."""
    is_person: bool | None = None
    """The account is the person; when left out, so it is if no company is known."""
    opportunity: WantedOpportunity | None = None
    owner_id: EmployeeId | None = None
    """Who takes the customer on, when nobody has the lead yet."""


class RevertConversion(Command, http="POST /v1/leads/{lead_id}:revert-conversion"):
    """Take a conversion back, with exactly what it opened, while no money has moved."""

    lead_id: LeadId
    reason: Label


class LockLead(Command, http="POST /v1/leads/{lead_id}:lock"):
    """Exempt a lead from recycling."""

    lead_id: LeadId
    reason: Label


class UnlockLead(Command, http="POST /v1/leads/{lead_id}:unlock"):
    """Lift a lead's exemption from recycling."""

    lead_id: LeadId


class NextStep(BaseModel):
    """What is to be done next, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    follow_up_id: FollowUpId | None = None
    due_at: AwareDatetime
    method: Label | None = None
    next_step: Text | None = None
    employee_id: EmployeeId | None = None
    """Who is to do it; the caller when left out."""


class RecordFollowUp(Command, http="POST /v1/leads/{lead_id}/follow-ups"):
    """Note what came of being in touch with a lead, and plan the next step if there is one."""

    lead_id: LeadId
    follow_up_id: FollowUpId | None = None
    plan_id: FollowUpId | None = None
    """The planned follow-up that this one fulfils."""
    method: Label
    """call, visit, meeting, message, mail, …"""
    content: Text | None = None
    outcome: Label | None = None
    attitude: Attitude | None = None
    duration_minutes: Minutes | None = None
    cost: NonNegativeMoney | None = None
    attachments: tuple[Attachment, ...] = Field((), max_length=50)
    next: NextStep | None = None


class PlanFollowUp(Command, http="POST /v1/leads/{lead_id}/planned-follow-ups"):
    """Plan the next step with a lead."""

    lead_id: LeadId
    follow_up_id: FollowUpId | None = None
    due_at: AwareDatetime
    method: Label | None = None
    next_step: Text | None = None
    employee_id: EmployeeId | None = None
    """Who is to do it; the caller when left out."""


class CancelFollowUp(
    Command, http="POST /v1/leads/{lead_id}/planned-follow-ups/{follow_up_id}:cancel"
):
    """Drop a planned step."""

    lead_id: LeadId
    follow_up_id: FollowUpId
    reason: Label


class ScoreLead(Command):
    """Score a lead by the rules in force."""

    lead_id: LeadId


class WarnOfRecycling(Command):
    """Warn the owner that an idle lead will go back to its pool."""

    lead_id: LeadId
    idle_since: AwareDatetime


class RecycleLead(Command):
    """Put a lead back into its pool if nobody has followed it up since."""

    lead_id: LeadId
    idle_since: AwareDatetime


class OpenPool(Command, http="POST /v1/pools"):
    """Open a pool for leads that have no owner."""

    pool_id: PoolId | None = None
    name: Name
    unit_id: UnitId | None = None
    members: tuple[PoolMember, ...] = Field((), max_length=1000)
    """Who may claim; everybody when empty."""
    admin_ids: tuple[EmployeeId, ...] = Field((), max_length=100)
    hidden_fields: tuple[FieldName, ...] = Field((), max_length=30)
    """Lead fields that stay hidden until the lead is claimed."""


class ChangePool(Command, http="POST /v1/pools/{pool_id}:change"):
    """Rename a pool or say anew which fields it hides; what is left out stays as it is."""

    pool_id: PoolId
    name: Name | None = None
    unit_id: UnitId | None = None
    hidden_fields: tuple[FieldName, ...] | None = Field(None, max_length=30)


class ChangePoolMembers(Command, http="POST /v1/pools/{pool_id}:members"):
    """Say who may claim from a pool and who administers it."""

    pool_id: PoolId
    members: tuple[PoolMember, ...] = Field((), max_length=1000)
    admin_ids: tuple[EmployeeId, ...] = Field((), max_length=100)


class ConfigurePoolRules(Command, http="POST /v1/pools/{pool_id}:rules"):
    """Set a pool's limits and its rule for recycling; what is left out does not apply."""

    pool_id: PoolId
    claims_per_day: Count | None = None
    holding_capacity: Count | None = None
    cool_down_hours: Hours | None = None
    protection_hours: Hours | None = None
    recycle_after_days: Days | None = None
    warn_before_days: Days | None = None
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"


class ConfigureDuplicateRules(Command, http="POST /v1/lead-rules/duplicates"):
    """Say what counts as a duplicate and what happens then; rules are tried in order."""

    rules: tuple[DuplicateRule, ...] = Field(max_length=20)


class ConfigureScoringRules(Command, http="POST /v1/lead-rules/scoring"):
    """Say what makes a lead promising."""

    rules: tuple[ScoringRule, ...] = Field(max_length=100)
    grades: tuple[GradeThreshold, ...] = Field(min_length=1, max_length=10)
    """Best grade first; the last one starts at 0."""


class ConfigureAssignmentRules(Command, http="POST /v1/lead-rules/assignment"):
    """Say who gets new leads; the first rule that fits decides."""

    rules: tuple[AssignmentRule, ...] = Field(max_length=100)
