"""What people, policies and importers may ask of contracts, plans, payments and invoices."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from shared.chassis.shapes import Command
from shared.events.billing import ReversalReason
from shared.events.values import (
    MINOR_UNITS,
    AccountId,
    Address,
    Attachment,
    ContactId,
    ContractId,
    Currency,
    Email,
    EmployeeId,
    Figure,
    InstalmentId,
    InvoiceId,
    Label,
    LeadId,
    LineItem,
    Money,
    OpportunityId,
    PaymentId,
    Percent,
    ProductId,
    QuoteId,
    SlaPolicyId,
    UnitId,
)

__all__ = [
    "ActivateContract",
    "AgreePaymentPlan",
    "AllocatePayment",
    "AmendContract",
    "ApplyForInvoice",
    "ApproveContract",
    "ApproveInvoice",
    "AttachContractDocument",
    "ContractLine",
    "CreditInvoice",
    "DeclineInvoice",
    "DraftContract",
    "DraftContractFromQuote",
    "ExpireContract",
    "FulfilContract",
    "ImportContract",
    "ImportPayment",
    "InstalmentTerms",
    "IssueInvoice",
    "NoteInstalmentDue",
    "PaymentTarget",
    "ReachMilestone",
    "ReceivePayment",
    "RenewContract",
    "ReturnContract",
    "ReversePayment",
    "ReviseContract",
    "RevisePaymentPlan",
    "SendInvoice",
    "SetExchangeRate",
    "SignContract",
    "SubmitContract",
    "TerminateContract",
    "VoidInvoice",
    "WithdrawContract",
]


def _in_smallest_units(money: Money) -> Money:
    unit = Decimal(1).scaleb(-MINOR_UNITS[money.currency])
    if money.amount % unit:
        raise ValueError(f"{money} is finer than the smallest unit of {money.currency}")
    return money


def _above_zero(money: Money) -> Money:
    if money.amount <= 0:
        raise ValueError("must be above zero")
    return money


def _not_below_zero(money: Money) -> Money:
    if money.amount < 0:
        raise ValueError("must not be below zero")
    return money


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no IANA time zone")
    return name


def _once_each(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names one of them twice")
    return names


def _misfit(field: str, words: str) -> ValidationError:
    """Return the refusal of a field that does not go with the others."""
    return ValidationError.from_exception_data(
        "request",
        [
            {
                "type": "value_error",
                "loc": (field,),
                "input": None,
                "ctx": {"error": ValueError(words)},
            }
        ],
    )


Payable = Annotated[Money, AfterValidator(_in_smallest_units), AfterValidator(_above_zero)]
"""An amount above zero that can be paid in the currency."""
Price = Annotated[Money, AfterValidator(_in_smallest_units), AfterValidator(_not_below_zero)]
"""An amount not below zero that can be paid in the currency."""
NewContractId = Annotated[ContractId, Field(max_length=59)]
"""Leaves room for the payment plan's id, which begins with the contract's."""
Number = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
TermsField = Literal[
    "starts_on",
    "ends_on",
    "our_party",
    "contact_id",
    "delivery_address",
    "terms",
    "sla_policy_id",
]


class Part(BaseModel):
    """A part of a request; it knows no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ContractLine(Part):
    """One line as the parties agree it; net, tax and total follow from it."""

    product_id: ProductId | None = None
    description: Line
    quantity: Annotated[Figure, Field(gt=0)] = Decimal(1)
    unit: Annotated[str, Field(max_length=32)] | None = None
    unit_price: Annotated[Figure, Field(ge=0)]
    """Before discount and tax, in the contract's currency."""
    discount_percent: Percent = Decimal(0)
    tax_percent: Percent = Decimal(0)


class InstalmentTerms(Part):
    """A part of the price with its due date, or with the milestone that will give it one."""

    instalment_id: InstalmentId | None = None
    """Names an instalment the plan has already, or chooses the id of a new one."""
    amount: Payable
    due_on: date | None = None
    milestone: Label | None = None

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if (self.due_on is None) == (self.milestone is None):
            raise _misfit("due_on", "give either due_on or milestone")
        return self


Instalments = Annotated[tuple[InstalmentTerms, ...], Field(min_length=1, max_length=200)]
Lines = Annotated[tuple[ContractLine, ...], Field(max_length=1000)]


class PaymentTarget(Part):
    """What a part of a payment is for: an instalment, an invoice, or the oldest of a contract."""

    amount: Payable
    contract_id: ContractId | None = None
    """The payment's contract when left out."""
    instalment_id: InstalmentId | None = None
    invoice_id: InvoiceId | None = None


Targets = Annotated[tuple[PaymentTarget, ...], Field(max_length=200)]


class ContractTerms(Command):
    """What two parties agree on, apart from the price."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    """Last day of the term; open-ended when left out."""
    our_party: Annotated[str, Field(max_length=200)] | None = None
    """The company of ours that contracts."""
    contact_id: ContactId | None = None
    delivery_address: Address | None = None
    terms: Text | None = None
    sla_policy_id: SlaPolicyId | None = None
    """The service promised with it, when any is."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise _misfit("ends_on", "lies before starts_on")
        return self


class NewContract(ContractTerms):
    """Everything a contract begins with."""

    contract_id: NewContractId | None = None
    """Chosen by the caller; a fresh one when left out."""
    number: Number | None = None
    """The contract's own number; made up when left out, and never given twice."""
    account_id: AccountId
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None
    quote_id: QuoteId | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    source: Annotated[str, Field(max_length=64)] | None = None
    """The system a historic record is imported from."""
    external_id: Annotated[str, Field(max_length=200)] | None = None
    """Its id there; imported once per source."""
    time_zone: TimeZone = "UTC"
    """IANA zone in which the contract's days begin and end."""
    currency: Currency | None = None
    """Of the lines; not needed with `amount`."""
    lines: Lines = ()
    amount: Price | None = None
    """The price where there are no lines."""

    @model_validator(mode="after")
    def _has_one_price(self) -> Self:
        if self.amount is None and self.currency is None:
            raise _misfit("amount", "give lines with their currency, or an amount")
        if self.amount is not None and self.lines:
            raise _misfit("amount", "give either lines or an amount")
        return self


class DraftContract(NewContract, http="POST /v1/contracts"):
    """Draw up a contract with a customer."""


class DraftContractFromQuote(Command):
    """Draw up the contract a customer agreed to by accepting a quote."""

    contract_id: NewContractId
    quote_id: QuoteId
    quote_number: Number
    account_id: AccountId
    opportunity_id: OpportunityId
    lead_id: LeadId | None = None
    owner_id: EmployeeId | None = None
    unit_id: UnitId | None = None
    contact_id: ContactId | None = None
    lines: tuple[LineItem, ...]
    net: Money
    tax: Money
    total: Money
    terms: Text | None = None


class ContractChange(ContractTerms):
    """New terms or a new price; what is left out stays."""

    contract_id: ContractId
    lines: Lines | None = None
    """All lines that hold from now on."""
    amount: Price | None = None
    """The price from now on, where there are no lines."""
    cleared: Annotated[tuple[TermsField, ...], Field(max_length=7)] = ()
    """Terms that hold no longer."""

    @model_validator(mode="after")
    def _has_one_price(self) -> Self:
        if self.lines is not None and self.amount is not None:
            raise _misfit("amount", "give either lines or an amount")
        return self


class ReviseContract(ContractChange, http="POST /v1/contracts/{contract_id}:revise"):
    """Change a contract that is still a draft."""


class SubmitContract(Command, http="POST /v1/contracts/{contract_id}:submit"):
    """Hand a draft in for approval."""

    contract_id: ContractId


class ApproveContract(Command, http="POST /v1/contracts/{contract_id}:approve"):
    """Approve a contract as it stands."""

    contract_id: ContractId
    note: Line | None = None


class ReturnContract(Command, http="POST /v1/contracts/{contract_id}:return"):
    """Give a contract handed in for approval back to its author."""

    contract_id: ContractId
    reason: Label
    note: Line | None = None


class WithdrawContract(Command, http="POST /v1/contracts/{contract_id}:withdraw"):
    """Drop a contract that is not signed yet."""

    contract_id: ContractId
    reason: Label


class SignContract(Command, http="POST /v1/contracts/{contract_id}:sign"):
    """Record that both parties signed; a draft nobody handed in is approved by signing it."""

    contract_id: ContractId
    signed_on: date | None = None
    """Today when left out."""
    our_signatory: Annotated[str, Field(max_length=200)] | None = None
    their_signatory: Annotated[str, Field(max_length=200)] | None = None


class ActivateContract(Command, http="POST /v1/contracts/{contract_id}:activate"):
    """Put a signed contract in force."""

    contract_id: ContractId
    starts_on: date | None = None
    """As agreed, or today, when left out."""


class FulfilContract(Command, http="POST /v1/contracts/{contract_id}:fulfil"):
    """Record that everything agreed was delivered and paid."""

    contract_id: ContractId


class TerminateContract(Command, http="POST /v1/contracts/{contract_id}:terminate"):
    """End a contract before its time; what is not paid yet will not be asked for."""

    contract_id: ContractId
    reason: Label
    note: Line | None = None


class AmendContract(ContractChange, http="POST /v1/contracts/{contract_id}:amend"):
    """Change a signed or running contract, and its open instalments with it."""

    reason: Label | None = None
    instalments: Instalments | None = None
    """How the part of the new price that nothing was paid against yet will be paid."""


class RenewContract(Command, http="POST /v1/contracts/{contract_id}:renew"):
    """Draw up the contract that continues this one for another term."""

    contract_id: ContractId
    renewal_id: NewContractId | None = None
    """Id of the new contract, chosen by the caller; a fresh one when left out."""
    starts_on: date
    ends_on: date | None = None


class AttachContractDocument(Command, http="POST /v1/contracts/{contract_id}/documents"):
    """File a document with a contract."""

    contract_id: ContractId
    document: Attachment


class ExpireContract(Command):
    """End a running contract whose last day has passed."""

    contract_id: ContractId


class ImportContract(NewContract):
    """State a historic contract with its whole life; the moment of the command is its drafting."""

    signed_at: AwareDatetime | None = None
    activated_at: AwareDatetime | None = None
    fulfilled_at: AwareDatetime | None = None
    terminated_at: AwareDatetime | None = None
    termination_reason: Label = "imported"
    due_on: date | None = None
    """When the whole price falls due, where there are no instalments."""
    instalments: Annotated[tuple[InstalmentTerms, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _lived_in_order(self) -> Self:
        if self.activated_at and not self.signed_at:
            raise _misfit("signed_at", "a contract is signed before it is activated")
        if (self.fulfilled_at or self.terminated_at) and not self.activated_at:
            raise _misfit("activated_at", "a contract is activated before it ends")
        if self.fulfilled_at and self.terminated_at:
            raise _misfit("terminated_at", "a contract is either fulfilled or terminated")
        life = (self.signed_at, self.activated_at, self.fulfilled_at or self.terminated_at)
        known = [moment for moment in life if moment is not None]
        if known != sorted(known):
            words = "signed_at, activated_at and the end must follow one another"
            raise _misfit("activated_at", words)
        return self


class AgreePaymentPlan(Command, http="POST /v1/contracts/{contract_id}/payment-plan"):
    """Agree in which instalments a contract will be paid; anew while nothing is paid."""

    contract_id: ContractId
    instalments: Instalments
    """They add up to the contract's total."""


class RevisePaymentPlan(Command, http="POST /v1/contracts/{contract_id}/payment-plan:revise"):
    """Agree the instalments anew that nothing was paid against."""

    contract_id: ContractId
    instalments: Instalments
    """All that replace the untouched ones; with those paid against they add up to the total."""


class ReachMilestone(Command, http="POST /v1/contracts/{contract_id}/payment-plan:reach"):
    """Record that a milestone was reached, which makes its instalments due."""

    contract_id: ContractId
    milestone: Label
    due_on: date


class NoteInstalmentDue(Command):
    """Take note that an instalment's due date has come or passed."""

    contract_id: ContractId
    instalment_id: InstalmentId


class NewPayment(Command):
    """Everything that is known of money that came in."""

    payment_id: PaymentId | None = None
    """Chosen by the caller; a fresh one when left out."""
    account_id: AccountId | None = None
    """Who paid; the contract's customer when left out."""
    contract_id: ContractId | None = None
    """What was paid for; the account's oldest debts when left out."""
    amount: Payable
    value_date: date | None = None
    """The day the money counts from; today when left out."""
    method: Label
    reference: Annotated[str, Field(max_length=200)] | None = None
    """What the payer wrote, or the bank's reference."""
    payer: Annotated[str, Field(max_length=200)] | None = None
    owner_id: EmployeeId | None = None
    channel: Label | None = None
    source: Annotated[str, Field(max_length=64)] | None = None
    """The system a historic record is imported from."""
    external_id: Annotated[str, Field(max_length=200)] | None = None
    """Its id there; imported once per source."""

    @model_validator(mode="after")
    def _has_a_payer(self) -> Self:
        if self.account_id is None and self.contract_id is None:
            raise _misfit("account_id", "give the account, the contract, or both")
        return self


class ReceivePayment(NewPayment, http="POST /v1/payments"):
    """Record money from a customer; it pays the oldest debts first, and the rest is credit."""

    allocations: Targets = ()
    """What it pays for, where that is not the oldest due; the rest is kept as credit."""


class ImportPayment(NewPayment):
    """State a historic payment; it pays the contract's oldest debts, and the rest is credit."""


class AllocatePayment(Command, http="POST /v1/payments/{payment_id}:allocate"):
    """Pay debts out of what is left of a payment."""

    payment_id: PaymentId
    contract_id: ContractId | None = None
    """Whose oldest debts to pay; all of the account when neither this nor allocations is given."""
    allocations: Targets = ()
    value_date: date | None = None
    """Today when left out."""


class ReversePayment(Command, http="POST /v1/payments/{payment_id}:reverse"):
    """Take a bounced or mistaken payment back whole; what it had paid is open again."""

    payment_id: PaymentId
    reason: ReversalReason
    value_date: date | None = None
    """Today when left out."""
    note: Line | None = None


class ApplyForInvoice(Command, http="POST /v1/invoices"):
    """Ask for an invoice, of a contract or free."""

    invoice_id: InvoiceId | None = None
    """Chosen by the caller; a fresh one when left out."""
    contract_id: ContractId | None = None
    account_id: AccountId | None = None
    """The contract's customer when left out."""
    title: Annotated[str, Field(max_length=200)] | None = None
    """The name the invoice is made out to."""
    tax_number: Annotated[str, Field(max_length=64)] | None = None
    billing_address: Address | None = None
    kind: Label = "standard"
    """Type of tax document, e.g. VAT special invoice."""
    instalment_ids: Annotated[
        tuple[InstalmentId, ...], Field(max_length=200), AfterValidator(_once_each)
    ] = ()
    """Instalments to invoice; their amounts where no other amount is given."""
    currency: Currency | None = None
    """Of the lines."""
    lines: Lines = ()
    amount: Payable | None = None
    """Tax included; all that is not invoiced of the contract when left out."""
    due_on: date | None = None
    source: Annotated[str, Field(max_length=64)] | None = None
    """The system a historic record is imported from."""
    external_id: Annotated[str, Field(max_length=200)] | None = None
    """Its id there; imported once per source."""

    @model_validator(mode="after")
    def _says_what_to_invoice(self) -> Self:
        if self.amount is not None and self.lines:
            raise _misfit("amount", "give either lines or an amount")
        if self.contract_id is None:
            if self.account_id is None:
                raise _misfit("account_id", "give the contract or the account")
            if self.instalment_ids:
                raise _misfit("instalment_ids", "instalments belong to a contract")
            if self.amount is None and not (self.lines and self.currency):
                words = "without a contract, give lines with their currency, or an amount"
                raise _misfit("amount", words)
        return self


class ApproveInvoice(Command, http="POST /v1/invoices/{invoice_id}:approve"):
    """Approve the application for an invoice."""

    invoice_id: InvoiceId


class DeclineInvoice(Command, http="POST /v1/invoices/{invoice_id}:decline"):
    """Turn the application for an invoice down."""

    invoice_id: InvoiceId
    reason: Label


class IssueInvoice(Command, http="POST /v1/invoices/{invoice_id}:issue"):
    """Make an invoice out under the next number of its year; issuing an application approves it."""

    invoice_id: InvoiceId
    issued_on: date | None = None
    """Today when left out."""


class SendInvoice(Command, http="POST /v1/invoices/{invoice_id}:send"):
    """Record that an invoice went to the customer."""

    invoice_id: InvoiceId
    channel: Label = "email"
    contact_id: ContactId | None = None
    email: Email | None = None


class VoidInvoice(Command, http="POST /v1/invoices/{invoice_id}:void"):
    """Cancel an invoice whole, while nothing is paid on it."""

    invoice_id: InvoiceId
    reason: Label


class CreditInvoice(Command, http="POST /v1/invoices/{invoice_id}:credit"):
    """Take back part of an issued invoice, or all of it, by a credit note."""

    invoice_id: InvoiceId
    amount: Payable | None = None
    """Tax included; all that is not credited yet when left out."""
    reason: Label


class SetExchangeRate(Command, http="POST /v1/exchange-rates"):
    """Say what a currency is worth in another one from a day on."""

    currency: Currency
    reporting_currency: Currency
    rate: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9, allow_inf_nan=False)]
    """What one unit of the currency is worth."""
    valid_from: date
    rate_source: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _between_two(self) -> Self:
        if self.currency == self.reporting_currency:
            raise _misfit("reporting_currency", "a currency is worth exactly one of itself")
        return self
