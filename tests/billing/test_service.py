from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.commands import (
    AgreePaymentPlan,
    ApplyForInvoice,
    CreditInvoice,
    DraftContract,
    IssueInvoice,
    NoteInstalmentDue,
    ReceivePayment,
    ReversePayment,
    SetExchangeRate,
    SignContract,
    TerminateContract,
)
from services.billing.domain.payment_plan import InstalmentState
from services.billing.projections.contracts import Contracts, GetContract, ListContracts
from services.billing.projections.exchange_rates import (
    ConvertAmount,
    ListExchangeRates,
    RateUnknown,
)
from services.billing.projections.instalments import GetPaymentPlan, ListInstalments
from services.billing.projections.invoices import GetInvoice, ListInvoices
from services.billing.projections.payments import GetAccountCredit, GetPayment, ListPayments
from services.billing.projections.postings import ListPostings
from services.billing.service import SERVICE
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Answer, Command, Conflict, Invalid, NotFound, Query
from shared.chassis.testing import NOON, TESTER, folded, issue, recorded
from shared.events.billing import ExchangeRateSet, ReversalReason
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    INVOICE,
    PAYMENT,
    PLAN,
    cny,
    contract_drafted,
    eur,
    in_days,
    issued_invoice,
    line,
    part,
    running_contract,
)


class Desk:
    """The whole service in memory: carries out commands, lets views catch up, answers."""

    def __init__(self) -> None:
        self.service: OpenService = open_service(SERVICE)
        self._seen = 0

    def do(self, *commands: Command, days: int = 0, expected: int | None = None) -> Answer:
        assert self.service.application is not None
        for number, command in enumerate(commands):
            at = NOON + timedelta(days=days, seconds=self._seen + number)
            answer = self.service.application.handle(
                issue(command, at=at, expected_version=expected)
            )
        facts = self.service.log.read(self._seen, 1000)
        with self.service.views_database.transaction() as connection:
            for projection in SERVICE.projections:
                self.service.projector.apply(connection, projection, facts)
        self._seen = self.service.log.tip()
        return answer

    def ask(self, query: Query) -> Any:
        question = SERVICE.asked[type(query).__name__]
        return self.service.ask(question, query, TESTER)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def rate(value: str, valid_from: date, **changes: Any) -> SetExchangeRate:
    wish = {"currency": "EUR", "reporting_currency": "CNY", "rate": value}
    return SetExchangeRate(**wish | {"valid_from": valid_from} | changes)


def amounts(rows: Sequence[Any], name: str) -> list[Decimal]:
    return [getattr(row, name) for row in rows]


@pytest.mark.capability("BIL-01", "BIL-04", "BIL-05", "BIL-06", "BIL-08")
def test_from_a_draft_to_a_settled_invoice(desk: Desk) -> None:
    desk.do(
        DraftContract(
            contract_id=CONTRACT,
            account_id=ACCOUNT,
            title="年度维护",
            currency="CNY",
            lines=(line(100, tax_percent=Decimal(13), description="维护服务"),),
        ),
        SignContract(contract_id=CONTRACT),
        AgreePaymentPlan(
            contract_id=CONTRACT, instalments=(part(60, 10, "i1"), part(53, 20, "i2"))
        ),
    )
    desk.do(*running_contract("113")[2:], *issued_invoice())
    desk.do(ReceivePayment(payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(20), method="bank"))
    desk.do(NoteInstalmentDue(contract_id=CONTRACT, instalment_id="i1"), days=11)

    contract = desk.ask(GetContract(contract_id=CONTRACT))
    assert (contract.title, contract.status, contract.lines[0].description) == (
        "年度维护",
        "active",
        "维护服务",
    )
    assert (contract.total, contract.invoiced, contract.paid, contract.outstanding) == (
        113,
        113,
        20,
        93,
    )
    plan = desk.ask(GetPaymentPlan(contract_id=CONTRACT))
    assert (plan.plan_id, plan.paid, plan.outstanding) == (PLAN, 20, 93)
    assert [one.status for one in plan.instalments] == [
        InstalmentState.OVERDUE,
        InstalmentState.PENDING,
    ]
    overdue = desk.ask(ListInstalments(filter='status = "overdue" AND account_id = "account-1"'))
    assert [one.instalment_id for one in overdue.items] == ["i1"]

    desk.do(ReceivePayment(contract_id=CONTRACT, amount=cny(100), method="cash"), days=12)
    invoice = desk.ask(GetInvoice(invoice_id=INVOICE))
    assert (invoice.number, invoice.status, invoice.outstanding) == (
        "INV-2026-000001",
        "settled",
        0,
    )
    credit = desk.ask(GetAccountCredit(account_id=ACCOUNT))
    assert [(one.currency, one.amount) for one in credit.credits] == [("CNY", 7)]
    postings = desk.ask(ListPostings(filter=f'account_id = "{ACCOUNT}"', page_size=500)).items
    assert sum(amounts(postings, "balance")) == 0
    bank = [one.balance for one in postings if one.ledger_account == "bank"]
    assert sum(bank) == 120


@pytest.mark.capability("BIL-05")
def test_payments_show_what_they_paid_until_they_are_reversed(desk: Desk) -> None:
    desk.do(*running_contract(100, part(60, 10, "i1"), part(40, 20, "i2")))
    desk.do(ReceivePayment(payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(75), method="bank"))
    payment = desk.ask(GetPayment(payment_id=PAYMENT))
    assert [(one.instalment_id, one.amount) for one in payment.allocations] == [
        ("i1", cny(60)),
        ("i2", cny(15)),
    ]
    desk.do(ReversePayment(payment_id=PAYMENT, reason=ReversalReason.CHARGED_BACK))
    payment = desk.ask(GetPayment(payment_id=PAYMENT))
    assert (payment.status, payment.reversal_reason, payment.allocations) == (
        "reversed",
        "charged_back",
        [],
    )
    assert desk.ask(GetContract(contract_id=CONTRACT)).outstanding == 100


@pytest.mark.capability("BIL-06")
def test_credit_notes_show_on_the_invoice(desk: Desk) -> None:
    desk.do(*running_contract(), *issued_invoice())
    desk.do(CreditInvoice(invoice_id=INVOICE, amount=cny(40), reason="退货"))
    invoice = desk.ask(GetInvoice(invoice_id=INVOICE))
    assert (invoice.credited, invoice.outstanding, invoice.status) == (40, 60, "issued")
    assert [(one.number, one.total) for one in invoice.credit_notes] == [("CN-2026-000001", 40)]
    assert desk.ask(GetContract(contract_id=CONTRACT)).invoiced == 60
    desk.do(CreditInvoice(invoice_id=INVOICE, reason="退货"))
    assert desk.ask(GetInvoice(invoice_id=INVOICE)).status == "credited"


@pytest.mark.capability("BIL-13")
def test_amounts_are_reported_at_the_rate_of_their_value_date(desk: Desk) -> None:
    desk.do(rate("7.8", date(2026, 1, 1)), rate("7.85", date(2026, 2, 1)))
    desk.do(
        *(
            ReceivePayment(
                payment_id=f"payment-{day.month}",
                account_id=ACCOUNT,
                amount=eur(100),
                value_date=day,
                method="bank",
            )
            for day in (date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 1))
        )
    )
    page = desk.ask(ListPayments(reporting_currency="CNY"))
    assert [one.reported for one in page.items] == [cny(785), cny(780), None]
    assert [one.currency for one in page.items] == ["EUR"] * 3
    assert desk.ask(GetPayment(payment_id="payment-1")).reported is None
    same = desk.ask(GetPayment(payment_id="payment-1", reporting_currency="EUR"))
    assert same.reported == eur(100)


@pytest.mark.capability("BIL-13")
def test_an_amount_without_a_rate_is_not_converted(desk: Desk) -> None:
    desk.do(rate("7.8", date(2026, 1, 1)))
    wish = {"amount": "10.01", "currency": "EUR", "reporting_currency": "CNY"}
    answer = desk.ask(ConvertAmount.model_validate(wish | {"on": "2026-03-01"}))
    assert (answer.amount, answer.valid_from) == (Decimal("78.08"), date(2026, 1, 1))
    with pytest.raises(RateUnknown) as refused:
        desk.ask(ConvertAmount.model_validate(wish | {"on": "2025-12-31"}))
    assert refused.value.details["on"] == "2025-12-31"
    back = wish | {"reporting_currency": "EUR", "on": "2025-12-31"}
    assert desk.ask(ConvertAmount.model_validate(back)).rate == 1


@pytest.mark.capability("BIL-13")
def test_what_is_beyond_counting_in_another_currency_is_not_converted(desk: Desk) -> None:
    desk.do(
        rate("999999999", date(2026, 1, 1)),
        ReceivePayment(
            payment_id=PAYMENT, account_id=ACCOUNT, amount=eur("99999999999999"), method="bank"
        ),
    )
    assert desk.ask(GetPayment(payment_id=PAYMENT, reporting_currency="CNY")).reported is None
    with pytest.raises(Invalid, match="amount"):
        desk.ask(
            ConvertAmount(
                amount=Decimal(99999999999999),
                currency="EUR",
                reporting_currency="CNY",
                on=date(2026, 3, 1),
            )
        )


@pytest.mark.capability("BIL-13")
def test_a_rate_may_be_corrected_and_is_said_once(desk: Desk) -> None:
    desk.do(rate("7.8", date(2026, 1, 1)), rate("7.9", date(2026, 1, 1)))
    before = desk.service.log.tip()
    desk.do(rate("7.9", date(2026, 1, 1)))
    assert desk.service.log.tip() == before
    (known,) = desk.ask(ListExchangeRates()).items
    assert known.rate == Decimal("7.9")
    assert isinstance(desk.service.log.read(0, 1)[0].event, ExchangeRateSet)


@pytest.mark.capability("BIL-13")
@pytest.mark.parametrize(
    "wrong", [{"rate": "0"}, {"rate": "-1"}, {"currency": "CNY"}, {"currency": "XXX"}]
)
def test_a_rate_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        rate("1", date(2026, 1, 1), **wrong)


def test_lists_are_filtered_sorted_and_paged(desk: Desk) -> None:
    for number, amount in enumerate((30, 10, 20)):
        desk.do(
            DraftContract(contract_id=f"contract-{number}", account_id=ACCOUNT, amount=cny(amount))
        )
    page = desk.ask(ListContracts(order_by="total desc", page_size=2))
    assert amounts(page.items, "total") == [30, 20]
    rest = desk.ask(
        ListContracts(order_by="total desc", page_size=2, page_token=page.next_page_token)
    )
    assert amounts(rest.items, "total") == [10]
    large = desk.ask(ListContracts(filter='total >= 20 AND status = "draft"'))
    assert len(large.items) == 2
    with pytest.raises(Invalid):
        desk.ask(ListInvoices(filter="nothing = 1"))


@pytest.mark.parametrize(
    "query",
    [
        GetContract(contract_id="x"),
        GetPaymentPlan(contract_id="x"),
        GetInvoice(invoice_id="x"),
        GetPayment(payment_id="x"),
    ],
)
def test_what_is_not_there_is_not_found(desk: Desk, query: Query) -> None:
    with pytest.raises(NotFound):
        desk.ask(query)


def test_a_stale_version_is_refused_with_the_current_one(desk: Desk) -> None:
    desk.do(*running_contract())
    version = desk.ask(GetContract(contract_id=CONTRACT)).version
    with pytest.raises(Conflict) as refused:
        desk.do(TerminateContract(contract_id=CONTRACT, reason="no"), expected=version - 1)
    assert refused.value.details == {"current_version": version}


def test_unknown_fields_are_refused_at_every_depth() -> None:
    with pytest.raises(ValidationError):
        DraftContract.model_validate({"account_id": ACCOUNT, "colour": "red"})
    with pytest.raises(ValidationError):
        AgreePaymentPlan.model_validate(
            {
                "contract_id": CONTRACT,
                "instalments": [
                    {
                        "amount": {"amount": "1", "currency": "CNY"},
                        "due_on": "2026-01-01",
                        "colour": "red",
                    }
                ],
            }
        )


def test_a_person_erased_leaves_the_figures() -> None:
    fact = recorded(contract_drafted(title=None), CONTRACT, erased=True)
    (row,) = folded(Contracts, [fact]).values()
    assert (row["title"], row["total"]) == (None, 100)


def test_an_invoice_not_issued_is_owed_nothing(desk: Desk) -> None:
    desk.do(*running_contract(), ApplyForInvoice(invoice_id=INVOICE, contract_id=CONTRACT))
    assert desk.ask(GetInvoice(invoice_id=INVOICE)).outstanding == 0
    desk.do(IssueInvoice(invoice_id=INVOICE, issued_on=in_days(1)))
    issued = desk.ask(GetInvoice(invoice_id=INVOICE))
    assert (issued.outstanding, issued.issued_on) == (100, in_days(1))
