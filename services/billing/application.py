"""The commands of billing: load, decide, record."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

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
    InstalmentTerms,
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
from services.billing.domain.invoice import Invoice, applied, asked_price, check_instalments
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
from services.billing.projections.invoices import invoices_with_debts
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, Command, Invalid, Taken
from shared.events.base import Event
from shared.events.billing import (
    Allocation,
    ContractDrafted,
    PaymentPlanAgreed,
    PaymentPlanRevised,
)
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
                wanted = command.instalments
                plan = agreed(contract_id, contract, wanted, command.new_id)
                self._record_plan(work, plan_of(contract_id), plan, wanted, agreed_at)
            elif command.activated_at:
                starts_on = command.starts_on or day_of(command.activated_at, command.time_zone)
                due_on = command.due_on or starts_on + timedelta(days=DAYS_TO_PAY)
                plan = single(contract_id, contract, due_on, command.new_id)
                self._record_plan(work, plan_of(contract_id), plan, at=agreed_at)
            if command.terminated_at:
                reason, at = command.termination_reason, command.terminated_at
                self._drop_plan(work, contract_id, reason, at)
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
            self._drop_plan(work, command.contract_id, command.reason, command.at)
            quote_id = contract.quote_id
            if quote_id and work.holder("quote", quote_id) == command.contract_id:
                work.release("quote", quote_id)
            return command.contract_id

        return self.commit(command, decide)

    def sign_contract(self, command: SignContract) -> Answer:
        def decide(work: Work) -> str:
            contract = work.load(Contract, command.contract_id)
            signature = contract.sign(command)
            work.record(command.contract_id, signature)
            plan = work.find(PaymentPlan, plan_of(command.contract_id))
            if signature and plan is not None:
                today = day_of(command.at, plan.time_zone)
                work.record(plan_of(command.contract_id), plan.note_all_due(today))
            return command.contract_id

        return self.commit(command, decide)

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
            self._drop_plan(work, command.contract_id, command.reason, command.at)
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
            before = work.find(Contract, contract.renewed_by) if contract.renewed_by else None
            ending, beginning = contract.renew(
                command.contract_id, renewal_id, number, command, before
            )
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
            wanted = command.instalments
            facts = (
                plan.agree_anew(wanted, command.new_id)
                if plan
                else agreed(command.contract_id, contract, wanted, command.new_id)
            )
            self._record_plan(work, plan_id, facts, wanted)
            return plan_id

        return self.commit(command, decide)

    def revise_payment_plan(self, command: RevisePaymentPlan) -> Answer:
        def decide(work: Work) -> str:
            self._open_to_planning(work, command.contract_id)
            plan_id = plan_of(command.contract_id)
            plan = work.load(PaymentPlan, plan_id)
            wanted = command.instalments
            self._record_plan(work, plan_id, plan.revise(wanted, command.new_id), wanted)
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
            payment = work.load(Payment, payment_id)
            if payment.is_reversed:
                raise PaymentIsReversed
            contract_id = command.contract_id or payment.contract_id
            on = command.value_date or self._day(work, command.at, contract_id)
            if command.allocations:
                self._pay_named(work, payment_id, command.allocations, on, from_credit=True)
            else:
                self._pay_oldest(work, payment_id, command.contract_id, on, from_credit=True)
            return payment_id

        return self.commit(command, decide)

    def reverse_payment(self, command: ReversePayment) -> Answer:
        def decide(work: Work) -> str:
            payment = work.load(Payment, command.payment_id)
            on = command.value_date or self._day(work, command.at, payment.contract_id)
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
            self._check_instalments(work, command.contract_id, command.instalment_ids, price.total)
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
            on = command.issued_on or self._day(work, command.at, invoice.contract_id)
            number = self._number(work, INVOICES, on.year, command.invoice_id)
            work.record(command.invoice_id, invoice.issue(command.invoice_id, number, on))
            self._check_instalments(
                work, invoice.contract_id, invoice.instalment_ids, invoice.total
            )
            self._invoiced(work, invoice, command.invoice_id, invoice.total)
            self._apply_advances(work, invoice.contract_id, on)
            return command.invoice_id

        return self.commit(command, decide, lambda: {"number": number})

    def send_invoice(self, command: SendInvoice) -> Answer:
        return self.change(Invoice, command.invoice_id, lambda it: it.send(command), command)

    def void_invoice(self, command: VoidInvoice) -> Answer:
        def decide(work: Work) -> str:
            invoice = work.load(Invoice, command.invoice_id)
            on = self._day(work, command.at, invoice.contract_id)
            voiding = invoice.void(command.invoice_id, command, on)
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
            on = self._day(work, command.at, invoice.contract_id)
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
            if invoice.contract_id and work.load(Contract, invoice.contract_id).dropped:
                self._drop_plan(work, invoice.contract_id, command.reason, command.at)
            return invoice_id

        return self.commit(command, decide, lambda: {"credit_note": number})

    def set_exchange_rate(self, command: SetExchangeRate) -> Answer:
        def decide(work: Work) -> str:
            stream_id = rates_id(command.currency, command.reporting_currency)
            rates = work.find(ExchangeRates, stream_id) or ExchangeRates()
            work.record(stream_id, rates.set(command))
            return stream_id

        return self.commit(command, decide)

    def foresee(self, work: Work, commands: Sequence[Command]) -> None:
        """Look up at once whether other plans have the instalments of historic contracts."""
        historic = [command for command in commands if isinstance(command, ImportContract)]
        work.look_up(
            ("instalment", part.instalment_id or command.new_id(f"instalment {number}"))
            for command in historic
            for number, part in enumerate(command.instalments, 1)
        )
        work.look_up(("instalment", command.new_id("instalment 1")) for command in historic)

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
            plan_facts = single(contract_id, contract, due_on, command.new_id)
            self._record_plan(work, plan_id, plan_facts)
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
        facts = plan.follow(contract.total, wanted, today, command.new_id)
        self._record_plan(work, plan_of(contract_id), facts, wanted or ())

    def _record_plan(
        self,
        work: Work,
        plan_id: str,
        facts: Sequence[Event],
        wanted: Sequence[InstalmentTerms] = (),
        at: datetime | None = None,
    ) -> None:
        """Record a plan, and keep the ids of its instalments: they are looked up without it."""
        places = {part.instalment_id: place for place, part in enumerate(wanted)}
        for fact in facts:
            if isinstance(fact, PaymentPlanAgreed | PaymentPlanRevised):
                for instalment in fact.instalments:
                    name = instalment.instalment_id
                    holder = work.holder("instalment", name)
                    if holder not in {None, plan_id}:
                        field = f"instalments.{places.get(name)}.instalment_id"
                        raise Taken(f"{name} is held by {holder}", holder=holder, field=field)
                    work.claim("instalment", name, plan_id)
        work.record(plan_id, facts, at=at)

    def _drop_plan(self, work: Work, contract_id: str, reason: str, at: datetime) -> None:
        """Ask for nothing more on a contract, and make what was paid ahead on it credit again."""
        plan_id = plan_of(contract_id)
        plan = work.find(PaymentPlan, plan_id)
        if plan is None:
            return
        on = day_of(at, plan.time_zone)
        for payment_id in plan.payment_ids:
            payment = work.load(Payment, payment_id)
            facts, freed = payment.free_advances(payment_id, contract_id, on)
            work.record(payment_id, facts)
            work.record(plan_id, work.load(PaymentPlan, plan_id).give_back(payment_id, freed))
        work.record(plan_id, work.load(PaymentPlan, plan_id).void_open(reason), at=at)

    def _receive(self, command: NewPayment, targets: Sequence[PaymentTarget]) -> Answer:
        def decide(work: Work) -> str:
            payment_id = command.payment_id or command.new_id("payment")
            self._claim_external(work, "payment", command.source, command.external_id, payment_id)
            contract = work.load(Contract, command.contract_id) if command.contract_id else None
            account_id = self._account(command.account_id, contract)
            on = command.value_date or self._day(work, command.at, command.contract_id)
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

    def _day(self, work: Work, at: datetime, contract_id: str | None) -> date:
        """Return which day it is where the contract is, if there is one."""
        contract = work.find(Contract, contract_id) if contract_id else None
        return day_of(at, contract.content.time_zone) if contract else day_of(at)

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
            invoices = invoices_with_debts(connection, account_id, currency)
        contract_ids += [contract_id for _, contract_id in invoices if contract_id is not None]
        free = [(one, work.load(Invoice, one)) for one, contract_id in invoices if not contract_id]
        return [
            *(
                self._book(work, contract_id, payment)
                for contract_id in dict.fromkeys(contract_ids)
                if not work.load(Contract, contract_id).unsigned
            ),
            *(Book(invoices=(it.debt(one),)) for one, it in free if it.payable),
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

    def _check_instalments(
        self, work: Work, contract_id: str | None, named: Sequence[str], wanted: Money
    ) -> None:
        if contract_id and named:
            contract = work.load(Contract, contract_id)
            plan = work.load(PaymentPlan, plan_of(contract_id))
            issued = [work.load(Invoice, one) for one in contract.invoice_ids]
            check_instalments(named, wanted, plan, issued)

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
