"""What can be asked of support."""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from shared.chassis.shapes import Command
from shared.events.support import (
    Author,
    Priority,
    SlaClock,
    SlaTarget,
    TicketKind,
    WorkingHours,
)
from shared.events.values import (
    AccountId,
    Attachment,
    CalendarId,
    ContactId,
    ContractId,
    EmployeeId,
    Label,
    ProductId,
    SlaPolicyId,
    SurveyId,
    TicketId,
    UnitId,
    Value,
)

__all__ = [
    "AssignTicket",
    "BreachSla",
    "ChangeTicket",
    "CloseQuietTicket",
    "CloseTicket",
    "DefineBusinessCalendar",
    "DefineSlaPolicy",
    "EndEntitlement",
    "ExpireSurvey",
    "GrantEntitlement",
    "ImportTicket",
    "MergeTicket",
    "OpenTicket",
    "PendTicket",
    "RaiseSlaRisk",
    "RateTicket",
    "RebaseSla",
    "ReopenTicket",
    "ReplyToTicket",
    "ResolveTicket",
    "ResumeTicket",
    "SplitTicket",
    "TicketCommand",
    "TicketPart",
    "UnmergeTicket",
    "UnwatchTicket",
    "WatchTicket",
]

Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]
"""One line of text."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
"""Text of any length a person would write."""
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class OpenTicket(Command, http="POST /v1/tickets"):
    """Take in a customer's question, complaint, service request or fault."""

    ticket_id: TicketId | None = None
    """Chosen by the caller; given by the system when left out."""
    kind: TicketKind
    channel: Label
    """How the customer came: phone, mail, chat, …"""
    priority: Priority = Priority.MODERATE
    subject: Line
    description: Text | None = None
    category: Label | None = None
    subcategory: Label | None = None
    product_id: ProductId | None = None
    account_id: AccountId | None = None
    contact_id: ContactId | None = None
    contract_id: ContractId | None = None
    requester: Line | None = None
    """Who asks, when they are no known contact."""
    unit_id: UnitId | None = None
    region: Label | None = None
    parent_id: TicketId | None = None
    source: Label | None = None
    """The system the ticket comes from."""
    external_id: Label | None = None
    """Its id there; taken in once per source."""


class TicketCommand(Command):
    """A wish about one ticket."""

    ticket_id: TicketId


class ChangeTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:change"):
    """Classify a ticket anew, or say whose it is; what is left out stays as it is."""

    kind: TicketKind | None = None
    priority: Priority | None = None
    subject: Line | None = None
    category: Label | None = None
    subcategory: Label | None = None
    product_id: ProductId | None = None
    account_id: AccountId | None = None
    contact_id: ContactId | None = None
    contract_id: ContractId | None = None
    parent_id: TicketId | None = None


class RebaseSla(TicketCommand, http="POST /v1/tickets/{ticket_id}:rebase-sla"):
    """Promise what its customer is entitled to today, less the time used so far."""

    ticket_id: TicketId


class AssignTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:assign"):
    """Give a ticket to a handler or a team."""

    employee_id: EmployeeId | None = None
    unit_id: UnitId | None = None


class ReplyToTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:reply"):
    """Write on a ticket: to the customer, as the customer, or a note among colleagues."""

    message: Text
    author: Author = Author.AGENT
    is_public: bool = True
    """False for a note among colleagues, which answers nobody."""
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=20)] = ()


class PendTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:pend"):
    """Wait for the customer; the clocks stand still."""

    reason: Label | None = None


class ResumeTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:resume"):
    """Wait no longer for the customer; the clocks run on."""

    ticket_id: TicketId


class ResolveTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:resolve"):
    """State the answer or the remedy."""

    resolution: Text | None = None
    cause: Label | None = None


class CloseTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:close"):
    """Be done with a resolved ticket; the customer is asked how they liked it."""

    reason: Label | None = None
    by_customer: bool = False
    """The customer said that it is done."""


class CloseQuietTicket(TicketCommand):
    """Close a resolved ticket about which nobody has said anything for some days."""

    ticket_id: TicketId


class ReopenTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:reopen"):
    """Take a resolved or lately closed ticket up again."""

    reason: Label
    note: Text | None = None


class MergeTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:merge"):
    """Carry a ticket on in another one that it repeats."""

    into_id: TicketId


class UnmergeTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:unmerge"):
    """Let a merged ticket stand for itself again."""

    ticket_id: TicketId


class TicketPart(Value):
    """A matter that becomes a ticket of its own; what is left out is as on the ticket it was on."""

    subject: Line
    description: Text | None = None
    kind: TicketKind | None = None
    priority: Priority | None = None
    category: Label | None = None
    subcategory: Label | None = None
    product_id: ProductId | None = None


class SplitTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:split"):
    """Carry on parts of a ticket in tickets of their own, for the same customer."""

    parts: Annotated[tuple[TicketPart, ...], Field(min_length=1, max_length=20)]


class WatchTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:watch"):
    """Follow a ticket."""

    employee_id: EmployeeId | None = None
    """The caller when left out."""


class UnwatchTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}:unwatch"):
    """Stop following a ticket."""

    employee_id: EmployeeId | None = None
    """The caller when left out."""


class RateTicket(TicketCommand, http="POST /v1/tickets/{ticket_id}/rating"):
    """Say, once, how satisfied the customer is with a closed ticket."""

    score: Annotated[int, Field(ge=1, le=5)]
    """CSAT: 1 very dissatisfied to 5 very satisfied."""
    comment: Text | None = None
    survey_id: SurveyId | None = None
    """The one-time survey that is answered; the ticket's latest when left out."""


class RaiseSlaRisk(TicketCommand):
    """Note that the time promised is nearly used up."""

    clock: SlaClock
    due_at: AwareDatetime


class BreachSla(TicketCommand):
    """Note that the time promised ran out."""

    clock: SlaClock
    due_at: AwareDatetime


class ExpireSurvey(Command):
    """Give up waiting for a survey's answer."""

    survey_id: SurveyId


class ImportTicket(Command):
    """Take in the whole life of a ticket that another system kept."""

    ticket_id: TicketId | None = None
    source: Label
    external_id: Label
    number: Label | None = None
    """Its number there, kept as it is; given by the system when left out."""
    kind: TicketKind = TicketKind.FAULT
    channel: Label
    priority: Priority = Priority.MODERATE
    subject: Line | None = None
    description: Text | None = None
    category: Label | None = None
    subcategory: Label | None = None
    account_id: AccountId | None = None
    contact_id: ContactId | None = None
    contract_id: ContractId | None = None
    requester: Line | None = None
    region: Label | None = None
    employee_id: EmployeeId | None = None
    """Who handled it."""
    unit_id: UnitId | None = None
    """The team that handled it."""
    opened_at: AwareDatetime | None = None
    """The moment of the command when left out."""
    assigned_at: AwareDatetime | None = None
    """The opening when left out."""
    resolved_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    reopened: Annotated[int, Field(ge=0, le=1000)] = 0
    """How often it was reopened."""
    sla_met: bool | None = None
    """Whether it was resolved in the time promised, as the source states it."""
    cause: Label | None = None
    resolution: Text | None = None


class DefineBusinessCalendar(Command, http="POST /v1/business-calendars"):
    """Lay down the hours and holidays of service; a known id gets a new version."""

    calendar_id: CalendarId | None = None
    name: Label
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """IANA name, e.g. `Asia/Shanghai`."""
    hours: Annotated[tuple[WorkingHours, ...], Field(max_length=50)] = ()
    """Spans of work by weekday; around the clock when left out."""
    holidays: Annotated[tuple[date, ...], Field(max_length=1000)] = ()
    holiday_country: Country | None = None
    """Adds the country's public holidays of `holiday_years`."""
    holiday_region: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = None
    """ISO 3166-2 subdivision without the country, e.g. `BY`."""
    holiday_years: Annotated[
        tuple[Annotated[int, Field(ge=1970, le=2100)], ...], Field(max_length=30)
    ] = ()


class DefineSlaPolicy(Command, http="POST /v1/sla-policies"):
    """Lay down a level of service; a known id gets a new version, which holds for new tickets."""

    sla_policy_id: SlaPolicyId | None = None
    name: Label
    calendar_id: CalendarId
    targets: Annotated[tuple[SlaTarget, ...], Field(min_length=1, max_length=4)]
    at_risk_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Share of the time promised after which it is at risk."""
    reopen_within_days: Annotated[int, Field(ge=0, le=365)] = 14
    is_default: bool = False
    """Holds for tickets without an entitlement; takes the place of the default before."""


class GrantEntitlement(Command):
    """Entitle a customer to the level of service that a contract in force gives."""

    account_id: AccountId
    contract_id: ContractId
    sla_policy_id: SlaPolicyId | None = None
    """The default policy when the contract names none."""
    starts_on: date
    ends_on: date | None = None
    time_zone: str = "UTC"
    """IANA zone in which these days begin and end."""
    is_amended: bool = False
    """An amendment says it, which contracts that are not yet in force may have as well."""


class EndEntitlement(Command):
    """End what a contract entitled its customer to."""

    account_id: AccountId
    contract_id: ContractId
    on: date
    reason: Label
