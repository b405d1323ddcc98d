"""From a yes to a contract."""

from typing import Any

from services.billing.commands import DraftContractFromQuote
from shared.chassis.shapes import Reaction, derived, whenever
from shared.events.base import Recorded
from shared.events.pipeline import QuoteAccepted

__all__ = ["draft_contract"]


@whenever(QuoteAccepted)
def draft_contract(recorded: Recorded[Any]) -> list[Reaction]:
    """Whenever a customer accepts a quote, draft the contract it offers."""
    quote: QuoteAccepted = recorded.event
    if quote.account_id is None:
        return []
    return [
        DraftContractFromQuote(
            contract_id=derived(recorded, "contract"),
            quote_id=recorded.stream_id,
            quote_number=quote.number,
            account_id=quote.account_id,
            opportunity_id=quote.opportunity_id,
            lead_id=quote.lead_id,
            owner_id=quote.owner_id,
            unit_id=quote.unit_id,
            contact_id=quote.contact_id,
            lines=quote.lines,
            net=quote.net,
            tax=quote.tax,
            total=quote.total,
            terms=quote.terms,
        )
    ]
