"""Facts about contracts and money: what was agreed, what fell due, what was paid, and the books."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import Event, Personal
from shared.events.values import (
    AccountId,
    Address,
    Attachment,
    ContactId,
    ContractId,
    Currency,
    Email,
    EmployeeId,
    InstalmentId,
    InvoiceId,
    Label,
    LeadId,
    LineItem,
    Money,
    OpportunityId,
    PaymentId,
    PlanId,
    QuoteId,
    SlaPolicyId,
    Slug,
    UnitId,
    Value,
)

__all__ = [
    "Allocation",
    "ContractActivated",
    "ContractAmended",
    "ContractApproved",
    "ContractContentFact",
    "ContractDocumentAttached",
    "ContractDrafted",
    "ContractExpired",
    "ContractFact",
    "ContractFulfilled",
    "ContractInvoiced",
    "ContractRenewed",
    "ContractReturned",
    "ContractRevised",
    "ContractSigned",
    "ContractSubmitted",
    "ContractTerminated",
    "ContractWithdrawn",
    "DocumentNumbered",
    "ExchangeRateSet",
    "Instalment",
    "InstalmentFact",
    "InstalmentFellDue",
    "InstalmentFellOverdue",
    "InstalmentPaid",
    "InstalmentReopened",
    "InstalmentScheduled",
    "InstalmentSettled",
    "InstalmentVoided",
    "InvoiceApplied",
    "InvoiceApproved",
    "InvoiceContentFact",
    "InvoiceCredited",
    "InvoiceDeclined",
    "InvoiceFact",
    "InvoiceIssued",
    "InvoicePaid",
    "InvoiceReopened",
    "InvoiceSent",
    "InvoiceSettled",
    "InvoiceVoided",
    "LedgerAccount",
    "LedgerPosted",
    "PaymentAllocated",
    "PaymentCredited",
    "PaymentFact",
    "PaymentPlanAgreed",
    "PaymentPlanFact",
    "PaymentPlanRevised",
    "PaymentReallocated",
    "PaymentReceived",
    "PaymentReversed",
    "PostingLine",
    "ReversalReason",
    "Side",
]


class ContractFact(Event):
    """A fact about one contract."""

    stream_kind: ClassVar[str] = "contract"

    account_id: AccountId
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None
    owner_id: EmployeeId | None = None


class ContractContentFact(ContractFact):
    """A fact that says what is agreed, as it stands afterwards."""

    title: Personal[str] = None
    lines: tuple[LineItem, ...] = ()
    net: Money
    tax: Money
    total: Money
    """Net and tax."""
    starts_on: date | None = None
    ends_on: date | None = None
    """Last day of the term; open-ended when left out."""
    our_party: str | None = None
    """The company of ours that contracts."""
    contact_id: ContactId | None = None
    delivery_address: Personal[Address] = None
    terms: Personal[str] = None
    sla_policy_id: SlaPolicyId | None = None
    """The service promised with it, when any is."""
    time_zone: str = "UTC"
    """IANA zone in which the contract's days begin and end."""


class ContractDrafted(
    ContractContentFact, topic="billing.ContractDrafted.v1", subject="account_id"
):
    """A contract was drawn up, from an accepted quote or freely."""

    number: str
    quote_id: QuoteId | None = None
    renews_id: ContractId | None = None
    """The contract this one continues."""
    unit_id: UnitId | None = None
    region: Label | None = None
    channel: Label | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class ContractRevised(
    ContractContentFact, topic="billing.ContractRevised.v1", subject="account_id"
):
    """The draft was changed."""

    changed: tuple[str, ...]
    """Names of the fields that differ from before."""


class ContractSubmitted(ContractFact, topic="billing.ContractSubmitted.v1"):
    """The draft was handed in for approval."""

    total: Money


class ContractApproved(ContractFact, topic="billing.ContractApproved.v1", subject="account_id"):
    """The draft was approved as it stands."""

    total: Money
    note: Personal[str] = None


class ContractReturned(ContractFact, topic="billing.ContractReturned.v1", subject="account_id"):
    """The draft was not approved and went back to its author."""

    reason: Label
    note: Personal[str] = None


class ContractSigned(ContractFact, topic="billing.ContractSigned.v1", subject="account_id"):
    """Both parties signed."""

    signed_on: date
    total: Money
    our_signatory: Personal[str] = None
    their_signatory: Personal[str] = None


class ContractActivated(ContractFact, topic="billing.ContractActivated.v1"):
    """The contract came into force."""

    number: str
    total: Money
    starts_on: date
    ends_on: date | None = None
    sla_policy_id: SlaPolicyId | None = None
    """The service promised with it, when any is."""
    time_zone: str = "UTC"
    """IANA zone in which the contract's days begin and end."""


class ContractAmended(
    ContractContentFact, topic="billing.ContractAmended.v1", subject="account_id"
):
    """The parties changed a running contract."""

    amendment: int
    """Counts the contract's amendments from 1."""
    changed: tuple[str, ...]
    """Names of the fields that differ from before."""
    reason: Label | None = None


class ContractRenewed(ContractFact, topic="billing.ContractRenewed.v1"):
    """The contract is continued by another one."""

    by_contract_id: ContractId


class ContractFulfilled(ContractFact, topic="billing.ContractFulfilled.v1"):
    """Everything agreed was delivered and paid."""

    total: Money
    on: date


class ContractTerminated(ContractFact, topic="billing.ContractTerminated.v1", subject="account_id"):
    """The contract was ended before its time."""

    on: date
    reason: Label
    note: Personal[str] = None


class ContractExpired(ContractFact, topic="billing.ContractExpired.v1"):
    """The contract's term ran out."""

    on: date


class ContractWithdrawn(ContractFact, topic="billing.ContractWithdrawn.v1"):
    """A contract not yet signed was dropped."""

    reason: Label


class ContractInvoiced(ContractFact, topic="billing.ContractInvoiced.v1"):
    """What is invoiced under the contract changed; it never exceeds what is agreed."""

    invoice_id: InvoiceId
    amount: Money
    """The change: below zero when an invoice was voided or credited."""
    invoiced: Money
    """In all that remains."""


class ContractDocumentAttached(
    ContractFact, topic="billing.ContractDocumentAttached.v1", subject="account_id"
):
    """A document was filed with the contract."""

    document: Personal[Attachment] = None


class PaymentPlanFact(Event):
    """A fact about the payment plan of one contract."""

    stream_kind: ClassVar[str] = "payment_plan"

    contract_id: ContractId
    account_id: AccountId
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None
    owner_id: EmployeeId | None = None


class Instalment(Value):
    """A part of the price, due on a day or when a milestone is reached."""

    instalment_id: InstalmentId
    number: int
    amount: Money
    due_on: date | None = None
    milestone: Label | None = None


class PaymentPlanAgreed(PaymentPlanFact, topic="billing.PaymentPlanAgreed.v1"):
    """It was agreed in which instalments the contract will be paid."""

    total: Money
    instalments: tuple[Instalment, ...]
    time_zone: str = "UTC"
    """IANA zone in which due dates begin and end."""


class PaymentPlanRevised(PaymentPlanFact, topic="billing.PaymentPlanRevised.v1"):
    """Instalments nothing was paid against were agreed anew."""

    total: Money
    instalments: tuple[Instalment, ...]
    """All instalments that hold from now on."""
    dropped_ids: tuple[InstalmentId, ...] = ()
    time_zone: str = "UTC"
    """IANA zone in which due dates begin and end."""


class InstalmentFact(PaymentPlanFact):
    """A fact about one instalment of a plan."""

    instalment_id: InstalmentId


class InstalmentScheduled(InstalmentFact, topic="billing.InstalmentScheduled.v1"):
    """The instalment's milestone was reached, which gave it a due date."""

    milestone: Label
    due_on: date
    time_zone: str = "UTC"
    """IANA zone in which due dates begin and end."""


class InstalmentFellDue(InstalmentFact, topic="billing.InstalmentFellDue.v1"):
    """The instalment's due date came with something still to pay."""

    due_on: date
    outstanding: Money


class InstalmentFellOverdue(InstalmentFact, topic="billing.InstalmentFellOverdue.v1"):
    """The instalment's due date passed with something still to pay."""

    due_on: date
    outstanding: Money


class InstalmentPaid(InstalmentFact, topic="billing.InstalmentPaid.v1"):
    """A payment covered the instalment in part or in full."""

    payment_id: PaymentId
    amount: Money
    paid: Money
    """In all so far."""
    outstanding: Money
    value_date: date


class InstalmentSettled(InstalmentFact, topic="billing.InstalmentSettled.v1"):
    """Nothing of the instalment is left to pay."""

    amount: Money
    due_on: date | None = None
    settled_on: date
    """Value date of the last payment."""


class InstalmentReopened(InstalmentFact, topic="billing.InstalmentReopened.v1"):
    """A payment counts against the instalment no longer, so that it is open again."""

    payment_id: PaymentId
    amount: Money
    paid: Money
    """In all that remains."""
    outstanding: Money


class InstalmentVoided(InstalmentFact, topic="billing.InstalmentVoided.v1"):
    """The instalment will not be asked for any more."""

    outstanding: Money
    reason: Label


class PaymentFact(Event):
    """A fact about one payment."""

    stream_kind: ClassVar[str] = "payment"

    account_id: AccountId
    contract_id: ContractId | None = None
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None


class PaymentReceived(PaymentFact, topic="billing.PaymentReceived.v1", subject="account_id"):
    """Money came in from a customer."""

    amount: Money
    value_date: date
    method: Label
    reference: Personal[str] = None
    """What the payer wrote, or the bank's reference."""
    payer: Personal[str] = None
    owner_id: EmployeeId | None = None
    channel: Label | None = None
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class Allocation(Value):
    """The part of a payment that covers one instalment, one invoice, or both at once."""

    amount: Money
    contract_id: ContractId | None = None
    plan_id: PlanId | None = None
    instalment_id: InstalmentId | None = None
    invoice_id: InvoiceId | None = None


class PaymentAllocated(PaymentFact, topic="billing.PaymentAllocated.v1"):
    """It was decided what the payment, or credit left from it, pays for."""

    allocations: tuple[Allocation, ...]
    unallocated: Money
    """What is left of the payment afterwards."""
    from_credit: bool = False
    value_date: date


class PaymentReallocated(PaymentFact, topic="billing.PaymentReallocated.v1"):
    """What the payment pays for was arranged anew, as an invoice or a contract's end required."""

    allocations: tuple[Allocation, ...]
    """All that hold from now on."""
    unallocated: Money
    invoice_id: InvoiceId | None = None
    """The invoice that caused it; none where a contract ended before it was invoiced."""
    value_date: date


class PaymentCredited(PaymentFact, topic="billing.PaymentCredited.v1"):
    """What the customer paid too much is kept as their credit."""

    amount: Money
    value_date: date


class ReversalReason(StrEnum):
    """Why a payment does not count after all."""

    BOUNCED = "bounced"
    MISTAKEN = "mistaken"
    CHARGED_BACK = "charged_back"


class PaymentReversed(PaymentFact, topic="billing.PaymentReversed.v1", subject="account_id"):
    """The payment was taken back whole, with everything it had paid for."""

    amount: Money
    reason: ReversalReason
    value_date: date
    released: tuple[Allocation, ...] = ()
    """The allocations that no longer hold."""
    note: Personal[str] = None


class InvoiceFact(Event):
    """A fact about one invoice."""

    stream_kind: ClassVar[str] = "invoice"

    account_id: AccountId
    contract_id: ContractId | None = None
    opportunity_id: OpportunityId | None = None
    lead_id: LeadId | None = None


class InvoiceContentFact(InvoiceFact):
    """A fact that says what is invoiced to whom."""

    title: Personal[str] = None
    """The name the invoice is made out to."""
    tax_number: Personal[str] = None
    billing_address: Personal[Address] = None
    lines: tuple[LineItem, ...] = ()
    net: Money
    tax: Money
    total: Money
    """Net and tax."""
    due_on: date | None = None


class InvoiceApplied(InvoiceContentFact, topic="billing.InvoiceApplied.v1", subject="account_id"):
    """An invoice was asked for."""

    owner_id: EmployeeId | None = None
    kind: Label = "standard"
    """Type of tax document, e.g. VAT special invoice."""
    instalment_ids: tuple[InstalmentId, ...] = ()
    source: str | None = None
    """The system a historic record was imported from."""
    external_id: str | None = None
    """Its id there."""


class InvoiceApproved(InvoiceFact, topic="billing.InvoiceApproved.v1"):
    """The application was approved."""

    total: Money


class InvoiceDeclined(InvoiceFact, topic="billing.InvoiceDeclined.v1"):
    """The application was turned down."""

    reason: Label


class InvoiceIssued(InvoiceContentFact, topic="billing.InvoiceIssued.v1", subject="account_id"):
    """The invoice was made out under its number."""

    number: str
    issued_on: date


class InvoiceSent(InvoiceFact, topic="billing.InvoiceSent.v1", subject="account_id"):
    """The invoice went to the customer."""

    number: str
    channel: Label
    contact_id: ContactId | None = None
    email: Personal[Email] = None


class InvoicePaid(InvoiceFact, topic="billing.InvoicePaid.v1"):
    """A payment covered the invoice in part or in full."""

    payment_id: PaymentId
    amount: Money
    paid: Money
    """In all so far."""
    outstanding: Money
    value_date: date


class InvoiceSettled(InvoiceFact, topic="billing.InvoiceSettled.v1"):
    """Nothing of the invoice is left to pay."""

    number: str
    total: Money
    settled_on: date
    """Value date of the last payment."""


class InvoiceReopened(InvoiceFact, topic="billing.InvoiceReopened.v1"):
    """A payment against the invoice was reversed, so that it is open again."""

    payment_id: PaymentId
    amount: Money
    paid: Money
    """In all that remains."""
    outstanding: Money


class InvoiceVoided(InvoiceFact, topic="billing.InvoiceVoided.v1"):
    """The invoice was cancelled whole."""

    number: str | None = None
    """Absent when it had not been issued."""
    total: Money
    reason: Label


class InvoiceCredited(InvoiceFact, topic="billing.InvoiceCredited.v1"):
    """A credit note took back part of the invoice; what was paid beyond the rest became free."""

    number: str
    credit_note: str
    """The credit note's number."""
    net: Money
    tax: Money
    total: Money
    reason: Label


class DocumentNumbered(Event, topic="billing.DocumentNumbered.v1"):
    """The next number of a gapless series was given to a document."""

    stream_kind: ClassVar[str] = "number_series"

    series: Slug
    year: int
    count: int
    """From 1 in every year."""
    number: str
    invoice_id: InvoiceId


class LedgerAccount(StrEnum):
    """The accounts of the payment ledger."""

    BANK = "bank"
    RECEIVABLE = "receivable"
    ADVANCES = "advances"
    """Paid by customers and not yet invoiced."""
    CREDIT = "credit"
    """Paid by customers and not yet allocated."""
    REVENUE = "revenue"
    TAX = "tax"
    """Collected for the state."""


class Side(StrEnum):
    """Left or right in the books."""

    DEBIT = "debit"
    CREDIT = "credit"


class PostingLine(Value):
    """One line of a posting; the amount is above zero and in the posting's currency."""

    ledger_account: LedgerAccount
    side: Side
    amount: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]


class LedgerPosted(Event, topic="billing.LedgerPosted.v1"):
    """The books took in a movement of money or claims: debits equal credits.

    It stands in the stream of the document that caused it, stored with the fact it posts.
    """

    stream_kind: ClassVar[str] = "invoice or payment"

    account_id: AccountId
    contract_id: ContractId | None = None
    invoice_id: InvoiceId | None = None
    payment_id: PaymentId | None = None
    currency: Currency
    value_date: date
    lines: tuple[PostingLine, ...]
    about: Slug
    """What is posted: `invoice_issued`, `payment_received`, …"""


class ExchangeRateSet(Event, topic="billing.ExchangeRateSet.v1"):
    """From a day on, one unit of a currency is worth so much of the reporting currency."""

    stream_kind: ClassVar[str] = "exchange_rate"

    currency: Currency
    reporting_currency: Currency
    rate: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9, allow_inf_nan=False)]
    valid_from: date
    rate_source: str | None = None
