"""Offers lapse when their validity runs out."""

from datetime import UTC, datetime, time, timedelta

from services.pipeline.commands import ExpireQuote
from shared.chassis.shapes import Cancel, Later, Reaction, whenever
from shared.events.base import Recorded
from shared.events.pipeline import (
    QuoteAccepted,
    QuoteRejected,
    QuoteRevised,
    QuoteSent,
    QuoteSuperseded,
)

__all__ = ["expire_quote"]


@whenever(QuoteSent, QuoteAccepted, QuoteRejected, QuoteRevised, QuoteSuperseded)
def expire_quote(
    recorded: Recorded[QuoteSent | QuoteAccepted | QuoteRejected | QuoteRevised | QuoteSuperseded],
) -> list[Reaction]:
    """Whenever a quote with a last day is sent, let it expire unless it is answered by then."""
    quote_id = recorded.stream_id
    match recorded.event:
        case QuoteSent(valid_until=last_day, revision=revision) if last_day is not None:
            after = datetime.combine(last_day + timedelta(days=1), time(), UTC)
            return [Later(after, ExpireQuote(quote_id=quote_id, revision=revision), quote_id)]
    return [Cancel(quote_id)]
