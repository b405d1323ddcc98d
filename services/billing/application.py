"""The commands of billing: load, decide, record."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from services.billing.commands import (
    ActivateContract,
    AgreePaymentPlan,
    AllocatePayment,
    AmendContract,
    ApplyForInvoice,
    ApproveContract,
    ApproveInvoice,
    AttachContractDocument,
    CreditInvoice,
    DeclineInvoice,
    DraftContract,
    DraftContractFromQuote,
    ExpireContract,
    FulfilContract,
    ImportContract,
    ImportPayment,
    IssueInvoice,
    NewContract,
    NewPayment,
    NoteInstalmentDue,
    PaymentTarget,
    ReachMilestone,
    ReceivePayment,
    RenewContract,
    ReturnContract,
    ReversePayment,
    ReviseContract,
    RevisePaymentPlan,
    SendInvoice,
    SetExchangeRate,
    SignContract,
    SubmitContract,
    TerminateContract,
    VoidInvoice,
    WithdrawContract,
)
from services.billing.domain.allocation import (
    AllocationExceedsDebt,
    Book,
    cover,
    oldest_first,
)
from services.billing.domain.calendar import day_of
from services.billing.domain.contract import (
    Contract,
    ContractIsSettled,
    draft,
    draft_from_quote,
    made_up_number,
    money_refs,
    plan_of,
)
from services.billing.domain.exchange_rate import ExchangeRates, rates_id
from services.billing.domain.invoice import Invoice, applied, asked_price
from services.billing.domain.number_series import (
    CREDIT_NOTES,
    INVOICES,
    NumberSeries,
    series_id,
)
from services.billing.domain.payment import (
    Payment,
    PaymentIsReversed,
    PaymentOfAnotherAccount,
    received,
)
from services.billing.domain.payment_plan import DAYS_TO_PAY, PaymentPlan, agreed, single
from services.billing.projections.instalments import contracts_with_debts
from services.billing.projections.invoices import free_invoices_with_debts
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, Command, Invalid, Taken
from shared.events.base import Event
from shared.events.billing import Allocation, ContractDrafted
from shared.events.values import Money

__all__ = ["BillingApplication"]


class BillingApplication(Application):
    """Contracts and money."""

    context = "billing"

    def draft_contract(self, command: DraftContract) -> Answer:
        def decide(work: Work) -> str:
            contract_id = command.contract_id or command.new_id("contract")
            self._open_contract(work, contract_id, command, draft(command))
            return contract_id

        return self.commit(command, decide)

    def draft_contract_from_quote(self, command: DraftContractFromQuote) -> Answer:
        def decide(work: Work) -> str:
            work.claim("quote", command.quote_id, command.contract_id)
            _require_new(work, command.contract_id)
            work.record(command.contract_id, draft_from_quote(command))
            return command.contract_id

        return self.commit(command, decide)

    def import_contract(self, command: ImportContract) -> Answer:
        def decide(work: Work) -> str:
            contract_id = command.contract_id or command.new_id("contract")
            self._open_contract(work, contract_id, command, draft(command))
            contract = work.load(Contract, contract_id)
            for moment, fact in contract.lived(command):
                work.record(contract_id, [fact], at=moment)
            agreed_at = command.activated_at or command.signed_at or command.at
            if command.instalments:
                plan = agreed(contract_id, contract, command.instalments, command.new_id)
                work.record(plan_of(contract_id), plan, at=agreed_at)
            elif command.activated_at:
                starts_on = command.starts_on or day_of(command.activated_at, command.time_zone)
                due_on = command.due_on or starts_on + timedelta(days=DAYS_TO_PAY)
                plan = single(contract_id, contract, due_on, command.new_id)
                work.record(plan_of(contract_id), plan, at=agreed_at)
                if command.terminated_at:
                    self._void_plan(work, contract_id, command.termination_reason)
            return contract_id

        return self.commit(command, decide)

    def revise_contract(self, command: ReviseContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            work.record(command.contract_id, contract.revise(command))
            self._follow_price(work, command.contract_id, command)
            return command.contract_id

        return self.commit(command, decide)

    def submit_contract(self, command: SubmitContract) -> Answer:
        return self.change(Contract, command.contract_id, lambda it: it.submit(command), command)

    def approve_contract(self, command: ApproveContract) -> Answer:
        return self.change(Contract, command.contract_id, lambda it: it.approve(command), command)

    def return_contract(self, command: ReturnContract) -> Answer:
        return self.change(Contract, command.contract_id, lambda it: it.send_back(command), command)

    def withdraw_contract(self, command: WithdrawContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            work.record(command.contract_id, contract.withdraw(command))
            self._void_plan(work, command.contract_id, command.reason)
            return command.contract_id

        return self.commit(command, decide)

    def sign_contract(self, command: SignContract) -> Answer:
        return self.change(Contract, command.contract_id, lambda it: it.sign(command), command)

    def activate_contract(self, command: ActivateContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            activation = contract.activate(command)
            work.record(command.contract_id, activation)
            if activation:
                self._begin_plan(work, command.contract_id, command)
            return command.contract_id

        return self.commit(command, decide)

    def fulfil_contract(self, command: FulfilContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            plan = work.find(PaymentPlan, plan_of(command.contract_id))
            open_ = plan.outstanding if plan else Money.zero(contract.total.currency)
            work.record(command.contract_id, contract.fulfil(command, open_))
            return command.contract_id

        return self.commit(command, decide)

    def terminate_contract(self, command: TerminateContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            work.record(command.contract_id, contract.terminate(command))
            self._void_plan(work, command.contract_id, command.reason)
            return command.contract_id

        return self.commit(command, decide)

    def amend_contract(self, command: AmendContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            work.record(command.contract_id, contract.amend(command))
            self._follow_price(work, command.contract_id, command)
            return command.contract_id

        return self.commit(command, decide)

    def renew_contract(self, command: RenewContract) -> Answer:
        renewal_id = command.renewal_id or command.new_id("contract")

        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            number = made_up_number(command)
            work.claim("contract-number", number, renewal_id)
            ending, beginning = contract.renew(command.contract_id, renewal_id, number, command)
            work.record(command.contract_id, ending)
            _require_new(work, renewal_id)
            work.record(renewal_id, beginning)
            return command.contract_id

        return self.commit(command, decide, lambda: {"contract_id": renewal_id})

    def attach_contract_document(self, command: AttachContractDocument) -> Answer:
        return self.change(Contract, command.contract_id, lambda it: it.attach(command), command)

    def expire_contract(self, command: ExpireContract) -> Answer:
        return self.change(
            Contract,
            command.contract_id,
            lambda it: it.expire(day_of(command.at, it.content.time_zone)),
            command,
        )

    def agree_payment_plan(self, command: AgreePaymentPlan) -> Answer:
        def decide(work: Work) -> str:
            contract = self._open_to_planning(work, command.contract_id)
            plan_id = plan_of(command.contract_id)
            plan = work.find(PaymentPlan, plan_id)
            work.record(
                plan_id,
                plan.agree_anew(command.instalments, command.new_id)
                if plan
                else agreed(command.contract_id, contract, command.instalments, command.new_id),
            )
            return plan_id

        return self.commit(command, decide)

    def revise_payment_plan(self, command: RevisePaymentPlan) -> Answer:
        def decide(work: Work) -> str:
            self._open_to_planning(work, command.contract_id)
            plan_id = plan_of(command.contract_id)
            plan = work.load(PaymentPlan, plan_id)
            work.record(plan_id, plan.revise(command.instalments, command.new_id))
            return plan_id

        return self.commit(command, decide)

    def reach_milestone(self, command: ReachMilestone) -> Answer:
        return self.change(
            PaymentPlan,
            plan_of(command.contract_id),
            lambda plan: plan.reach(command.milestone, command.due_on),
            command,
        )

    def note_instalment_due(self, command: NoteInstalmentDue) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            plan_id = plan_of(command.contract_id)
            plan = work.load(PaymentPlan, plan_id)
            if contract.in_force:
                today = day_of(command.at, plan.time_zone)
                work.record(plan_id, plan.note_due(command.instalment_id, today))
            return plan_id

        return self.commit(command, decide)

    def receive_payment(self, command: ReceivePayment) -> Answer:
        return self._receive(command, command.allocations)

    def import_payment(self, command: ImportPayment) -> Answer:
        return self._receive(command, ())

    def allocate_payment(self, command: AllocatePayment) -> Answer:
        def decide(work: Work) -> str:
            payment_id = command.payment_id
            on = command.value_date or day_of(command.at)
            if work.load(Payment, payment_id).is_reversed:
                raise PaymentIsReversed
            if command.allocations:
                self._pay_named(work, payment_id, command.allocations, on, from_credit=True)
            else:
                self._pay_oldest(work, payment_id, command.contract_id, on, from_credit=True)
            return payment_id

        return self.commit(command, decide)

    def reverse_payment(self, command: ReversePayment) -> Answer:
        def decide(work: Work) -> str:
            payment = work.load(Payment, command.payment_id)
            on = command.value_date or day_of(command.at)
            work.record(command.payment_id, payment.reverse(command.payment_id, command, on))
            for plan_id, parts in _by_plan(payment.allocations).items():
                plan = work.load(PaymentPlan, plan_id)
                work.record(plan_id, plan.give_back(command.payment_id, parts))
            for invoice_id, amount in _by_invoice(payment.allocations).items():
                invoice = work.load(Invoice, invoice_id)
                work.record(invoice_id, invoice.give_back(command.payment_id, amount))
            for contract_id in dict.fromkeys(part.contract_id for part in payment.allocations):
                self._apply_advances(work, contract_id, on)
            return command.payment_id

        return self.commit(command, decide)

    def apply_for_invoice(self, command: ApplyForInvoice) -> Answer:
        def decide(work: Work) -> str:
            invoice_id = command.invoice_id or command.new_id("invoice")
            self._claim_external(work, "invoice", command.source, command.external_id, invoice_id)
            contract = work.load(Contract, command.contract_id) if command.contract_id else None
            account_id = self._account(command.account_id, contract)
            plan = (
                work.load(PaymentPlan, plan_of(command.contract_id or ""))
                if command.instalment_ids
                else None
            )
            price = asked_price(command, contract, plan)
            _require_new(work, invoice_id)
            work.record(invoice_id, applied(command, account_id, money_refs(contract), price))
            return invoice_id

        return self.commit(command, decide)

    def approve_invoice(self, command: ApproveInvoice) -> Answer:
        return self.change(Invoice, command.invoice_id, lambda it: it.approve(), command)

    def decline_invoice(self, command: DeclineInvoice) -> Answer:
        return self.change(Invoice, command.invoice_id, lambda it: it.decline(command), command)

    def issue_invoice(self, command: IssueInvoice) -> Answer:
        number = ""

        def decide(work: Work) -> str:
            nonlocal number
            invoice = work.load(Invoice, command.invoice_id)
            if invoice.number is not None:
                number = invoice.number
                return command.invoice_id
            on = command.issued_on or day_of(command.at)
            number = self._number(work, INVOICES, on.year, command.invoice_id)
            work.record(command.invoice_id, invoice.issue(command.invoice_id, number, on))
            self._invoiced(work, invoice, command.invoice_id, invoice.total)
            self._apply_advances(work, invoice.contract_id, on)
            return command.invoice_id

        return self.commit(command, decide, lambda: {"number": number})

    def send_invoice(self, command: SendInvoice) -> Answer:
        return self.change(Invoice, command.invoice_id, lambda it: it.send(command), command)

    def void_invoice(self, command: VoidInvoice) -> Answer:
        def decide(work: Work) -> str:
            invoice = work.load(Invoice, command.invoice_id)
            voiding = invoice.void(command.invoice_id, command, day_of(command.at))
            work.record(command.invoice_id, voiding)
            if voiding and invoice.number is not None:
                self._invoiced(work, invoice, command.invoice_id, -invoice.left)
            return command.invoice_id

        return self.commit(command, decide)

    def credit_invoice(self, command: CreditInvoice) -> Answer:
        number = ""

        def decide(work: Work) -> str:
            nonlocal number
            invoice_id = command.invoice_id
            invoice = work.load(Invoice, invoice_id)
            amount = invoice.creditable(command)
            on = day_of(command.at)
            number = self._number(work, CREDIT_NOTES, on.year, invoice_id)
            work.record(invoice_id, invoice.credit(invoice_id, number, amount, command, on))
            self._invoiced(work, invoice, invoice_id, -amount)
            excess = amount - invoice.outstanding
            for payment_id in reversed(invoice.payment_ids):
                if excess.amount <= 0:
                    break
                payment = work.load(Payment, payment_id)
                facts, freed = payment.uncover_invoice(payment_id, invoice_id, excess, on)
                work.record(payment_id, facts)
                excess -= freed
            self._apply_advances(work, invoice.contract_id, on)
            return invoice_id

        return self.commit(command, decide, lambda: {"credit_note": number})

    def set_exchange_rate(self, command: SetExchangeRate) -> Answer:
        def decide(work: Work) -> str:
            stream_id = rates_id(command.currency, command.reporting_currency)
            rates = work.find(ExchangeRates, stream_id) or ExchangeRates()
            work.record(stream_id, rates.set(command))
            return stream_id

        return self.commit(command, decide)

    def _open_contract(
        self, work: Work, contract_id: str, command: NewContract, opening: Sequence[Event]
    ) -> None:
        self._claim_external(work, "contract", command.source, command.external_id, contract_id)
        for fact in opening:
            if isinstance(fact, ContractDrafted):
                work.claim("contract-number", fact.number, contract_id)
        if command.quote_id is not None:
            work.claim("quote", command.quote_id, contract_id)
        _require_new(work, contract_id)
        work.record(contract_id, opening)

    def _claim_external(
        self, work: Work, kind: str, source: str | None, external_id: str | None, stream_id: str
    ) -> None:
        if source is not None and external_id is not None:
            work.claim(f"external:{source}", f"{kind}/{external_id}", stream_id)

    def _open_to_planning(self, work: Work, contract_id: str) -> Contract:
        contract = work.load(Contract, contract_id)
        if contract.ended:
            raise ContractIsSettled(contract.status)
        return contract

    def _begin_plan(self, work: Work, contract_id: str, command: Command) -> None:
        """See to it that a contract in force has a plan, and that its due dates are noted."""
        contract = work.load(Contract, contract_id)
        plan_id = plan_of(contract_id)
        plan = work.find(PaymentPlan, plan_id)
        today = day_of(command.at, contract.content.time_zone)
        if plan is None:
            due_on = (contract.content.starts_on or today) + timedelta(days=DAYS_TO_PAY)
            work.record(plan_id, single(contract_id, contract, due_on, command.new_id))
        else:
            work.record(plan_id, plan.note_all_due(today))

    def _follow_price(
        self, work: Work, contract_id: str, command: ReviseContract | AmendContract
    ) -> None:
        contract = work.load(Contract, contract_id)
        plan = work.find(PaymentPlan, plan_of(contract_id))
        if plan is None:
            return
        wanted = command.instalments if isinstance(command, AmendContract) else None
        today = day_of(command.at, plan.time_zone)
        work.record(
            plan_of(contract_id), plan.follow(contract.total, wanted, today, command.new_id)
        )

    def _void_plan(self, work: Work, contract_id: str, reason: str) -> None:
        plan = work.find(PaymentPlan, plan_of(contract_id))
        if plan is not None:
            work.record(plan_of(contract_id), plan.void_open(reason))

    def _receive(self, command: NewPayment, targets: Sequence[PaymentTarget]) -> Answer:
        def decide(work: Work) -> str:
            payment_id = command.payment_id or command.new_id("payment")
            self._claim_external(work, "payment", command.source, command.external_id, payment_id)
            contract = work.load(Contract, command.contract_id) if command.contract_id else None
            account_id = self._account(command.account_id, contract)
            on = command.value_date or day_of(command.at)
            refs = money_refs(contract)
            _require_new(work, payment_id)
            work.record(payment_id, received(payment_id, account_id, refs, command, on))
            if targets:
                self._pay_named(work, payment_id, targets, on)
            else:
                self._pay_oldest(work, payment_id, command.contract_id, on)
            payment = work.load(Payment, payment_id)
            work.record(payment_id, payment.keep_as_credit(on))
            return payment_id

        return self.commit(command, decide)

    def _account(self, account_id: str | None, contract: Contract | None) -> str:
        if contract is None:
            return account_id or ""
        if account_id is not None and account_id != contract.account_id:
            raise PaymentOfAnotherAccount(account_id, contract.account_id)
        return contract.account_id

    def _pay_oldest(
        self,
        work: Work,
        payment_id: str,
        contract_id: str | None,
        on: date,
        *,
        from_credit: bool = False,
    ) -> None:
        """Pay the oldest debts of the contract, or of the account when none is named."""
        payment = work.load(Payment, payment_id)
        if contract_id is not None:
            books = [self._book(work, contract_id, payment)]
        else:
            books = self._books_of_account(work, payment)
        parts = cover(payment.unallocated, books)
        self._pay(work, payment_id, parts, on, from_credit=from_credit)

    def _pay_named(
        self,
        work: Work,
        payment_id: str,
        targets: Sequence[PaymentTarget],
        on: date,
        *,
        from_credit: bool = False,
    ) -> None:
        """Pay exactly what is named; more than is open on it is refused."""
        for target in targets:
            payment = work.load(Payment, payment_id)
            book = self._named(work, payment, target)
            parts = cover(target.amount, [book])
            open_ = Money.total((part.amount for part in parts), target.amount.currency)
            if open_ < target.amount:
                named = target.invoice_id or target.instalment_id or book.contract_id or ""
                raise AllocationExceedsDebt(named, target.amount, open_)
            self._pay(work, payment_id, parts, on, from_credit=from_credit)

    def _named(self, work: Work, payment: Payment, target: PaymentTarget) -> Book:
        """Return the book of what a target names, with nothing else open in it."""
        if target.invoice_id is None:
            contract_id = target.contract_id or payment.contract_id
            if contract_id is None:
                raise Invalid.one("allocations.contract_id", "says whose instalment it is")
            return self._book(work, contract_id, payment).only(target.instalment_id, None)
        invoice = work.load(Invoice, target.invoice_id)
        if invoice.contract_id is None:
            payment.check_debtor(target.invoice_id, invoice.account_id, invoice.total.currency)
            debts = (invoice.debt(target.invoice_id),) if invoice.payable else ()
            return Book(invoices=debts)
        book = self._book(work, invoice.contract_id, payment)
        return book.only(target.instalment_id, target.invoice_id)

    def _book(self, work: Work, contract_id: str, payment: Payment) -> Book:
        """Return what is open on a contract of the payer."""
        contract = work.load(Contract, contract_id)
        payment.check_debtor(contract_id, contract.account_id, contract.total.currency)
        plan = work.find(PaymentPlan, plan_of(contract_id))
        invoices = [(one, work.load(Invoice, one)) for one in contract.invoice_ids]
        return Book(
            contract_id=contract_id,
            plan_id=plan_of(contract_id),
            instalments=tuple(plan.debts()) if plan else (),
            invoices=tuple(invoice.debt(one) for one, invoice in invoices if invoice.payable),
        )

    def _books_of_account(self, work: Work, payment: Payment) -> list[Book]:
        """Return what is open of the payer; the read models say where to look."""
        if self.views is None:
            return []
        account_id, currency = payment.account_id, payment.amount.currency
        with self.views.read() as connection:
            contract_ids = contracts_with_debts(connection, account_id, currency)
            invoice_ids = free_invoices_with_debts(connection, account_id, currency)
        invoices = [(one, work.load(Invoice, one)) for one in invoice_ids]
        return [
            *(self._book(work, contract_id, payment) for contract_id in contract_ids),
            *(Book(invoices=(it.debt(one),)) for one, it in invoices if it.payable),
        ]

    def _pay(
        self,
        work: Work,
        payment_id: str,
        parts: Sequence[Allocation],
        on: date,
        *,
        from_credit: bool,
    ) -> None:
        """Record an allocation on the payment and on everything it pays."""
        payment = work.load(Payment, payment_id)
        work.record(payment_id, payment.allocate(payment_id, parts, on, from_credit=from_credit))
        for plan_id, some in _by_plan(parts).items():
            work.record(plan_id, work.load(PaymentPlan, plan_id).pay(payment_id, some, on))
        for invoice_id, amount in _by_invoice(parts).items():
            work.record(invoice_id, work.load(Invoice, invoice_id).pay(payment_id, amount, on))

    def _apply_advances(self, work: Work, contract_id: str | None, on: date) -> None:
        """Let what was paid ahead on a contract cover its open invoices, oldest due first."""
        plan = work.find(PaymentPlan, plan_of(contract_id)) if contract_id else None
        if contract_id is None or plan is None:
            return
        contract = work.load(Contract, contract_id)
        invoices = [(one, work.load(Invoice, one)) for one in contract.invoice_ids]
        open_ = [invoice.debt(one) for one, invoice in invoices if invoice.payable]
        for debt in oldest_first(open_):
            for payment_id in plan.payment_ids:
                payment = work.load(Payment, payment_id)
                invoice = work.load(Invoice, debt.id)
                facts, covered = payment.cover_invoice(
                    payment_id, contract_id, debt.id, invoice.outstanding, on
                )
                if facts:
                    work.record(payment_id, facts)
                    work.record(debt.id, invoice.pay(payment_id, covered, on))

    def _invoiced(self, work: Work, invoice: Invoice, invoice_id: str, amount: Money) -> None:
        """Hold the contract to it that no more is invoiced than was agreed."""
        if invoice.contract_id is not None:
            contract = work.load(Contract, invoice.contract_id)
            work.record(invoice.contract_id, contract.invoice(invoice_id, amount))

    def _number(self, work: Work, series: str, year: int, invoice_id: str) -> str:
        stream_id = series_id(series, year)
        numbers = work.find(NumberSeries, stream_id) or NumberSeries()
        numbered = numbers.next(series, year, invoice_id)
        work.record(stream_id, [numbered])
        return numbered.number


def _require_new(work: Work, stream_id: str) -> None:
    if work.version(stream_id):
        raise Taken(f"{stream_id} exists already", holder=stream_id)


def _by_plan(parts: Iterable[Allocation]) -> dict[str, list[Allocation]]:
    found: dict[str, list[Allocation]] = {}
    for part in parts:
        if part.plan_id is not None:
            found.setdefault(part.plan_id, []).append(part)
    return found


def _by_invoice(parts: Iterable[Allocation]) -> dict[str, Money]:
    found: dict[str, Money] = {}
    for part in parts:
        if part.invoice_id is not None:
            before = found.get(part.invoice_id, Money.zero(part.amount.currency))
            found[part.invoice_id] = before + part.amount
    return found
