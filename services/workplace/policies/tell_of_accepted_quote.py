"""Owners hear that the customer said yes."""

from collections.abc import Sequence

from services.workplace.domain.telling import tell
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.pipeline import QuoteAccepted

__all__ = ["tell_of_accepted_quote"]


@whenever(QuoteAccepted)
def tell_of_accepted_quote(recorded: Recorded[QuoteAccepted]) -> Sequence[Reaction]:
    """Whenever a quote is accepted, tell the owner of the opportunity."""
    quote = recorded.event
    return tell(
        recorded,
        quote.owner_id,
        "quote_accepted",
        f"Quote {quote.number} was accepted",
        about=("opportunity", quote.opportunity_id),
        quote_id=recorded.stream_id,
        number=quote.number,
        total=quote.total,
    )
