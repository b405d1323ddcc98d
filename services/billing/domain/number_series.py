"""Number series: the numbers of invoices and credit notes, without a gap in any year."""

from dataclasses import dataclass

from shared.events.base import Event
from shared.events.billing import DocumentNumbered

__all__ = ["CREDIT_NOTES", "INVOICES", "NumberSeries", "series_id"]

INVOICES = "invoices"
CREDIT_NOTES = "credit-notes"
_PREFIX = {INVOICES: "INV", CREDIT_NOTES: "CN"}


@dataclass(frozen=True, kw_only=True)
class NumberSeries:
    """The numbers given in one year; a number once given is never given again, nor left out."""

    count: int = 0

    def next(self, series: str, year: int, invoice_id: str) -> DocumentNumbered:
        count = self.count + 1
        return DocumentNumbered(
            series=series,
            year=year,
            count=count,
            number=f"{_PREFIX[series]}-{year}-{count:06}",
            invoice_id=invoice_id,
        )

    @staticmethod
    def evolve(state: "NumberSeries | None", event: Event) -> "NumberSeries | None":
        if isinstance(event, DocumentNumbered):
            return NumberSeries(count=event.count)
        return state


def series_id(series: str, year: int) -> str:
    """Return the id of a year's series."""
    return f"{series}-{year}"
