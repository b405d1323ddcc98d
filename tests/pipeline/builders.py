"""Facts and wishes as they usually are, for the tests of pipeline."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.pipeline.commands import DraftQuote, QuoteLine
from shared.chassis.testing import NOON
from shared.events.leads import ConversionReverted, LeadConverted
from shared.events.pipeline import (
    ForecastCategory,
    OpportunityLost,
    OpportunityOpened,
    OpportunityWon,
    Price,
    PriceBookDefined,
    ProductDefined,
    QuoteDrafted,
    QuoteSent,
    StageMoved,
)
from shared.events.values import LineItem, Money

ACCOUNT = "account-1"
LEAD = "lead-1"
DEAL = "deal-1"
QUOTE = "quote-1"
PRODUCT = "product-1"
BOOK = "standard-prices"
TO_QUALIFY = timedelta(days=21)
"""When a deal stalls in the built-in process's first stage."""


def opportunity_opened(*, at: datetime = NOON, **fields: Any) -> OpportunityOpened:
    usual = {
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "name": "五十台打印机",
        "process_id": "standard",
        "process_version": 0,
        "stage": "qualification",
        "entered_at": at,
        "stalls_at": at + TO_QUALIFY,
        "probability": 10,
        "forecast": ForecastCategory.PIPELINE,
    }
    return OpportunityOpened(**{**usual, **fields})


def stage_moved(**fields: Any) -> StageMoved:
    usual = {
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "from_stage": "qualification",
        "to_stage": "needs",
        "days_in_stage": Decimal("0.0000"),
        "entered_at": NOON,
        "stalls_at": NOON + TO_QUALIFY,
        "process_id": "standard",
        "process_version": 0,
        "probability": 30,
        "forecast": ForecastCategory.PIPELINE,
    }
    return StageMoved(**{**usual, **fields})


def opportunity_won(**fields: Any) -> OpportunityWon:
    usual = {
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "from_stage": "qualification",
        "days_in_stage": Decimal("0.0000"),
        "days_open": Decimal("0.0000"),
    }
    return OpportunityWon(**{**usual, **fields})


def opportunity_lost(**fields: Any) -> OpportunityLost:
    usual = {
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "reason": "price",
        "from_stage": "qualification",
        "days_in_stage": Decimal("0.0000"),
        "days_open": Decimal("0.0000"),
    }
    return OpportunityLost(**{**usual, **fields})


def product_defined(**fields: Any) -> ProductDefined:
    return ProductDefined(**{"name": "打印机", "tax_percent": Decimal(13), **fields})


def price_book_defined(**fields: Any) -> PriceBookDefined:
    usual = {
        "book_version": 1,
        "name": "Standard",
        "currency": "CNY",
        "prices": (Price(product_id=PRODUCT, unit_price=Decimal("999.90")),),
    }
    return PriceBookDefined(**{**usual, **fields})


def line_item(**fields: Any) -> LineItem:
    usual = {
        "description": "Installation",
        "quantity": Decimal(1),
        "unit_price": Decimal(100),
        "net": Decimal("100.00"),
        "tax": Decimal("0.00"),
        "total": Decimal("100.00"),
    }
    return LineItem(**{**usual, **fields})


def quote_drafted(**fields: Any) -> QuoteDrafted:
    usual = {
        "opportunity_id": DEAL,
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "revision": 1,
        "lines": (line_item(),),
        "net": Money.of("100.00", "CNY"),
        "tax": Money.of("0.00", "CNY"),
        "total": Money.of("100.00", "CNY"),
        "number": "Q-1",
    }
    return QuoteDrafted(**{**usual, **fields})


def quote_sent(**fields: Any) -> QuoteSent:
    usual = {
        "opportunity_id": DEAL,
        "account_id": ACCOUNT,
        "owner_id": "lin",
        "revision": 1,
        "total": Money.of("100.00", "CNY"),
    }
    return QuoteSent(**{**usual, **fields})


def installation(**fields: Any) -> QuoteLine:
    return QuoteLine(**{"description": "Installation", "unit_price": Decimal(100), **fields})


def draft_quote(**fields: Any) -> DraftQuote:
    usual = {
        "opportunity_id": DEAL,
        "quote_id": QUOTE,
        "number": "Q-1",
        "currency": "CNY",
        "lines": (installation(),),
    }
    return DraftQuote(**{**usual, **fields})


def lead_converted(**fields: Any) -> LeadConverted:
    usual = {
        "account_id": ACCOUNT,
        "opens_account": True,
        "contact_id": "contact-1",
        "opportunity_id": DEAL,
        "owner_id": "lin",
        "account_name": "王府井百货",
        "opportunity_name": "五十台打印机",
        "channel": "web form",
        "amount": Money.of(50_000, "CNY"),
    }
    return LeadConverted(**{**usual, **fields})


def conversion_reverted(**fields: Any) -> ConversionReverted:
    usual = {
        "account_id": ACCOUNT,
        "withdraws_account": True,
        "opportunity_id": DEAL,
        "reason": "wrong company",
    }
    return ConversionReverted(**{**usual, **fields})
