"""The words facts are made of: ids, money, places, line items and conditions of all contexts."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from shared.events.base import Ref

__all__ = [
    "MINOR_UNITS",
    "AccountId",
    "ActivityId",
    "Address",
    "AssignmentMethod",
    "Attachment",
    "Attitude",
    "CalendarId",
    "CampaignId",
    "Condition",
    "ContactId",
    "ContractId",
    "Currency",
    "CurrencyMismatch",
    "CustomFields",
    "Email",
    "EmployeeId",
    "EntitlementId",
    "Figure",
    "FollowUpId",
    "InstalmentId",
    "InvoiceId",
    "Label",
    "LeadId",
    "LineItem",
    "Money",
    "NonNegativeMoney",
    "NotificationId",
    "Operator",
    "OpportunityId",
    "PaymentId",
    "Percent",
    "Phone",
    "PlanId",
    "PoolId",
    "PriceBookId",
    "Probability",
    "ProcessId",
    "ProductId",
    "QuoteId",
    "SlaPolicyId",
    "Slug",
    "SurveyId",
    "TicketId",
    "UnitId",
    "Value",
]

_ID = StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")

LeadId = Annotated[str, Ref("lead"), _ID]
PoolId = Annotated[str, Ref("pool"), _ID]
CampaignId = Annotated[str, Ref("campaign"), _ID]
FollowUpId = Annotated[str, Ref("follow_up"), _ID]
AccountId = Annotated[str, Ref("account"), _ID]
ContactId = Annotated[str, Ref("contact"), _ID]
ActivityId = Annotated[str, Ref("activity"), _ID]
ProcessId = Annotated[str, Ref("process"), _ID]
ProductId = Annotated[str, Ref("product"), _ID]
PriceBookId = Annotated[str, Ref("price_book"), _ID]
OpportunityId = Annotated[str, Ref("opportunity"), _ID]
QuoteId = Annotated[str, Ref("quote"), _ID]
ContractId = Annotated[str, Ref("contract"), _ID]
PlanId = Annotated[str, Ref("payment_plan"), _ID]
InstalmentId = Annotated[str, Ref("instalment"), _ID]
PaymentId = Annotated[str, Ref("payment"), _ID]
InvoiceId = Annotated[str, Ref("invoice"), _ID]
TicketId = Annotated[str, Ref("ticket"), _ID]
CalendarId = Annotated[str, Ref("calendar"), _ID]
SlaPolicyId = Annotated[str, Ref("sla_policy"), _ID]
EntitlementId = Annotated[str, Ref("entitlement"), _ID]
SurveyId = Annotated[str, Ref("survey"), _ID]
UnitId = Annotated[str, Ref("unit"), _ID]
EmployeeId = Annotated[str, Ref("employee"), _ID]
NotificationId = Annotated[str, Ref("notification"), _ID]

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A word of a configured vocabulary, e.g. a stage or role: `proposal_sent`."""

Label = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""A word of an open vocabulary that people report by, in any script."""

Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]
"""A telephone number in the international form of ITU-T E.164: `+8613912345678`."""

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$")]
"""A mail address as accepted at the door."""

Figure = Annotated[Decimal, Field(max_digits=18, decimal_places=4, allow_inf_nan=False)]
"""An exact number with at most four decimals."""

Percent = Annotated[
    Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4, allow_inf_nan=False)
]
"""A percentage from 0 to 100."""

Probability = Annotated[int, Field(ge=0, le=100)]
"""How likely something is, in whole percent."""

CustomFields = dict[str, Any]
"""Fields the company defined itself: name to JSON value."""

_TWO_DECIMALS = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
    RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
    TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
_NO_DECIMALS = """
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF
"""
_THREE_DECIMALS = """
    BHD IQD JOD KWD LYD OMR TND
"""

MINOR_UNITS = MappingProxyType(
    dict.fromkeys(_TWO_DECIMALS.split(), 2)
    | dict.fromkeys(_NO_DECIMALS.split(), 0)
    | dict.fromkeys(_THREE_DECIMALS.split(), 3)
)
"""Decimals of each currency in circulation (ISO 4217)."""


class _Refused:
    """Says in words why a value is refused; costs nothing while values are accepted."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), "refused", custom_error_message=self._sentence
        )


Currency = Annotated[
    str,
    StringConstraints(pattern=f"^({'|'.join(sorted(MINOR_UNITS))})$"),
    _Refused("is no currency of ISO 4217"),
    WithJsonSchema({"type": "string", "format": "iso-4217", "pattern": "^[A-Z]{3}$"}),
]
"""A currency's ISO 4217 code."""


class Value(BaseModel):
    """A part of a fact that has no identity: frozen, compared by content."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CurrencyMismatch(ValueError):
    """Two amounts in different currencies cannot be added or compared."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other} do not mix")


class Money(Value):
    """An exact amount in one currency; arithmetic never rounds unless asked to."""

    amount: Figure
    currency: Currency

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str) -> Self:
        """Return `amount` of `currency`, e.g. `Money.of("12.50", "EUR")`."""
        return cls(amount=Decimal(amount), currency=currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return nothing of `currency`."""
        return cls(amount=Decimal(0), currency=currency)

    @classmethod
    def total(cls, amounts: Iterable["Money"], currency: str) -> "Money":
        """Return the sum; nothing of `currency` when there are none.

        Raises:
            CurrencyMismatch: one of them is not in `currency`.
        """
        return sum(amounts, cls.zero(currency))

    def __add__(self, other: "Money") -> Self:
        return self._with(self.amount + self._amount_of(other))

    def __sub__(self, other: "Money") -> Self:
        return self._with(self.amount - self._amount_of(other))

    def __neg__(self) -> Self:
        return self._with(-self.amount)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._amount_of(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._amount_of(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._amount_of(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._amount_of(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def times(self, factor: Decimal | int) -> Self:
        """Return the product, rounded half up to the currency's smallest unit."""
        exact = self.amount * factor
        return self._with(exact.quantize(self._unit, ROUND_HALF_UP))

    def split(self, weights: Sequence[Decimal | int]) -> tuple[Self, ...]:
        """Return shares in proportion to `weights` that add up to this amount exactly.

        What rounding leaves over goes, unit by unit, to the largest remainders (Hamilton's method).

        Raises:
            ValueError: there are no weights, one is negative, or all are zero.
        """
        whole = sum(weights, Decimal(0))
        if whole <= 0 or min(weights) < 0:
            raise ValueError("weights must not be negative and must add up to more than zero")
        exact = [self.amount * weight / whole for weight in weights]
        shares = [share.quantize(self._unit, ROUND_DOWN) for share in exact]
        left = self.amount - sum(shares, Decimal(0))
        unit = self._unit.copy_sign(left)
        by_remainder = sorted(range(len(exact)), key=lambda i: abs(shares[i] - exact[i]))
        while abs(left) >= self._unit:
            shares[by_remainder.pop()] += unit
            left -= unit
        shares[-1] += left
        return tuple(self._with(share) for share in shares)

    @property
    def _unit(self) -> Decimal:
        return Decimal(1).scaleb(-MINOR_UNITS[self.currency])

    def _amount_of(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount

    def _with(self, amount: Decimal) -> Self:
        return type(self)(amount=amount, currency=self.currency)


def _not_below_zero(money: Money) -> Money:
    if money.amount < 0:
        raise ValueError("must not be below zero")
    return money


NonNegativeMoney = Annotated[Money, AfterValidator(_not_below_zero)]
"""What something is worth or costs, where a negative amount would be a mistake."""


class Address(Value):
    """Where somebody is, receives goods or is billed."""

    kind: Label = "office"
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166-1 alpha-2."""
    region: str | None = None
    city: str | None = None
    district: str | None = None
    street: str | None = None
    postal_code: str | None = None


class Attachment(Value):
    """A document kept elsewhere, named by its content."""

    name: str
    uri: str
    media_type: str | None = None
    sha256: str | None = None


class Attitude(StrEnum):
    """How the other side took a conversation."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class AssignmentMethod(StrEnum):
    """How somebody was found to take care of something."""

    MANUAL = "manual"
    ROUND_ROBIN = "round_robin"
    IMPORTED = "imported"


class LineItem(Value):
    """One line of a quote, contract or invoice; amounts are in the document's currency."""

    product_id: ProductId | None = None
    description: str
    quantity: Figure
    unit: str | None = None
    unit_price: Figure
    discount_percent: Percent = Decimal(0)
    tax_percent: Percent = Decimal(0)
    net: Figure
    """After discount, before tax."""
    tax: Figure
    total: Figure
    """Net and tax."""


class Operator(StrEnum):
    """How a condition compares a field with its value."""

    EQUALS = "equals"
    DIFFERS = "differs"
    IN = "in"
    CONTAINS = "contains"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    PRESENT = "present"
    ABSENT = "absent"


class Condition(Value):
    """A test on one field of a record, part of a configured rule."""

    field: str
    operator: Operator
    value: Any = None
    """A JSON value; a list for `in`, nothing for `present` and `absent`."""
