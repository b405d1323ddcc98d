"""What the billing service is made of."""

from services.billing.application import BillingApplication
from services.billing.policies.draft_contract import draft_contract
from services.billing.policies.expire_contracts import expire_contracts
from services.billing.policies.note_reopened_instalments import note_reopened_instalments
from services.billing.policies.watch_due_dates import watch_due_dates
from services.billing.projections.contracts import Contracts, get_contract, list_contracts
from services.billing.projections.exchange_rates import (
    ExchangeRates,
    convert_amount,
    list_exchange_rates,
)
from services.billing.projections.instalments import (
    Instalments,
    PaymentPlans,
    get_payment_plan,
    list_instalments,
)
from services.billing.projections.invoices import Invoices, get_invoice, list_invoices
from services.billing.projections.payments import (
    Payments,
    get_account_credit,
    get_payment,
    list_payments,
)
from services.billing.projections.postings import Postings, list_postings
from services.billing.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="billing",
    description="Contracts, payment plans, payments, invoices and the ledger that balances.",
    application=BillingApplication,
    policies=(draft_contract, expire_contracts, note_reopened_instalments, watch_due_dates),
    projections=(
        Contracts,
        ExchangeRates,
        Instalments,
        Invoices,
        PaymentPlans,
        Payments,
        Postings,
    ),
    questions=(
        convert_amount,
        get_account_credit,
        get_contract,
        get_invoice,
        get_payment,
        get_payment_plan,
        list_contracts,
        list_exchange_rates,
        list_instalments,
        list_invoices,
        list_payments,
        list_postings,
    ),
    guards=GUARDS,
)
