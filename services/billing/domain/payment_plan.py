"""Payment plans: in which parts a contract is paid, and how far it is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.billing.commands import InstalmentTerms
from services.billing.domain.allocation import AllocationExceedsDebt, CurrencyDiffers, Debt
from services.billing.domain.contract import Contract
from shared.chassis.shapes import BrokenRule, NotFound
from shared.events.base import Event
from shared.events.billing import (
    Allocation,
    Instalment,
    InstalmentFellDue,
    InstalmentFellOverdue,
    InstalmentPaid,
    InstalmentReopened,
    InstalmentScheduled,
    InstalmentSettled,
    InstalmentVoided,
    PaymentPlanAgreed,
    PaymentPlanRevised,
)
from shared.events.values import Money

__all__ = [
    "DAYS_TO_PAY",
    "BelowWhatIsPaid",
    "InstalmentIsPaidAgainst",
    "InstalmentListedTwice",
    "InstalmentState",
    "InstalmentsDoNotAddUp",
    "MilestoneUnknown",
    "PaymentPlan",
    "PlanIsPaidAgainst",
    "Term",
    "agreed",
    "single",
]

DAYS_TO_PAY = 30
"""Until a price without a plan falls due, from the start of the contract."""

NewId = Callable[[str], str]


class InstalmentState(StrEnum):
    """Where an instalment stands; it follows from receipts and the calendar."""

    PENDING = "pending"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    OVERDUE = "overdue"
    VOID = "void"


class InstalmentsDoNotAddUp(BrokenRule):
    """The instalments add up to the contract's total."""

    def __init__(self, total: Money, given: str) -> None:
        super().__init__(
            f"the instalments add up to {given}, but {total} is to be paid",
            total=str(total),
            given=given,
        )


class PlanIsPaidAgainst(BrokenRule):
    """A plan is agreed anew only while nothing is paid."""

    sentence = "payments were made against this plan; revise the open instalments instead"


class InstalmentIsPaidAgainst(BrokenRule):
    """An instalment that something was paid against is not changed."""

    def __init__(self, instalment_id: str) -> None:
        super().__init__(
            f"something was paid against instalment {instalment_id}", instalment_id=instalment_id
        )


class InstalmentListedTwice(BrokenRule):
    """Every instalment stands in a plan once."""

    def __init__(self, instalment_id: str) -> None:
        super().__init__(f"{instalment_id} is listed twice", instalment_id=instalment_id)


class BelowWhatIsPaid(BrokenRule):
    """The price is not lowered below the instalments that are paid or partly paid."""

    def __init__(self, total: Money, kept: Money) -> None:
        super().__init__(
            f"instalments of {kept} are paid against; the total cannot be {total}",
            total=str(total),
            kept=str(kept),
        )


class MilestoneUnknown(BrokenRule):
    """A milestone is one that an open instalment waits for."""

    def __init__(self, milestone: str) -> None:
        super().__init__(f"no instalment waits for {milestone!r}", milestone=milestone)


@dataclass(frozen=True, kw_only=True)
class Term:
    """An instalment with what came in on it."""

    instalment: Instalment
    paid: Money
    void: bool = False
    fell_due: bool = False
    overdue: bool = False

    @property
    def id(self) -> str:
        return self.instalment.instalment_id

    @property
    def due_on(self) -> date | None:
        return self.instalment.due_on

    @property
    def outstanding(self) -> Money:
        if self.void:
            return Money.zero(self.paid.currency)
        return self.instalment.amount - self.paid

    @property
    def touched(self) -> bool:
        """Whether it is no longer open to change."""
        return self.void or self.paid.amount > 0

    @property
    def state(self) -> InstalmentState:
        if self.void:
            return InstalmentState.VOID
        if not self.outstanding.amount:
            return InstalmentState.PAID
        if self.overdue:
            return InstalmentState.OVERDUE
        return InstalmentState.PARTLY_PAID if self.paid.amount else InstalmentState.PENDING


@dataclass(frozen=True, kw_only=True)
class PaymentPlan:
    """The instalments of one contract; none is ever paid above its amount."""

    refs: dict[str, Any]
    total: Money
    time_zone: str
    terms: tuple[Term, ...]
    payment_ids: tuple[str, ...] = ()
    """Payments that covered an instalment at any time, oldest first."""

    @property
    def outstanding(self) -> Money:
        return Money.total((term.outstanding for term in self.terms), self.total.currency)

    @property
    def paid(self) -> Money:
        return Money.total((term.paid for term in self.terms), self.total.currency)

    def debts(self) -> list[Debt]:
        return [
            Debt(id=term.id, outstanding=term.outstanding, due_on=term.due_on)
            for term in self.terms
        ]

    def term(self, instalment_id: str) -> Term:
        for term in self.terms:
            if term.id == instalment_id:
                return term
        raise NotFound("instalment", instalment_id)

    def agree_anew(self, wanted: Sequence[InstalmentTerms], new_id: NewId) -> list[Event]:
        if self.paid.amount > 0:
            raise PlanIsPaidAgainst
        return self._revised(wanted, self.total, new_id)

    def revise(self, wanted: Sequence[InstalmentTerms], new_id: NewId) -> list[Event]:
        return self._revised(wanted, self.total, new_id)

    def follow(
        self,
        total: Money,
        wanted: Sequence[InstalmentTerms] | None,
        today: date,
        new_id: NewId,
    ) -> list[Event]:
        """Bring the open instalments in line with a new price, in proportion when not told how."""
        if wanted is not None:
            return self._revised(wanted, total, new_id)
        if total == self.total:
            return []
        kept = [term.instalment for term in self.terms if term.touched]
        rest = total - self._kept()
        if rest.amount < 0:
            raise BelowWhatIsPaid(total, self._kept())
        untouched = [term.instalment for term in self.terms if not term.touched]
        if not rest.amount:
            return self._revision([*kept], total)
        if not untouched:
            due_on = today + timedelta(days=DAYS_TO_PAY)
            added = Instalment(
                instalment_id=new_id(f"instalment {len(self.terms) + 1}"),
                number=0,
                amount=rest,
                due_on=due_on,
            )
            return self._revision([*kept, added], total)
        shares = rest.split([instalment.amount.amount for instalment in untouched])
        scaled = [
            instalment.model_copy(update={"amount": share})
            for instalment, share in zip(untouched, shares, strict=True)
            if share.amount
        ]
        return self._revision([*kept, *scaled], total)

    def pay(
        self, payment_id: str, allocations: Iterable[Allocation], value_date: date
    ) -> list[Event]:
        events: list[Event] = []
        for instalment_id, amount in _by_instalment(allocations).items():
            term = self.term(instalment_id)
            if amount.currency != term.paid.currency:
                raise CurrencyDiffers(instalment_id, term.paid.currency, amount.currency)
            if amount > term.outstanding:
                raise AllocationExceedsDebt(instalment_id, amount, term.outstanding)
            outstanding = term.outstanding - amount
            events.append(
                InstalmentPaid(
                    **self.refs,
                    instalment_id=instalment_id,
                    payment_id=payment_id,
                    amount=amount,
                    paid=term.paid + amount,
                    outstanding=outstanding,
                    value_date=value_date,
                )
            )
            if not outstanding.amount:
                events.append(
                    InstalmentSettled(
                        **self.refs,
                        instalment_id=instalment_id,
                        amount=term.instalment.amount,
                        due_on=term.due_on,
                        settled_on=value_date,
                    )
                )
        return events

    def give_back(self, payment_id: str, allocations: Iterable[Allocation]) -> list[Event]:
        """Open again what a payment pays no longer."""
        events: list[Event] = []
        for instalment_id, amount in _by_instalment(allocations).items():
            term = self.term(instalment_id)
            reopened = replace(term, paid=term.paid - amount)
            events.append(
                InstalmentReopened(
                    **self.refs,
                    instalment_id=instalment_id,
                    payment_id=payment_id,
                    amount=amount,
                    paid=reopened.paid,
                    outstanding=reopened.outstanding,
                )
            )
        return events

    def reach(self, milestone: str, due_on: date) -> list[Event]:
        waiting = [term for term in self.terms if term.instalment.milestone == milestone]
        if not waiting:
            raise MilestoneUnknown(milestone)
        return [
            InstalmentScheduled(
                **self.refs,
                instalment_id=term.id,
                milestone=milestone,
                due_on=due_on,
                time_zone=self.time_zone,
            )
            for term in waiting
            if not term.void and term.due_on is None
        ]

    def note_due(self, instalment_id: str, today: date) -> list[Event]:
        """Say that the due date came, or passed, when that is so and not said yet."""
        found = [term for term in self.terms if term.id == instalment_id]
        return [event for term in found for event in self._noted(term, today)]

    def note_all_due(self, today: date) -> list[Event]:
        return [event for term in self.terms for event in self._noted(term, today)]

    def void_open(self, reason: str) -> list[Event]:
        return [
            InstalmentVoided(
                **self.refs, instalment_id=term.id, outstanding=term.outstanding, reason=reason
            )
            for term in self.terms
            if term.outstanding.amount > 0
        ]

    def _noted(self, term: Term, today: date) -> list[Event]:
        if term.due_on is None or not term.outstanding.amount:
            return []
        due = {
            **self.refs,
            "instalment_id": term.id,
            "due_on": term.due_on,
            "outstanding": term.outstanding,
        }
        if today > term.due_on:
            return [] if term.overdue else [InstalmentFellOverdue(**due)]
        if today == term.due_on and not term.fell_due:
            return [InstalmentFellDue(**due)]
        return []

    def _revised(
        self, wanted: Sequence[InstalmentTerms], total: Money, new_id: NewId
    ) -> list[Event]:
        given = {part.instalment_id for part in wanted}
        for term in self.terms:
            if term.touched and term.id in given:
                raise InstalmentIsPaidAgainst(term.id)
        kept = [term.instalment for term in self.terms if term.touched]
        first = max((term.instalment.number for term in self.terms), default=0) + 1
        _check_sum(wanted, total - self._kept())
        return self._revision([*kept, *_numbered(wanted, first, new_id)], total)

    def _kept(self) -> Money:
        """Return what the instalments that are not open to change add up to."""
        kept = (term.instalment.amount for term in self.terms if term.touched)
        return Money.total(kept, self.total.currency)

    def _revision(self, instalments: Sequence[Instalment], total: Money) -> list[Event]:
        numbered = tuple(
            instalment.model_copy(update={"number": number})
            for number, instalment in enumerate(instalments, 1)
        )
        if total == self.total and numbered == tuple(term.instalment for term in self.terms):
            return []
        remaining = {instalment.instalment_id for instalment in numbered}
        return [
            PaymentPlanRevised(
                **self.refs,
                total=total,
                instalments=numbered,
                dropped_ids=tuple(term.id for term in self.terms if term.id not in remaining),
                time_zone=self.time_zone,
            )
        ]

    @staticmethod
    def evolve(state: "PaymentPlan | None", event: Event) -> "PaymentPlan | None":
        if isinstance(event, PaymentPlanAgreed):
            return PaymentPlan(
                refs={
                    "contract_id": event.contract_id,
                    "account_id": event.account_id,
                    "opportunity_id": event.opportunity_id,
                    "lead_id": event.lead_id,
                    "owner_id": event.owner_id,
                },
                total=event.total,
                time_zone=event.time_zone,
                terms=tuple(_untouched(instalment) for instalment in event.instalments),
            )
        if state is None:
            return None
        match event:
            case PaymentPlanRevised():
                before = {term.id: term for term in state.terms}
                terms = tuple(
                    _agreed_anew(before.get(instalment.instalment_id), instalment)
                    for instalment in event.instalments
                )
                return replace(state, total=event.total, terms=terms)
            case InstalmentScheduled():
                return state._scheduled(event)
            case InstalmentFellDue():
                return state._with(event.instalment_id, fell_due=True)
            case InstalmentFellOverdue():
                return state._with(event.instalment_id, overdue=True)
            case InstalmentPaid(outstanding=outstanding, paid=paid):
                known = dict.fromkeys((*state.payment_ids, event.payment_id))
                term = state.term(event.instalment_id)
                overdue = term.overdue and outstanding.amount > 0
                paid_by = replace(state, payment_ids=tuple(known))
                return paid_by._with(term.id, paid=paid, overdue=overdue)
            case InstalmentReopened():
                return state._with(event.instalment_id, paid=event.paid)
            case InstalmentVoided():
                return state._with(event.instalment_id, void=True)
        return state

    def _scheduled(self, event: InstalmentScheduled) -> "PaymentPlan":
        instalment = self.term(event.instalment_id).instalment
        scheduled = instalment.model_copy(update={"due_on": event.due_on})
        return self._with(event.instalment_id, instalment=scheduled)

    def _with(self, instalment_id: str, **changes: Any) -> "PaymentPlan":
        terms = tuple(
            replace(term, **changes) if term.id == instalment_id else term for term in self.terms
        )
        return replace(self, terms=terms)


def agreed(
    contract_id: str, contract: Contract, wanted: Sequence[InstalmentTerms], new_id: NewId
) -> list[Event]:
    """Agree a contract's first plan."""
    _check_sum(wanted, contract.total)
    return _agreement(contract_id, contract, _numbered(wanted, 1, new_id))


def single(contract_id: str, contract: Contract, due_on: date | None, new_id: NewId) -> list[Event]:
    """Let the whole price fall due at once, where nothing else was agreed."""
    if not contract.total.amount:
        return []
    instalment = Instalment(
        instalment_id=new_id("instalment 1"), number=1, amount=contract.total, due_on=due_on
    )
    return _agreement(contract_id, contract, [instalment])


def _agreement(
    contract_id: str, contract: Contract, instalments: Sequence[Instalment]
) -> list[Event]:
    return [
        PaymentPlanAgreed(
            **contract.refs,
            contract_id=contract_id,
            total=contract.total,
            instalments=tuple(instalments),
            time_zone=contract.content.time_zone,
        )
    ]


def _check_sum(wanted: Sequence[InstalmentTerms], total: Money) -> None:
    for part in wanted:
        if part.amount.currency != total.currency:
            raise CurrencyDiffers("the contract", total.currency, part.amount.currency)
    given = sum((part.amount.amount for part in wanted), Decimal(0))
    if given != total.amount:
        raise InstalmentsDoNotAddUp(total, f"{given} {total.currency}")


def _numbered(wanted: Sequence[InstalmentTerms], first: int, new_id: NewId) -> list[Instalment]:
    instalments: dict[str, Instalment] = {}
    for number, part in enumerate(wanted, first):
        instalment_id = part.instalment_id or new_id(f"instalment {number}")
        if instalment_id in instalments:
            raise InstalmentListedTwice(instalment_id)
        instalments[instalment_id] = Instalment(
            instalment_id=instalment_id,
            number=number,
            amount=part.amount,
            due_on=part.due_on,
            milestone=part.milestone,
        )
    return list(instalments.values())


def _untouched(instalment: Instalment) -> Term:
    return Term(instalment=instalment, paid=Money.zero(instalment.amount.currency))


def _agreed_anew(term: Term | None, instalment: Instalment) -> Term:
    if term is None:
        return _untouched(instalment)
    if instalment.due_on != term.due_on:
        return replace(term, instalment=instalment, fell_due=False, overdue=False)
    return replace(term, instalment=instalment)


def _by_instalment(allocations: Iterable[Allocation]) -> dict[str, Money]:
    amounts: dict[str, Money] = {}
    for part in allocations:
        if part.instalment_id is not None:
            before = amounts.get(part.instalment_id, Money.zero(part.amount.currency))
            amounts[part.instalment_id] = before + part.amount
    return amounts
