"""Facts about leads: captured, pooled, claimed, followed up, and settled one way or the other."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field

from shared.events.base import Event, Personal
from shared.events.values import (
    AccountId,
    Address,
    AssignmentMethod,
    Attachment,
    Attitude,
    CampaignId,
    Condition,
    ContactId,
    CustomFields,
    Email,
    EmployeeId,
    FollowUpId,
    Label,
    LeadId,
    Money,
    OpportunityId,
    Phone,
    PoolId,
    Probability,
    ProcessId,
    ProductId,
    Slug,
    UnitId,
    Value,
)

__all__ = [
    "AssignmentRule",
    "AssignmentRulesConfigured",
    "CarriedFollowUp",
    "ConversionReverted",
    "DemandLevel",
    "DuplicateMatch",
    "DuplicateOutcome",
    "DuplicateRule",
    "DuplicateRulesConfigured",
    "DuplicateScope",
    "FollowUpCancelled",
    "FollowUpPlanned",
    "FollowUpRecorded",
    "GradeThreshold",
    "HoldingEnd",
    "HoldingEnded",
    "HoldingStarted",
    "HoldingWay",
    "LeadAssigned",
    "LeadCaptured",
    "LeadClaimed",
    "LeadConverted",
    "LeadDisqualified",
    "LeadFact",
    "LeadLocked",
    "LeadNurtured",
    "LeadPooled",
    "LeadProfileChanged",
    "LeadProfileFact",
    "LeadQualified",
    "LeadRecycled",
    "LeadReleased",
    "LeadReopened",
    "LeadScored",
    "LeadStatementFact",
    "LeadUnlocked",
    "MatchKind",
    "MemberKind",
    "PoolChanged",
    "PoolEntry",
    "PoolFact",
    "PoolMember",
    "PoolMembersChanged",
    "PoolOpened",
    "PoolRulesConfigured",
    "RecycleScheduled",
    "RecycleWarned",
    "ScorePart",
    "ScoringRule",
    "ScoringRulesConfigured",
    "StatementMerged",
    "TurnTaken",
]


class DemandLevel(StrEnum):
    """How strong the stated need is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PoolEntry(StrEnum):
    """How a lead came into a pool when nobody gave it back."""

    CAPTURED = "captured"
    REOPENED = "reopened"
    MOVED = "moved"


class LeadFact(Event):
    """A fact about one lead."""

    stream_kind: ClassVar[str] = "lead"


class LeadProfileFact(LeadFact):
    """A fact that says everything known of the person and their need, as it stands afterwards."""

    name: Personal[str] = None
    company: str | None = None
    title: Personal[str] = None
    phones: Personal[tuple[Phone, ...]] = None
    emails: Personal[tuple[Email, ...]] = None
    platform_ids: Personal[dict[str, str]] = None
    """Platform to the person's id there, e.g. `wechat`."""
    address: Personal[Address] = None
    region: Label | None = None
    industry: Label | None = None
    expected_scale: str | None = None
    demand_level: DemandLevel | None = None
    budget: Money | None = None
    win_probability: Probability | None = None
    """As estimated by whoever captured the lead."""
    expected_purchase_on: date | None = None
    need: Personal[str] = None
    product_ids: tuple[ProductId, ...] = ()
    custom: Personal[CustomFields] = None


class LeadStatementFact(LeadProfileFact):
    """A fact that somebody stated an interest through a channel."""

    channel: Label
    stated_at: AwareDatetime | None = None
    """When the interest was stated."""
    campaign_id: CampaignId | None = None
    landing_page: str | None = None
    utm: dict[str, str] = Field(default_factory=dict)
    """Campaign parameters of the link, without the prefix: `source`, `medium`, `term`, …"""
    referrer: Personal[str] = None
    raw: Personal[dict[str, Any]] = None
    """The payload as it came in, before anything was read into it."""
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class LeadCaptured(LeadStatementFact, topic="leads.LeadCaptured.v1"):
    """A prospect nobody knew before stated an interest."""

    unit_id: UnitId | None = None
    suspected_lead_ids: tuple[LeadId, ...] = ()
    """Leads that a warning rule found similar."""
    suspected_account_ids: tuple[AccountId, ...] = ()


class StatementMerged(LeadStatementFact, topic="leads.StatementMerged.v1"):
    """A known lead stated an interest again; what it adds was merged into the profile."""

    matched_on: tuple[str, ...]
    """Profile fields by which the duplicate rule recognised the lead."""
    statements: int
    """Statements of interest so far, this one included."""


class LeadProfileChanged(LeadProfileFact, topic="leads.LeadProfileChanged.v1"):
    """Somebody corrected or completed the lead's profile."""

    changed: tuple[str, ...]
    """Names of the profile fields that differ from before."""


class ScorePart(Value):
    """What one scoring rule gave and why."""

    rule: Slug
    points: int
    reason: str


class LeadScored(LeadFact, topic="leads.LeadScored.v1"):
    """The scoring rules gave the lead a score and a grade, with an explanation."""

    score: Annotated[int, Field(ge=0, le=100)]
    grade: Slug
    parts: tuple[ScorePart, ...]
    rules_version: int
    rescore_at: AwareDatetime | None = None
    """When fading behaviour will next change the score."""


class LeadAssigned(LeadFact, topic="leads.LeadAssigned.v1"):
    """The lead was given to an employee."""

    owner_id: EmployeeId
    unit_id: UnitId | None = None
    previous_owner_id: EmployeeId | None = None
    pool_id: PoolId | None = None
    """The pool it left, when it was in one."""
    method: AssignmentMethod
    note: Personal[str] = None
    at: AwareDatetime | None = None
    """When the owner got it."""


class LeadPooled(LeadFact, topic="leads.LeadPooled.v1"):
    """The lead was put into a pool for its members to claim."""

    pool_id: PoolId
    entry: PoolEntry
    previous_pool_id: PoolId | None = None
    previous_owner_id: EmployeeId | None = None
    protected_until: AwareDatetime | None = None
    """Until when nobody may claim or recycle it, for new leads."""


class LeadClaimed(LeadFact, topic="leads.LeadClaimed.v1"):
    """A pool member took the lead as their own."""

    pool_id: PoolId
    owner_id: EmployeeId
    unit_id: UnitId | None = None
    at: AwareDatetime | None = None
    """When the owner got it."""


class LeadReleased(LeadFact, topic="leads.LeadReleased.v1"):
    """The owner gave the lead back to a pool."""

    pool_id: PoolId
    owner_id: EmployeeId
    """Who let it go."""
    reason: Label
    note: Personal[str] = None
    cool_down_until: AwareDatetime | None = None
    """Until when the same person may not claim it again."""


class RecycleScheduled(LeadFact, topic="leads.RecycleScheduled.v1"):
    """It was laid down when the lead goes back to its pool if nobody follows it up until then."""

    pool_id: PoolId
    owner_id: EmployeeId
    idle_since: AwareDatetime
    """The last follow-up, or the assignment when there was none."""
    warn_at: AwareDatetime | None = None
    recycle_at: AwareDatetime
    rules_version: int


class RecycleWarned(LeadFact, topic="leads.RecycleWarned.v1"):
    """The owner was warned that an idle lead will go back to the pool."""

    pool_id: PoolId
    owner_id: EmployeeId
    recycle_at: AwareDatetime
    idle_days: int


class LeadRecycled(LeadFact, topic="leads.LeadRecycled.v1"):
    """A lead nobody followed up in time went back to the pool by rule."""

    pool_id: PoolId
    owner_id: EmployeeId
    """Who lost it."""
    idle_days: int
    idle_since: AwareDatetime
    """The last follow-up, or the assignment when there was none."""
    cool_down_until: AwareDatetime | None = None
    """Until when the same person may not claim it again."""


class LeadLocked(LeadFact, topic="leads.LeadLocked.v1"):
    """The lead was exempted from recycling."""

    reason: Label


class LeadUnlocked(LeadFact, topic="leads.LeadUnlocked.v1"):
    """The exemption from recycling was lifted."""


class FollowUpRecorded(LeadFact, topic="leads.FollowUpRecorded.v1"):
    """Somebody was in touch with the lead and noted what came of it."""

    follow_up_id: FollowUpId
    plan_id: FollowUpId | None = None
    """The planned follow-up that this one fulfils."""
    employee_id: EmployeeId
    owner_id: EmployeeId | None = None
    at: AwareDatetime
    """When they were in touch."""
    method: Label
    content: Personal[str] = None
    outcome: Label | None = None
    attitude: Attitude | None = None
    duration_minutes: int | None = None
    cost: Money | None = None
    attachments: Personal[tuple[Attachment, ...]] = None


class FollowUpPlanned(LeadFact, topic="leads.FollowUpPlanned.v1"):
    """The next step with the lead was planned, or passed on to the lead's new owner."""

    follow_up_id: FollowUpId
    after_id: FollowUpId | None = None
    """The recorded follow-up that led to this step."""
    employee_id: EmployeeId
    method: Label | None = None
    next_step: Personal[str] = None
    due_at: AwareDatetime


class FollowUpCancelled(LeadFact, topic="leads.FollowUpCancelled.v1"):
    """A planned step was dropped."""

    follow_up_id: FollowUpId
    reason: Label


class LeadQualified(LeadFact, topic="leads.LeadQualified.v1"):
    """Sales accepted the lead as worth an opportunity."""

    owner_id: EmployeeId | None = None
    score: int | None = None
    note: Personal[str] = None


class LeadNurtured(LeadFact, topic="leads.LeadNurtured.v1"):
    """The lead is real but early; it was put aside to be warmed up."""

    owner_id: EmployeeId | None = None
    until: date | None = None
    reason: Label | None = None
    note: Personal[str] = None


class LeadDisqualified(LeadFact, topic="leads.LeadDisqualified.v1"):
    """The lead was given up."""

    owner_id: EmployeeId | None = None
    reason: Label
    note: Personal[str] = None


class LeadReopened(LeadFact, topic="leads.LeadReopened.v1"):
    """A nurtured or disqualified lead was taken up again."""

    owner_id: EmployeeId | None = None
    """Who has it now; nobody when it goes to a pool."""
    reason: Label
    note: Personal[str] = None


class CarriedFollowUp(Value):
    """A follow-up as it travels into the account's activities."""

    follow_up_id: FollowUpId
    employee_id: EmployeeId
    method: Label
    at: AwareDatetime
    content: str | None = None
    outcome: Label | None = None
    attitude: Attitude | None = None
    duration_minutes: int | None = None
    cost: Money | None = None


class LeadConverted(LeadFact, topic="leads.LeadConverted.v1"):
    """The lead became a customer: an account and a contact, and an opportunity if wanted.

    The conversion chooses all ids, so that every context opens the same things. What is attached to
    rather than opened existed before and outlives a reverted conversion.
    """

    account_id: AccountId
    opens_account: bool
    contact_id: ContactId | None = None
    opens_contact: bool = False
    opportunity_id: OpportunityId | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    is_person: bool = False
    """The account is the person, not a company."""
    account_name: Personal[str] = None
    contact_name: Personal[str] = None
    title: Personal[str] = None
    phones: Personal[tuple[Phone, ...]] = None
    emails: Personal[tuple[Email, ...]] = None
    platform_ids: Personal[dict[str, str]] = None
    address: Personal[Address] = None
    region: Label | None = None
    industry: Label | None = None
    channel: Label
    campaign_id: CampaignId | None = None
    opportunity_name: Personal[str] = None
    process_id: ProcessId | None = None
    amount: Money | None = None
    expected_close_on: date | None = None
    product_ids: tuple[ProductId, ...] = ()
    need: Personal[str] = None
    follow_ups: Personal[tuple[CarriedFollowUp, ...]] = None
    source: str | None = None
    external_id: str | None = None


class ConversionReverted(LeadFact, topic="leads.ConversionReverted.v1"):
    """A conversion was taken back, and with it exactly what it had opened."""

    account_id: AccountId
    withdraws_account: bool
    contact_id: ContactId | None = None
    withdraws_contact: bool = False
    opportunity_id: OpportunityId | None = None
    owner_id: EmployeeId | None = None
    follow_up_ids: tuple[FollowUpId, ...] = ()
    """Those that had travelled along."""
    reason: Label


class PoolFact(Event):
    """A fact about one pool of leads."""

    stream_kind: ClassVar[str] = "pool"


class MemberKind(StrEnum):
    """What a pool member stands for."""

    EMPLOYEE = "employee"
    UNIT = "unit"
    ROLE = "role"


class PoolMember(Value):
    """An employee, a unit with all its staff, or everyone in a role."""

    kind: MemberKind
    id: str


class PoolOpened(PoolFact, topic="leads.PoolOpened.v1"):
    """A pool was opened for leads that have no owner."""

    name: str
    unit_id: UnitId | None = None
    members: tuple[PoolMember, ...] = ()
    admin_ids: tuple[EmployeeId, ...] = ()
    hidden_fields: tuple[str, ...] = ()
    """Lead fields that stay hidden until the lead is claimed."""


class PoolChanged(PoolFact, topic="leads.PoolChanged.v1"):
    """The pool's name, unit or hidden fields were changed."""

    name: str
    unit_id: UnitId | None = None
    hidden_fields: tuple[str, ...] = ()


class PoolMembersChanged(PoolFact, topic="leads.PoolMembersChanged.v1"):
    """The pool has these members and administrators from now on."""

    members: tuple[PoolMember, ...]
    admin_ids: tuple[EmployeeId, ...] = ()


class PoolRulesConfigured(PoolFact, topic="leads.PoolRulesConfigured.v1"):
    """The pool's limits and its rule for recycling were set; what is left out does not apply."""

    rules_version: int
    claims_per_day: int | None = None
    """Per person and calendar day, counted from claims."""
    holding_capacity: int | None = None
    """Open leads of this pool one person may hold."""
    cool_down_hours: int | None = None
    """How long the previous owner may not claim the lead again."""
    protection_hours: int | None = None
    """How long after entry a new lead is kept from claim and recycling."""
    recycle_after_days: int | None = None
    warn_before_days: int | None = None
    time_zone: str = "UTC"
    """IANA zone in which claims per day are counted."""


class HoldingWay(StrEnum):
    """How an employee came to hold a lead."""

    CLAIMED = "claimed"
    ASSIGNED = "assigned"


class HoldingEnd(StrEnum):
    """Why an employee no longer holds a lead."""

    RELEASED = "released"
    RECYCLED = "recycled"
    REASSIGNED = "reassigned"
    DISQUALIFIED = "disqualified"
    CONVERTED = "converted"


class HoldingStarted(Event, topic="leads.HoldingStarted.v1"):
    """An employee's claim book took in a lead; claims count against the day for good."""

    stream_kind: ClassVar[str] = "claim_book"

    employee_id: EmployeeId
    lead_id: LeadId
    pool_id: PoolId | None = None
    way: HoldingWay
    day: date
    """The calendar day in the pool's time zone."""


class HoldingEnded(Event, topic="leads.HoldingEnded.v1"):
    """An employee's claim book struck out a lead, which frees capacity but refunds no claim."""

    stream_kind: ClassVar[str] = "claim_book"

    employee_id: EmployeeId
    lead_id: LeadId
    pool_id: PoolId | None = None
    end: HoldingEnd


class TurnTaken(Event, topic="leads.TurnTaken.v1"):
    """A rota gave a lead to the employee whose turn it was."""

    stream_kind: ClassVar[str] = "rota"

    turn: int
    """Counts the rota's turns from 1."""
    employee_id: EmployeeId
    lead_id: LeadId
    candidate_ids: tuple[EmployeeId, ...]
    """Who was in the rota at that turn, in order."""


class MatchKind(StrEnum):
    """How two values of a field are compared."""

    EXACT = "exact"
    CASE_FOLDED = "case_folded"
    DIGITS = "digits"


class DuplicateScope(StrEnum):
    """Among which leads a duplicate is looked for."""

    ALL = "all"
    CHANNEL = "channel"
    CAMPAIGN = "campaign"
    UNIT = "unit"


class DuplicateOutcome(StrEnum):
    """What happens to a capture that repeats a known lead."""

    REFUSE = "refuse"
    WARN = "warn"
    MERGE = "merge"


class DuplicateMatch(Value):
    """One field that must agree."""

    field: str
    match: MatchKind = MatchKind.EXACT


class DuplicateRule(Value):
    """All its fields agreeing, within the window and scope, makes a duplicate."""

    rule: Slug
    fields: tuple[DuplicateMatch, ...]
    window_days: int | None = None
    """Only leads captured or renewed this recently; all when left out."""
    scope: DuplicateScope = DuplicateScope.ALL
    outcome: DuplicateOutcome
    against_accounts: bool = True


class DuplicateRulesConfigured(Event, topic="leads.DuplicateRulesConfigured.v1"):
    """The company decided what counts as a duplicate; rules are tried in order."""

    stream_kind: ClassVar[str] = "rules"

    rules_version: int
    rules: tuple[DuplicateRule, ...]


class ScoringRule(Value):
    """Points for a lead that meets all conditions."""

    rule: Slug
    reason: str
    conditions: tuple[Condition, ...]
    points: int
    half_life_days: int | None = None
    """Days after which behaviour counts half; lasting when left out."""


class GradeThreshold(Value):
    """The lowest score that still earns a grade."""

    grade: Slug
    at_least: int


class ScoringRulesConfigured(Event, topic="leads.ScoringRulesConfigured.v1"):
    """The company decided what makes a lead promising."""

    stream_kind: ClassVar[str] = "rules"

    rules_version: int
    rules: tuple[ScoringRule, ...]
    grades: tuple[GradeThreshold, ...]
    """Best grade first."""


class AssignmentRule(Value):
    """Who gets a new lead that meets all conditions: a rota's next, or a pool."""

    rule: Slug
    conditions: tuple[Condition, ...] = ()
    candidate_ids: tuple[EmployeeId, ...] = ()
    """The rota in order; empty when the lead goes to the pool."""
    pool_id: PoolId | None = None


class AssignmentRulesConfigured(Event, topic="leads.AssignmentRulesConfigured.v1"):
    """The company decided who gets new leads; the first rule that fits decides."""

    stream_kind: ClassVar[str] = "rules"

    rules_version: int
    rules: tuple[AssignmentRule, ...]
