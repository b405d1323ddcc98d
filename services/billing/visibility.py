"""Whose the rows of the billing read models are."""

from services.billing.projections.contracts import contracts
from services.billing.projections.exchange_rates import exchange_rates
from services.billing.projections.instalments import instalments, payment_plans
from services.billing.projections.invoices import invoices
from services.billing.projections.payments import payments
from services.billing.projections.postings import postings
from shared.chassis.shapes.guard import Guard, Via

__all__ = ["GUARDS"]

_WITH_CONTRACT = Via(("contract_id",), (contracts.c.contract_id,))

GUARDS = (
    Guard(table=contracts, record="contract", owners=("owner_id",)),
    Guard(table=instalments, record="instalment", owners=("owner_id",), via=(_WITH_CONTRACT,)),
    Guard(table=payment_plans, record="payment_plan", via=(_WITH_CONTRACT,)),
    Guard(table=invoices, record="invoice", owners=("owner_id",), via=(_WITH_CONTRACT,)),
    Guard(table=payments, record="payment", owners=("owner_id",), via=(_WITH_CONTRACT,)),
    Guard(table=postings, record="posting", via=(_WITH_CONTRACT,)),
    Guard(table=exchange_rates, record="exchange_rate", everyone=True),
)
