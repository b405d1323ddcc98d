from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.application import BillingApplication
from services.billing.commands import (
    ApplyForInvoice,
    ApproveInvoice,
    CreditInvoice,
    DeclineInvoice,
    DraftContract,
    IssueInvoice,
    ReceivePayment,
    SendInvoice,
    SignContract,
    VoidInvoice,
)
from services.billing.domain.allocation import CurrencyDiffers
from services.billing.domain.contract import ContractIsNotInForce, InvoicedBeyondContract
from services.billing.domain.invoice import (
    CreditedBeyondInvoice,
    InvoicedBeyondInstalments,
    InvoiceIsNotIssued,
    InvoiceIsPaid,
    InvoiceIsSettled,
    NothingToInvoice,
)
from shared.chassis.shapes import NotFound, Refused, Taken
from shared.chassis.testing import Scenario, issue
from shared.events.billing import (
    ContractInvoiced,
    DocumentNumbered,
    InvoiceApplied,
    InvoiceApproved,
    InvoiceCredited,
    InvoiceDeclined,
    InvoiceIssued,
    InvoicePaid,
    InvoiceSent,
    InvoiceSettled,
    InvoiceVoided,
    LedgerPosted,
    PaymentReallocated,
)
from tests.billing.builders import (
    ACCOUNT,
    CONTRACT,
    INVOICE,
    PAYMENT,
    billing,
    cny,
    contract_drafted,
    eur,
    invoice_applied,
    issued_invoice,
    line,
    part,
    running_contract,
)

pytestmark = pytest.mark.capability("BIL-06")

World = Scenario[BillingApplication]


def planned() -> World:
    return billing().after(*running_contract(100, part(60, 10, "i1"), part(40, 20, "i2")))


def application(**changes: Any) -> ApplyForInvoice:
    return ApplyForInvoice(**{"invoice_id": INVOICE, "contract_id": CONTRACT} | changes)


def applied(world: World) -> InvoiceApplied:
    event = world.news[0].event
    assert isinstance(event, InvoiceApplied)
    return event


def test_the_whole_way_of_an_invoice() -> None:
    world = planned()
    world.when(application(title="北京某某有限公司", tax_number="91110000")).then_kinds(
        InvoiceApplied
    )
    world.when(ApproveInvoice(invoice_id=INVOICE)).then_kinds(InvoiceApproved)
    world.when(ApproveInvoice(invoice_id=INVOICE)).then_nothing()
    world.when(IssueInvoice(invoice_id=INVOICE)).then_kinds(
        DocumentNumbered, InvoiceIssued, LedgerPosted, ContractInvoiced
    )
    assert world.answer is not None
    assert world.answer.outcome == {"number": "INV-2026-000001"}
    world.when(IssueInvoice(invoice_id=INVOICE)).then_nothing()
    world.when(SendInvoice(invoice_id=INVOICE)).then_kinds(InvoiceSent)
    world.when(ReceivePayment(contract_id=CONTRACT, amount=cny(100), method="bank"))
    assert isinstance(world.news[-1].event, InvoiceSettled)


def test_issuing_an_application_approves_it() -> None:
    world = planned().after(application())
    world.when(IssueInvoice(invoice_id=INVOICE)).then_kinds(
        DocumentNumbered, InvoiceApproved, InvoiceIssued, LedgerPosted, ContractInvoiced
    )


def test_a_declined_application_is_not_issued() -> None:
    world = planned().after(application())
    world.when(DeclineInvoice(invoice_id=INVOICE, reason="抬头有误")).then_kinds(InvoiceDeclined)
    world.when(DeclineInvoice(invoice_id=INVOICE, reason="抬头有误")).then_nothing()
    world.when(IssueInvoice(invoice_id=INVOICE)).then_refused(InvoiceIsSettled, status="declined")
    world.when(ApproveInvoice(invoice_id=INVOICE)).then_refused(InvoiceIsSettled)
    world.when(VoidInvoice(invoice_id=INVOICE, reason="no")).then_refused(InvoiceIsSettled)


def test_all_that_is_left_is_invoiced_when_nothing_else_is_said() -> None:
    world = planned().after(*issued_invoice(30, "first"))
    world.when(application())
    assert applied(world).total == cny(70)
    world.after(IssueInvoice(invoice_id=INVOICE))
    world.when(application(invoice_id="third")).then_refused(NothingToInvoice)


def test_instalments_are_invoiced_by_their_amounts() -> None:
    world = planned().when(application(instalment_ids=("i2",)))
    assert applied(world).total == cny(40)
    world.when(application(invoice_id="x", instalment_ids=("i9",))).then_refused(NotFound)


def test_a_part_of_a_contract_is_taxed_like_the_whole() -> None:
    world = billing().after(
        DraftContract(
            contract_id=CONTRACT,
            account_id=ACCOUNT,
            currency="CNY",
            lines=(line(100, tax_percent=Decimal(13)),),
        ),
        SignContract(contract_id=CONTRACT),
    )
    world.when(application(amount=cny(50)))
    assert (applied(world).net, applied(world).tax) == (cny("44.25"), cny("5.75"))


def test_what_is_invoiced_never_exceeds_the_contract() -> None:
    world = planned().after(application(amount=cny(60)))
    world.after(application(invoice_id="second", amount=cny(60)))
    world.when(application(invoice_id="third", amount=cny(101))).then_refused(
        InvoicedBeyondContract, left="100 CNY"
    )
    world.after(IssueInvoice(invoice_id=INVOICE))
    world.when(IssueInvoice(invoice_id="second")).then_refused(
        InvoicedBeyondContract, wanted="60 CNY", left="40 CNY"
    )


def test_of_two_invoices_issued_at_once_only_what_fits_is() -> None:
    world = planned()
    for number in range(6):
        world.after(application(invoice_id=f"invoice-{number}", amount=cny(30)))

    def issued(number: int) -> bool:
        try:
            world.application.handle(issue(IssueInvoice(invoice_id=f"invoice-{number}")))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(issued, range(6))) == 3
    numbers = [
        f.event.number for f in world.log.read(0, 1000) if isinstance(f.event, InvoiceIssued)
    ]
    assert sorted(numbers) == [f"INV-2026-00000{n}" for n in (1, 2, 3)]


def test_numbers_have_no_gap_in_any_year() -> None:
    world = planned()
    for number, year in enumerate((2025, 2026, 2025, 2026)):
        world.after(
            application(invoice_id=f"invoice-{number}", amount=cny(10)),
            IssueInvoice(invoice_id=f"invoice-{number}", issued_on=date(year, 5, 1)),
        )
        world.when(IssueInvoice(invoice_id="unknown")).then_refused(NotFound)
    numbers = [
        f.event.number for f in world.log.read(0, 1000) if isinstance(f.event, InvoiceIssued)
    ]
    assert numbers == [
        "INV-2025-000001",
        "INV-2026-000001",
        "INV-2025-000002",
        "INV-2026-000002",
    ]


def test_only_a_signed_contract_is_invoiced() -> None:
    world = billing().given(CONTRACT, contract_drafted())
    world.when(application()).then_refused(ContractIsNotInForce, status="draft")
    world.given(INVOICE, invoice_applied())
    world.when(IssueInvoice(invoice_id=INVOICE)).then_refused(ContractIsNotInForce)


def test_an_invoice_is_in_the_contract_s_currency() -> None:
    planned().when(application(amount=eur(1))).then_refused(CurrencyDiffers)
    planned().when(application(currency="EUR", lines=(line(1),))).then_refused(CurrencyDiffers)


def test_an_application_says_what_to_invoice() -> None:
    for wrong in (
        {"contract_id": None, "account_id": None},
        {"contract_id": None, "account_id": ACCOUNT},
        {"contract_id": None, "account_id": ACCOUNT, "instalment_ids": ("i1",)},
        {"amount": cny(1), "lines": (line(1),)},
    ):
        with pytest.raises(ValidationError):
            application(**wrong)


def test_an_application_is_made_once_per_source() -> None:
    world = planned().after(application(source="erp", external_id="1"))
    again = application(invoice_id="other", source="erp", external_id="1")
    world.when(again).then_refused(Taken, holder=INVOICE)
    world.when(application()).then_refused(Taken, holder=INVOICE)


def test_what_was_paid_ahead_covers_the_invoice_when_it_comes() -> None:
    world = planned().after(
        ReceivePayment(payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(70), method="bank"),
        application(),
    )
    world.when(IssueInvoice(invoice_id=INVOICE))
    paid = [fact.event for fact in world.news if isinstance(fact.event, InvoicePaid)]
    assert [(one.payment_id, one.outstanding) for one in paid] == [(PAYMENT, cny(30))]
    moved = [fact.event for fact in world.news if isinstance(fact.event, PaymentReallocated)]
    assert [part.invoice_id for part in moved[0].allocations] == [INVOICE, INVOICE]


def test_an_unpaid_invoice_is_voided_and_may_be_replaced() -> None:
    world = planned().after(*issued_invoice())
    world.when(VoidInvoice(invoice_id=INVOICE, reason="抬头有误")).then_kinds(
        InvoiceVoided, LedgerPosted, ContractInvoiced
    )
    world.when(VoidInvoice(invoice_id=INVOICE, reason="抬头有误")).then_nothing()
    world.after(*issued_invoice(100, "second"))
    world.when(SendInvoice(invoice_id=INVOICE)).then_refused(InvoiceIsNotIssued, status="voided")
    world.when(CreditInvoice(invoice_id=INVOICE, reason="no")).then_refused(InvoiceIsNotIssued)


def test_an_application_is_voided_without_a_number() -> None:
    world = planned().after(application())
    world.when(VoidInvoice(invoice_id=INVOICE, reason="重复")).then_kinds(InvoiceVoided)
    world.when(SendInvoice(invoice_id=INVOICE)).then_refused(InvoiceIsNotIssued)


def test_a_paid_invoice_is_not_voided() -> None:
    world = planned().after(*issued_invoice())
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(1), method="bank"))
    world.when(VoidInvoice(invoice_id=INVOICE, reason="no")).then_refused(
        InvoiceIsPaid, paid="1 CNY"
    )


def test_a_credit_note_takes_back_part_of_an_invoice() -> None:
    world = planned().after(*issued_invoice())
    world.when(CreditInvoice(invoice_id=INVOICE, amount=cny(30), reason="退货")).then_kinds(
        DocumentNumbered, InvoiceCredited, LedgerPosted, ContractInvoiced
    )
    assert world.answer is not None
    assert world.answer.outcome == {"credit_note": "CN-2026-000001"}
    too_much = CreditInvoice(invoice_id=INVOICE, amount=cny(71), reason="退货")
    world.when(too_much).then_refused(CreditedBeyondInvoice, left="70 CNY")
    world.when(CreditInvoice(invoice_id=INVOICE, amount=eur(1), reason="no")).then_refused(
        CurrencyDiffers
    )
    world.when(CreditInvoice(invoice_id=INVOICE, reason="退货"))
    credited = world.news[1].event
    assert isinstance(credited, InvoiceCredited)
    assert credited.total == cny(70)
    world.when(CreditInvoice(invoice_id=INVOICE, reason="退货")).then_refused(InvoiceIsNotIssued)


def test_credit_notes_take_back_exactly_the_tax_of_the_invoice() -> None:
    world = billing().after(
        DraftContract(
            contract_id=CONTRACT,
            account_id=ACCOUNT,
            currency="CNY",
            lines=(line("88.50", tax_percent=Decimal(13)),),
        ),
        SignContract(contract_id=CONTRACT),
        application(),
        IssueInvoice(invoice_id=INVOICE),
        CreditInvoice(invoice_id=INVOICE, amount=cny("33.33"), reason="退货"),
        CreditInvoice(invoice_id=INVOICE, amount=cny("33.33"), reason="退货"),
        CreditInvoice(invoice_id=INVOICE, reason="退货"),
    )
    notes = [f.event for f in world.log.read(0, 1000) if isinstance(f.event, InvoiceCredited)]
    assert sum((note.tax.amount for note in notes), Decimal(0)) == Decimal("11.51")
    assert sum((note.net.amount for note in notes), Decimal(0)) == Decimal("88.50")


def test_a_credit_note_on_a_paid_invoice_frees_the_money() -> None:
    world = planned().after(*issued_invoice())
    world.after(
        ReceivePayment(payment_id=PAYMENT, contract_id=CONTRACT, amount=cny(100), method="bank")
    )
    world.when(CreditInvoice(invoice_id=INVOICE, amount=cny(30), reason="退货")).then_kinds(
        DocumentNumbered,
        InvoiceCredited,
        LedgerPosted,
        ContractInvoiced,
        PaymentReallocated,
        LedgerPosted,
    )
    world.after(application(invoice_id="second"))
    world.when(IssueInvoice(invoice_id="second"))
    assert isinstance(world.news[-1].event, InvoiceSettled)


def test_a_credit_note_on_a_free_paid_invoice_becomes_credit() -> None:
    world = billing().after(
        ApplyForInvoice(invoice_id=INVOICE, account_id=ACCOUNT, amount=cny(20)),
        IssueInvoice(invoice_id=INVOICE),
    )
    world.known(*world.log.read(0, 1000))
    world.after(
        ReceivePayment(payment_id=PAYMENT, account_id=ACCOUNT, amount=cny(20), method="cash")
    )
    world.when(CreditInvoice(invoice_id=INVOICE, reason="退货"))
    (freed,) = [f.event for f in world.news if isinstance(f.event, PaymentReallocated)]
    assert (freed.unallocated, freed.allocations) == (cny(20), ())


def test_a_credit_note_may_settle_what_is_left() -> None:
    world = planned().after(*issued_invoice())
    world.after(ReceivePayment(contract_id=CONTRACT, amount=cny(90), method="bank"))
    world.when(CreditInvoice(invoice_id=INVOICE, amount=cny(10), reason="折让"))
    (settled,) = [f.event for f in world.news if isinstance(f.event, InvoiceSettled)]
    assert settled.total == cny(90)


def test_an_instalment_is_named_once() -> None:
    with pytest.raises(ValidationError) as refused:
        application(instalment_ids=("i1", "i1"))
    assert [error["loc"] for error in refused.value.errors()] == [("instalment_ids",)]


def test_an_instalment_is_not_invoiced_twice() -> None:
    world = planned().after(application(invoice_id="waiting", instalment_ids=("i2",)))
    world.after(application(instalment_ids=("i2",)), IssueInvoice(invoice_id=INVOICE))
    world.when(application(invoice_id="x", instalment_ids=("i2",))).then_refused(
        InvoicedBeyondInstalments, wanted="40 CNY", left="0 CNY"
    )
    world.when(IssueInvoice(invoice_id="waiting")).then_refused(InvoicedBeyondInstalments)
    world.when(application(invoice_id="x", instalment_ids=("i1",))).then_kinds(InvoiceApplied)


def test_an_instalment_is_invoiced_in_parts() -> None:
    def half(invoice_id: str, amount: int) -> ApplyForInvoice:
        return application(invoice_id=invoice_id, instalment_ids=("i2",), amount=cny(amount))

    world = planned().after(half("first", 25), IssueInvoice(invoice_id="first"))
    world.when(half("x", 16)).then_refused(InvoicedBeyondInstalments, left="15 CNY")
    world.after(half("second", 15), IssueInvoice(invoice_id="second"))
    world.after(CreditInvoice(invoice_id="first", amount=cny(5), reason="退货"))
    world.when(half("third", 5)).then_kinds(InvoiceApplied)


def test_what_was_voided_or_credited_of_an_instalment_is_invoiced_again() -> None:
    world = planned()
    for wrong, undo in (
        ("first", VoidInvoice(invoice_id="first", reason="抬头有误")),
        ("second", CreditInvoice(invoice_id="second", reason="抬头有误")),
    ):
        again = application(invoice_id=wrong, instalment_ids=("i2",))
        world.after(again, IssueInvoice(invoice_id=wrong), undo)
    world.when(application(instalment_ids=("i2",))).then_kinds(InvoiceApplied)


def test_an_invoice_and_its_credit_note_have_the_year_of_where_the_contract_is() -> None:
    new_year = datetime(2025, 12, 31, 23, tzinfo=UTC)
    world = billing().given(CONTRACT, contract_drafted(time_zone="Asia/Shanghai"))
    world.after(SignContract(contract_id=CONTRACT), application())
    world.when(IssueInvoice(invoice_id=INVOICE), at=new_year)
    assert world.answer is not None
    assert world.answer.outcome == {"number": "INV-2026-000001"}
    world.when(CreditInvoice(invoice_id=INVOICE, reason="退货"), at=new_year)
    assert world.answer.outcome == {"credit_note": "CN-2026-000001"}
