"""Exchange rates: what one currency is worth in another, from a day on."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.billing.commands import SetExchangeRate
from shared.events.base import Event
from shared.events.billing import ExchangeRateSet

__all__ = ["ExchangeRates", "rates_id"]


@dataclass(frozen=True, kw_only=True)
class ExchangeRates:
    """The rates between two currencies by the day they hold from; the latest word counts."""

    by_day: tuple[tuple[date, Decimal, str | None], ...] = ()

    def set(self, command: SetExchangeRate) -> list[Event]:
        if (command.valid_from, command.rate, command.rate_source) in self.by_day:
            return []
        return [
            ExchangeRateSet(
                currency=command.currency,
                reporting_currency=command.reporting_currency,
                rate=command.rate,
                valid_from=command.valid_from,
                rate_source=command.rate_source,
            )
        ]

    @staticmethod
    def evolve(state: "ExchangeRates | None", event: Event) -> "ExchangeRates | None":
        if not isinstance(event, ExchangeRateSet):
            return state
        known = state.by_day if state else ()
        others = tuple(rate for rate in known if rate[0] != event.valid_from)
        return ExchangeRates(by_day=(*others, (event.valid_from, event.rate, event.rate_source)))


def rates_id(currency: str, reporting_currency: str) -> str:
    """Return the id of the rates between two currencies."""
    return f"exchange-rate-{currency}-{reporting_currency}"
