"""Facts about keeping the promise: tickets, the clocks they run against, customers' ratings."""

from datetime import date, time
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from shared.events.base import Event, Personal
from shared.events.values import (
    AccountId,
    AssignmentMethod,
    Attachment,
    CalendarId,
    ContactId,
    ContractId,
    EmployeeId,
    EntitlementId,
    Label,
    ProductId,
    SlaPolicyId,
    TicketId,
    UnitId,
    Value,
)

__all__ = [
    "Author",
    "CalendarDefined",
    "ClosedBy",
    "EntitlementEnded",
    "EntitlementFact",
    "EntitlementGranted",
    "Priority",
    "RatingGiven",
    "SlaBreached",
    "SlaClock",
    "SlaClockFact",
    "SlaDueSet",
    "SlaMet",
    "SlaPolicyDefined",
    "SlaRebased",
    "SlaRiskRaised",
    "SlaTarget",
    "SurveyExpired",
    "SurveyFact",
    "SurveyKind",
    "SurveySent",
    "TicketAssigned",
    "TicketChanged",
    "TicketClassFact",
    "TicketClosed",
    "TicketFact",
    "TicketKind",
    "TicketMerged",
    "TicketOpened",
    "TicketPended",
    "TicketReopened",
    "TicketReplied",
    "TicketResolved",
    "TicketResumed",
    "TicketSplit",
    "TicketStatus",
    "TicketUnmerged",
    "WatcherAdded",
    "WatcherRemoved",
    "WorkingHours",
]


class TicketKind(StrEnum):
    """What the customer comes with."""

    QUESTION = "question"
    COMPLAINT = "complaint"
    SERVICE_REQUEST = "service_request"
    FAULT = "fault"


class Priority(StrEnum):
    """How urgent a ticket is."""

    CRITICAL = "critical"
    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"


class Author(StrEnum):
    """Which side wrote."""

    CUSTOMER = "customer"
    AGENT = "agent"


class ClosedBy(StrEnum):
    """Who considered the ticket done."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


class TicketStatus(StrEnum):
    """How far a ticket has come."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"


class TicketFact(Event):
    """A fact about one ticket."""

    stream_kind: ClassVar[str] = "ticket"

    account_id: AccountId | None = None
    """The customer, once known."""
    contract_id: ContractId | None = None
    contact_id: ContactId | None = None


class TicketClassFact(TicketFact):
    """A fact that says what the ticket is about, as it stands afterwards."""

    kind: TicketKind
    priority: Priority
    category: Label | None = None
    subcategory: Label | None = None
    product_id: ProductId | None = None
    subject: Personal[str] = None
    parent_id: TicketId | None = None


class TicketOpened(TicketClassFact, topic="support.TicketOpened.v1", subject="account_id"):
    """A customer asked for help."""

    number: str
    channel: Label
    description: Personal[str] = None
    requester: Personal[str] = None
    """Who asked, when they are no known contact."""
    unit_id: UnitId | None = None
    region: Label | None = None
    entitlement_id: EntitlementId | None = None
    sla_policy_id: SlaPolicyId | None = None
    sla_version: int | None = None
    """The policy's version that holds for this ticket."""
    calendar_id: CalendarId | None = None
    calendar_version: int | None = None
    split_from_id: TicketId | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class TicketChanged(TicketClassFact, topic="support.TicketChanged.v1", subject="account_id"):
    """The ticket was classified anew, or its customer, contract or parent became known."""

    changed: tuple[str, ...]
    """Names of the fields that differ from before."""


class TicketAssigned(TicketFact, topic="support.TicketAssigned.v1"):
    """The ticket was given to a handler or a team."""

    employee_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    previous_employee_id: EmployeeId | None = None
    method: AssignmentMethod = AssignmentMethod.MANUAL


class SlaRebased(TicketFact, topic="support.SlaRebased.v1"):
    """The ticket was put under the service that its customer is entitled to by now."""

    entitlement_id: EntitlementId | None = None
    sla_policy_id: SlaPolicyId
    sla_version: int
    """The policy's version that holds for this ticket from now on."""
    calendar_id: CalendarId
    calendar_version: int


class TicketReplied(TicketFact, topic="support.TicketReplied.v1", subject="account_id"):
    """One side wrote on the ticket."""

    author: Author
    employee_id: EmployeeId | None = None
    is_first_response: bool = False
    """The agent's first public answer, which stops the response clock."""
    is_public: bool = True
    """False for a note among colleagues."""
    message: Personal[str] = None
    attachments: Personal[tuple[Attachment, ...]] = None


class TicketPended(TicketFact, topic="support.TicketPended.v1"):
    """The ticket waits for the customer, and its clocks stand still."""

    waiting_since: AwareDatetime
    reason: Label | None = None


class TicketResumed(TicketFact, topic="support.TicketResumed.v1"):
    """The wait for the customer is over, and the clocks run on."""

    paused_minutes: int
    """Working minutes the clocks stood still this time."""


class TicketResolved(TicketFact, topic="support.TicketResolved.v1", subject="account_id"):
    """The handler found the answer or the remedy."""

    employee_id: EmployeeId | None = None
    cause: Label | None = None
    resolution: Personal[str] = None


class TicketClosed(TicketFact, topic="support.TicketClosed.v1"):
    """The ticket is done with."""

    employee_id: EmployeeId | None = None
    """Who handled it last."""
    closed_by: ClosedBy
    reason: Label | None = None
    reopen_until: AwareDatetime | None = None
    """Until when the same matter is taken up on this ticket; later it needs a new one."""


class TicketReopened(TicketFact, topic="support.TicketReopened.v1", subject="account_id"):
    """A resolved or closed ticket was taken up again."""

    reopened: int
    """How often by now."""
    reason: Label
    note: Personal[str] = None


class TicketMerged(TicketFact, topic="support.TicketMerged.v1"):
    """The ticket repeats another one and is carried on there."""

    into_id: TicketId


class TicketUnmerged(TicketFact, topic="support.TicketUnmerged.v1"):
    """A merge was taken back; the ticket stands for itself again."""

    from_id: TicketId
    status: TicketStatus = TicketStatus.OPEN
    """As it was before the merge."""
    waiting_since: AwareDatetime | None = None
    """Since when the customer is waited for, if they are."""


class TicketSplit(TicketFact, topic="support.TicketSplit.v1"):
    """Parts of the ticket are carried on in tickets of their own."""

    into_ids: tuple[TicketId, ...]


class WatcherAdded(TicketFact, topic="support.WatcherAdded.v1"):
    """An employee wants to hear of everything on the ticket."""

    employee_id: EmployeeId


class WatcherRemoved(TicketFact, topic="support.WatcherRemoved.v1"):
    """An employee no longer follows the ticket."""

    employee_id: EmployeeId


class SlaClock(StrEnum):
    """What is measured against the service promised."""

    RESPONSE = "response"
    RESOLUTION = "resolution"


class SlaClockFact(TicketFact):
    """A fact about one of a ticket's clocks."""

    clock: SlaClock
    sla_policy_id: SlaPolicyId | None = None
    sla_version: int | None = None
    employee_id: EmployeeId | None = None
    """Who has the ticket."""


class SlaDueSet(SlaClockFact, topic="support.SlaDueSet.v1"):
    """It was reckoned by when the ticket must be answered or resolved."""

    due_at: AwareDatetime
    warn_at: AwareDatetime | None = None
    """From when on the promise is at risk."""
    target_minutes: int
    """Working minutes promised."""


class SlaRiskRaised(SlaClockFact, topic="support.SlaRiskRaised.v1"):
    """The time promised is nearly used up."""

    due_at: AwareDatetime


class SlaBreached(SlaClockFact, topic="support.SlaBreached.v1"):
    """The time promised ran out."""

    due_at: AwareDatetime | None = None
    """Unknown for some historic tickets."""


class SlaMet(SlaClockFact, topic="support.SlaMet.v1"):
    """The ticket was answered or resolved in the time promised."""

    due_at: AwareDatetime | None = None
    """Unknown for some historic tickets."""
    working_minutes: int | None = None
    """Working minutes it took, pauses left out."""


class WorkingHours(Value):
    """A span of work on one day of the week."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    """ISO 8601: 1 is Monday."""
    opens: time
    closes: time
    """Midnight at the end of the day is 00:00."""


class CalendarDefined(Event, topic="support.CalendarDefined.v1"):
    """The hours and holidays of service were laid down, as a new version of the calendar."""

    stream_kind: ClassVar[str] = "calendar"

    calendar_version: int
    name: str
    time_zone: str
    """IANA name, e.g. `Asia/Shanghai`."""
    hours: tuple[WorkingHours, ...]
    """Empty means around the clock."""
    holidays: tuple[date, ...] = ()


class SlaTarget(Value):
    """Working minutes promised for tickets of one priority."""

    priority: Priority
    response_minutes: int
    resolution_minutes: int


class SlaPolicyDefined(Event, topic="support.SlaPolicyDefined.v1"):
    """A level of service was laid down, as a new version of the policy."""

    stream_kind: ClassVar[str] = "sla_policy"

    sla_version: int
    name: str
    calendar_id: CalendarId
    targets: tuple[SlaTarget, ...]
    at_risk_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Share of the time promised after which it is at risk."""
    reopen_within_days: Annotated[int, Field(ge=0, le=365)] = 14
    """How long after closing a ticket may be reopened."""
    is_default: bool = False
    """Holds for tickets without an entitlement."""


class EntitlementFact(Event):
    """A fact about what service one customer is entitled to; it stands on the customer's stream."""

    stream_kind: ClassVar[str] = "account"

    account_id: AccountId
    contract_id: ContractId | None = None


class EntitlementGranted(EntitlementFact, topic="support.EntitlementGranted.v1"):
    """A contract in force entitles the customer to a level of service."""

    sla_policy_id: SlaPolicyId
    starts_on: date
    ends_on: date | None = None
    time_zone: str = "UTC"
    """IANA zone in which these days begin and end."""


class EntitlementEnded(EntitlementFact, topic="support.EntitlementEnded.v1"):
    """The customer's entitlement ended."""

    on: date
    reason: Label


class SurveyKind(StrEnum):
    """What a survey measures."""

    CSAT = "csat"
    NPS = "nps"


class SurveyFact(Event):
    """A fact about one survey put to one customer."""

    stream_kind: ClassVar[str] = "survey"

    account_id: AccountId | None = None
    ticket_id: TicketId | None = None
    contact_id: ContactId | None = None
    kind: SurveyKind = SurveyKind.CSAT


class SurveySent(SurveyFact, topic="support.SurveySent.v1"):
    """The customer was asked how they liked the service."""

    employee_id: EmployeeId | None = None
    """Who handled the ticket."""
    token_sha256: str | None = None
    """Digest of the one-time link's secret."""
    expires_at: AwareDatetime | None = None


class RatingGiven(SurveyFact, topic="support.RatingGiven.v1", subject="account_id"):
    """The customer said how they liked the service."""

    employee_id: EmployeeId | None = None
    """Who handled the ticket."""
    score: int
    """1 to 5 for CSAT, 0 to 10 for NPS."""
    is_low: bool = False
    """Calls for a follow-up."""
    comment: Personal[str] = None


class SurveyExpired(SurveyFact, topic="support.SurveyExpired.v1"):
    """The customer did not answer in time."""
