"""What people and policies may ask of processes, products, opportunities and quotes."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from shared.chassis.shapes import Command
from shared.events.pipeline import DealRole, ForecastCategory
from shared.events.values import (
    AccountId,
    CampaignId,
    ContactId,
    Currency,
    EmployeeId,
    Label,
    LeadId,
    Money,
    NonNegativeMoney,
    OpportunityId,
    Percent,
    PriceBookId,
    Probability,
    ProcessId,
    ProductId,
    QuoteId,
    Slug,
    UnitId,
    Value,
)

__all__ = [
    "AcceptQuote",
    "AssignOpportunityOwner",
    "ChangeOpportunity",
    "ChangeProduct",
    "DefinePriceBook",
    "DefineProduct",
    "DefineSalesProcess",
    "DraftQuote",
    "ExpireQuote",
    "ImportOpportunity",
    "LoseOpportunity",
    "MoveOpportunity",
    "NoteStall",
    "OpenConvertedOpportunity",
    "OpenOpportunity",
    "Outcome",
    "PriceWish",
    "QuoteLine",
    "RejectQuote",
    "ReopenOpportunity",
    "RetireProduct",
    "ReviseQuote",
    "SendQuote",
    "StageWish",
    "WinOpportunity",
    "WithdrawOpportunity",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Quantity = Annotated[Decimal, Field(gt=0, lt=1_000_000, decimal_places=4, allow_inf_nan=False)]
UnitPrice = Annotated[Decimal, Field(ge=0, lt=1_000_000_000, decimal_places=4, allow_inf_nan=False)]
Some = Field(max_length=20)


class StageWish(Value):
    """One step of a sales process as it is laid down."""

    stage: Slug
    name: Name
    probability: Probability
    forecast: ForecastCategory = ForecastCategory.PIPELINE
    expected_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """A deal stalls at one and a half times this."""
    required_fields: Annotated[tuple[FieldName, ...], Some] = ()
    """Opportunity fields that must be filled on entry."""
    checklist: Annotated[tuple[Line, ...], Some] = ()
    """What must be confirmed on entry."""
    moves_to: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()
    """Stages a deal may go to from here; the one before and the one after when left out."""


class DefineSalesProcess(Command, http="POST /v1/sales-processes"):
    """Lay down the stages a deal goes through, as a new process or a new version of one."""

    process_id: ProcessId | None = None
    """An existing one to define its next version; `standard` is used by default."""
    name: Name
    stages: Annotated[tuple[StageWish, ...], Field(min_length=1, max_length=50)]
    unit_ids: Annotated[tuple[UnitId, ...], Field(max_length=100)] = ()
    """Teams that use it; everybody when left out."""
    product_ids: Annotated[tuple[ProductId, ...], Field(max_length=100)] = ()
    """Products it is for; all when left out."""


class ProductDescription(Command):
    """What can be said of a product."""

    sku: Name | None = None
    """The company's own number; given once."""
    category: Annotated[tuple[Label, ...], Some] | None = None
    """Path in the category tree, from the root."""
    unit: Label | None = None
    """Piece when left out."""
    specification: Text | None = None
    tax_percent: Percent | None = None


class DefineProduct(ProductDescription, http="POST /v1/products"):
    """Put a product on offer."""

    product_id: ProductId | None = None
    """Chosen by the caller; a fresh one when left out."""
    name: Name
    source: Label | None = None
    """The system a historic record is imported from."""
    external_id: Name | None = None
    """Its id there; entered once per source."""


class ChangeProduct(ProductDescription, http="POST /v1/products/{product_id}:change"):
    """Describe a product anew, or put a retired one on offer again: what is left out stays."""

    product_id: ProductId
    name: Name | None = None


class RetireProduct(Command, http="POST /v1/products/{product_id}:retire"):
    """Take a product off the offer."""

    product_id: ProductId
    reason: Label | None = None


class PriceWish(Value):
    """What one unit of a product shall cost, before tax, in the book's currency."""

    product_id: ProductId
    unit_price: UnitPrice


class DefinePriceBook(Command, http="POST /v1/price-books"):
    """Put a list of prices in force, as a new book or a new version of one."""

    price_book_id: PriceBookId | None = None
    """An existing one to define its next version; `standard-prices` is used by default."""
    name: Name
    currency: Currency
    prices: Annotated[tuple[PriceWish, ...], Field(max_length=5000)]
    segment: Label | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class OpportunityDescription(Command):
    """What can be said of a deal."""

    account_id: AccountId | None = None
    """The customer, once known."""
    amount: NonNegativeMoney | None = None
    product_ids: Annotated[tuple[ProductId, ...], Field(max_length=100)] | None = None
    expected_close_on: date | None = None
    contacts: Annotated[tuple[DealRole, ...], Some] | None = None
    team_ids: Annotated[tuple[EmployeeId, ...], Some] | None = None
    next_step: Line | None = None


class OpenOpportunity(OpportunityDescription, http="POST /v1/opportunities"):
    """Enter a need the company may win; the deal starts in its process."""

    opportunity_id: OpportunityId | None = None
    """Chosen by the caller; a fresh one when left out."""
    name: Name
    process_id: ProcessId | None = None
    """`standard` when left out."""
    owner_id: EmployeeId | None = None
    """Who pursues it; the caller when left out."""
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: Label | None = None
    """The system a historic record is imported from."""
    external_id: Name | None = None
    """Its id there; entered once per source."""


class OpenConvertedOpportunity(Command):
    """Enter the deal that the conversion of a lead opens."""

    opportunity_id: OpportunityId
    lead_id: LeadId
    account_id: AccountId
    contact_id: ContactId | None = None
    name: str | None = None
    process_id: ProcessId | None = None
    amount: Money | None = None
    product_ids: tuple[ProductId, ...] = ()
    expected_close_on: date | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: str | None = None
    external_id: str | None = None


class Outcome(StrEnum):
    """How a deal ended, if it did."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class ImportOpportunity(OpportunityDescription):
    """Enter a historic deal with its whole life."""

    opportunity_id: OpportunityId | None = None
    name: Name
    lead_id: LeadId | None = None
    process_id: ProcessId | None = None
    stage: Slug | None = None
    """Where it stands, or stood last; the first stage, or the last of a won deal, when left out."""
    outcome: Outcome = Outcome.OPEN
    opened_at: AwareDatetime | None = None
    """The moment of the command when it is not known."""
    closed_at: AwareDatetime | None = None
    """The moment of the command when it is not known."""
    loss_reason: Label | None = None
    """Needed when the deal was lost."""
    competitor: Label | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: Label
    external_id: Name


class ChangeOpportunity(
    OpportunityDescription, http="POST /v1/opportunities/{opportunity_id}:change"
):
    """Correct or complete what is known of a deal: what is left out stays as it is."""

    opportunity_id: OpportunityId
    name: Name | None = None
    clear: Annotated[tuple[FieldName, ...], Some] = ()
    """Names of the fields to empty."""


class AssignOpportunityOwner(Command, http="POST /v1/opportunities/{opportunity_id}:assign-owner"):
    """Let somebody else pursue a deal."""

    opportunity_id: OpportunityId
    owner_id: EmployeeId
    unit_id: UnitId | None = None
    reason: Label | None = None


class MoveOpportunity(Command, http="POST /v1/opportunities/{opportunity_id}:move"):
    """Move a deal to another stage of its process."""

    opportunity_id: OpportunityId
    to_stage: Slug
    confirmed: Annotated[tuple[Line, ...], Some] = ()
    """Points of the new stage's checklist that are met."""


class NoteStall(Command):
    """Note that a deal has stood in its stage for too long, unless it has moved on."""

    opportunity_id: OpportunityId
    stage: Slug
    entered_at: AwareDatetime


class WinOpportunity(Command, http="POST /v1/opportunities/{opportunity_id}:win"):
    """Note that the customer said yes."""

    opportunity_id: OpportunityId
    amount: NonNegativeMoney | None = None
    """What the accepted quote, or the deal, says when left out."""
    competitor: Label | None = None
    review: Text | None = None


class LoseOpportunity(Command, http="POST /v1/opportunities/{opportunity_id}:lose"):
    """Note that the customer said no, or that the company gives up, and why."""

    opportunity_id: OpportunityId
    reason: Label
    competitor: Label | None = None
    review: Text | None = None


class ReopenOpportunity(Command, http="POST /v1/opportunities/{opportunity_id}:reopen"):
    """Take up a won or lost deal again: its accepted quote lapses, its history keeps standing."""

    opportunity_id: OpportunityId
    reason: Label
    to_stage: Slug | None = None
    """Where a move may lead from the stage it left; that stage itself when left out."""
    confirmed: Annotated[tuple[Line, ...], Some] = ()
    """Points of the new stage's checklist that are met."""
    note: Text | None = None


class WithdrawOpportunity(Command):
    """Take from the books the deal that a reverted conversion had opened."""

    opportunity_id: OpportunityId
    lead_id: LeadId
    reason: Label


class QuoteLine(Value):
    """One line as it is offered: of a product, or freely described."""

    product_id: ProductId | None = None
    description: Line | None = None
    """The product's name when left out."""
    quantity: Quantity = Decimal(1)
    unit: Label | None = None
    unit_price: UnitPrice | None = None
    """Before tax; what the price book says when left out."""
    discount_percent: Percent = Decimal(0)
    tax_percent: Percent | None = None
    """What the product bears when left out."""


class QuoteContent(Command):
    """What is offered, in which currency and how long."""

    lines: Annotated[tuple[QuoteLine, ...], Field(min_length=1, max_length=200)]
    currency: Currency | None = None
    """The price book's when left out."""
    price_book_id: PriceBookId | None = None
    """`standard-prices` when left out."""
    valid_until: date | None = None
    """The last day on which it can be accepted."""
    terms: Text | None = None


class DraftQuote(QuoteContent, http="POST /v1/opportunities/{opportunity_id}/quotes"):
    """Draw up an offer."""

    opportunity_id: OpportunityId
    quote_id: QuoteId | None = None
    """Chosen by the caller; a fresh one when left out."""
    number: Name | None = None
    """Given once; made from the day when left out."""


class ReviseQuote(QuoteContent, http="POST /v1/quotes/{quote_id}:revise"):
    """Change an offer into a new version, which must be sent again."""

    quote_id: QuoteId


class SendQuote(Command, http="POST /v1/quotes/{quote_id}:send"):
    """Note that the offer went to the customer."""

    quote_id: QuoteId
    contact_id: ContactId | None = None


class AcceptQuote(Command, http="POST /v1/quotes/{quote_id}:accept"):
    """Note that the customer accepted the offer; the deal's other open offers lapse."""

    quote_id: QuoteId
    contact_id: ContactId | None = None
    """Who accepted."""


class RejectQuote(Command, http="POST /v1/quotes/{quote_id}:reject"):
    """Note that the customer turned the offer down, and why."""

    quote_id: QuoteId
    reason: Label
    note: Text | None = None


class ExpireQuote(Command):
    """Let an offer lapse whose validity ran out without an answer."""

    quote_id: QuoteId
    revision: Annotated[int, Field(ge=1)]
