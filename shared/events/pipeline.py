"""Facts about selling: processes, products, opportunities and quotes."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime

from shared.events.base import Event, Personal
from shared.events.values import (
    AccountId,
    CampaignId,
    ContactId,
    Currency,
    EmployeeId,
    Figure,
    Label,
    LeadId,
    LineItem,
    Money,
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
    "DealRole",
    "ForecastCategory",
    "OpportunityChanged",
    "OpportunityDescriptionFact",
    "OpportunityFact",
    "OpportunityLost",
    "OpportunityOpened",
    "OpportunityOwnerChanged",
    "OpportunityReopened",
    "OpportunityStalled",
    "OpportunityWithdrawn",
    "OpportunityWon",
    "Price",
    "PriceBookDefined",
    "ProductDefined",
    "ProductRetired",
    "QuoteAccepted",
    "QuoteContentFact",
    "QuoteDrafted",
    "QuoteExpired",
    "QuoteFact",
    "QuoteRejected",
    "QuoteRevised",
    "QuoteSent",
    "QuoteSuperseded",
    "SalesProcessDefined",
    "Stage",
    "StageMoved",
]


class ForecastCategory(StrEnum):
    """How an open deal counts in the forecast."""

    PIPELINE = "pipeline"
    BEST_CASE = "best_case"
    COMMIT = "commit"
    OMITTED = "omitted"


class Stage(Value):
    """One step of a sales process."""

    stage: Slug
    name: str
    probability: Probability
    forecast: ForecastCategory = ForecastCategory.PIPELINE
    expected_days: int | None = None
    """A deal stalls at one and a half times this."""
    required_fields: tuple[str, ...] = ()
    """Opportunity fields that must be filled on entry."""
    checklist: tuple[str, ...] = ()
    """What must be confirmed on entry."""
    moves_to: tuple[Slug, ...] = ()
    """Stages a deal may go to from here, forward or back."""


class SalesProcessDefined(Event, topic="pipeline.SalesProcessDefined.v1"):
    """The company laid down the stages a deal goes through, as a new version of the process."""

    stream_kind: ClassVar[str] = "process"

    process_version: int
    name: str
    stages: tuple[Stage, ...]
    """In order; deals start in the first."""
    unit_ids: tuple[UnitId, ...] = ()
    """Teams that use it; everybody when empty."""
    product_ids: tuple[ProductId, ...] = ()
    """Products it is for; all when empty."""


class ProductDefined(Event, topic="pipeline.ProductDefined.v1"):
    """A product was put on offer or described anew."""

    stream_kind: ClassVar[str] = "product"

    name: str
    sku: str | None = None
    category: tuple[Label, ...] = ()
    """Path in the category tree, from the root."""
    unit: str = "piece"
    specification: str | None = None
    tax_percent: Percent | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class ProductRetired(Event, topic="pipeline.ProductRetired.v1"):
    """A product was taken off the offer."""

    stream_kind: ClassVar[str] = "product"

    reason: Label | None = None


class Price(Value):
    """What one unit of a product costs, before tax, in the book's currency."""

    product_id: ProductId
    unit_price: Figure


class PriceBookDefined(Event, topic="pipeline.PriceBookDefined.v1"):
    """A list of prices was put in force, as a new version of the book."""

    stream_kind: ClassVar[str] = "price_book"

    book_version: int
    name: str
    currency: Currency
    prices: tuple[Price, ...]
    segment: Label | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class DealRole(Value):
    """A contact's part in the deal."""

    contact_id: ContactId
    role: Label


class OpportunityFact(Event):
    """A fact about one opportunity."""

    stream_kind: ClassVar[str] = "opportunity"

    account_id: AccountId | None = None
    """The customer, once known."""
    lead_id: LeadId | None = None
    """The lead it came from."""
    owner_id: EmployeeId | None = None


class OpportunityDescriptionFact(OpportunityFact):
    """A fact that says what the deal is about, as it stands afterwards."""

    name: Personal[str] = None
    amount: Money | None = None
    product_ids: tuple[ProductId, ...] = ()
    expected_close_on: date | None = None
    contacts: tuple[DealRole, ...] = ()
    team_ids: tuple[EmployeeId, ...] = ()
    next_step: Personal[str] = None


class OpportunityOpened(
    OpportunityDescriptionFact, topic="pipeline.OpportunityOpened.v1", subject="account_id"
):
    """A need was found that the company may win; the deal starts in its process."""

    process_id: ProcessId
    process_version: int
    stage: Slug
    entered_at: AwareDatetime
    """When the deal entered the stage."""
    stalls_at: AwareDatetime | None = None
    """When it will have stood there for one and a half times the days expected."""
    probability: Probability
    forecast: ForecastCategory
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    campaign_id: CampaignId | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class OpportunityChanged(
    OpportunityDescriptionFact, topic="pipeline.OpportunityChanged.v1", subject="account_id"
):
    """What is known of the deal was corrected or completed."""

    changed: tuple[str, ...]
    """Names of the fields that differ from before."""


class OpportunityOwnerChanged(OpportunityFact, topic="pipeline.OpportunityOwnerChanged.v1"):
    """Somebody else pursues the deal from now on."""

    unit_id: UnitId | None = None
    previous_owner_id: EmployeeId | None = None
    reason: Label | None = None


class StageMoved(OpportunityFact, topic="pipeline.StageMoved.v1"):
    """The deal went from one stage to another."""

    from_stage: Slug
    to_stage: Slug
    days_in_stage: Figure
    """How long it had stood in the stage it left."""
    entered_at: AwareDatetime
    """When the deal entered the stage."""
    stalls_at: AwareDatetime | None = None
    """When it will have stood there for one and a half times the days expected."""
    process_id: ProcessId
    process_version: int
    probability: Probability
    forecast: ForecastCategory
    amount: Money | None = None
    confirmed: tuple[str, ...] = ()
    """Points of the new stage's checklist confirmed on entry."""


class OpportunityStalled(OpportunityFact, topic="pipeline.OpportunityStalled.v1"):
    """The deal has stood in its stage for one and a half times the days expected."""

    stage: Slug
    entered_at: AwareDatetime
    """When the deal entered the stage."""


class OpportunityWon(OpportunityFact, topic="pipeline.OpportunityWon.v1", subject="account_id"):
    """The customer said yes."""

    amount: Money | None = None
    from_stage: Slug
    days_in_stage: Figure
    days_open: Figure
    quote_id: QuoteId | None = None
    """The accepted quote, when there was one."""
    competitor: Label | None = None
    review: Personal[str] = None


class OpportunityLost(OpportunityFact, topic="pipeline.OpportunityLost.v1", subject="account_id"):
    """The customer said no, or the company gave up."""

    reason: Label
    amount: Money | None = None
    from_stage: Slug
    days_in_stage: Figure
    days_open: Figure
    competitor: Label | None = None
    review: Personal[str] = None


class OpportunityReopened(
    OpportunityFact, topic="pipeline.OpportunityReopened.v1", subject="account_id"
):
    """A settled deal was taken up again."""

    to_stage: Slug
    entered_at: AwareDatetime
    """When the deal entered the stage."""
    stalls_at: AwareDatetime | None = None
    """When it will have stood there for one and a half times the days expected."""
    probability: Probability
    forecast: ForecastCategory
    confirmed: tuple[str, ...] = ()
    """Points of the new stage's checklist confirmed on entry."""
    reason: Label
    note: Personal[str] = None


class OpportunityWithdrawn(OpportunityFact, topic="pipeline.OpportunityWithdrawn.v1"):
    """The deal left the books because the conversion that opened it was taken back."""

    reason: Label


class QuoteFact(Event):
    """A fact about one quote."""

    stream_kind: ClassVar[str] = "quote"

    opportunity_id: OpportunityId
    account_id: AccountId | None = None
    lead_id: LeadId | None = None
    owner_id: EmployeeId | None = None
    revision: int
    """Counts the quote's versions from 1."""


class QuoteContentFact(QuoteFact):
    """A fact that says what is offered, as it stands afterwards."""

    lines: tuple[LineItem, ...]
    net: Money
    tax: Money
    total: Money
    """Net and tax."""
    price_book_id: PriceBookId | None = None
    valid_until: date | None = None
    terms: Personal[str] = None


class QuoteDrafted(QuoteContentFact, topic="pipeline.QuoteDrafted.v1", subject="account_id"):
    """An offer was drawn up."""

    number: str


class QuoteRevised(QuoteContentFact, topic="pipeline.QuoteRevised.v1", subject="account_id"):
    """The offer was changed into a new version, which must be sent again."""

    changed: tuple[str, ...] = ()
    """Names of the fields that differ from before."""


class QuoteSent(QuoteFact, topic="pipeline.QuoteSent.v1"):
    """This version of the offer went to the customer."""

    total: Money
    valid_until: date | None = None
    contact_id: ContactId | None = None


class QuoteAccepted(QuoteContentFact, topic="pipeline.QuoteAccepted.v1", subject="account_id"):
    """The customer accepted this version of the offer."""

    number: str
    unit_id: UnitId | None = None
    contact_id: ContactId | None = None
    """Who accepted."""


class QuoteRejected(QuoteFact, topic="pipeline.QuoteRejected.v1", subject="account_id"):
    """The customer turned the offer down."""

    reason: Label
    note: Personal[str] = None


class QuoteExpired(QuoteFact, topic="pipeline.QuoteExpired.v1"):
    """The offer's validity ran out without an answer."""

    valid_until: date


class QuoteSuperseded(QuoteFact, topic="pipeline.QuoteSuperseded.v1"):
    """The offer lapsed: another quote took its place, or the deal it had settled was reopened."""

    by_quote_id: QuoteId | None = None
    """The quote that took its place, when there was one."""
