"""Contracts: what a customer agreed to, from the first draft to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any

from services.billing.commands import (
    ActivateContract,
    AmendContract,
    ApproveContract,
    AttachContractDocument,
    ContractChange,
    DraftContractFromQuote,
    FulfilContract,
    ImportContract,
    NewContract,
    RenewContract,
    ReturnContract,
    ReviseContract,
    SignContract,
    SubmitContract,
    TerminateContract,
    WithdrawContract,
)
from services.billing.domain.calendar import day_of
from services.billing.domain.pricing import Price, priced, without_lines
from shared.chassis.shapes import BrokenRule, Command, derived_id
from shared.events.base import Event
from shared.events.billing import (
    ContractActivated,
    ContractAmended,
    ContractApproved,
    ContractContentFact,
    ContractDocumentAttached,
    ContractDrafted,
    ContractExpired,
    ContractFulfilled,
    ContractInvoiced,
    ContractRenewed,
    ContractReturned,
    ContractRevised,
    ContractSigned,
    ContractSubmitted,
    ContractTerminated,
    ContractWithdrawn,
)
from shared.events.values import Address, Attachment, LineItem, Money

__all__ = [
    "STATUS_AFTER",
    "BelowWhatIsInvoiced",
    "Contract",
    "ContractIsNotInForce",
    "ContractIsNotPaid",
    "ContractIsRenewed",
    "ContractIsSettled",
    "ContractKeepsItsCurrency",
    "ContractStatus",
    "EndsBeforeItStarts",
    "InvoicedBeyondContract",
    "StepNotAllowed",
    "draft",
    "draft_from_quote",
    "made_up_number",
    "money_refs",
    "plan_of",
]


class ContractStatus(StrEnum):
    """Where a contract stands in its life."""

    DRAFT = "draft"
    IN_APPROVAL = "in_approval"
    APPROVED = "approved"
    SIGNED = "signed"
    ACTIVE = "active"
    FULFILLED = "fulfilled"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


UNSIGNED = {ContractStatus.DRAFT, ContractStatus.IN_APPROVAL, ContractStatus.APPROVED}
RUNNING = {ContractStatus.SIGNED, ContractStatus.ACTIVE}
IN_FORCE = RUNNING | {ContractStatus.FULFILLED, ContractStatus.EXPIRED}
ENDED = {
    ContractStatus.FULFILLED,
    ContractStatus.TERMINATED,
    ContractStatus.EXPIRED,
    ContractStatus.WITHDRAWN,
}


class StepNotAllowed(BrokenRule):
    """A contract goes from draft over approval and signature into force, step by step."""

    def __init__(self, step: str, status: ContractStatus) -> None:
        super().__init__(f"a contract that is {status} cannot be {step}", step=step, status=status)


class ContractIsSettled(BrokenRule):
    """A contract that has ended is not changed any more."""

    def __init__(self, status: ContractStatus) -> None:
        super().__init__(f"the contract is {status} and cannot be changed", status=status)


class ContractIsNotInForce(BrokenRule):
    """Only a signed contract can be invoiced."""

    def __init__(self, status: ContractStatus) -> None:
        super().__init__(f"the contract is {status}; sign it first", status=status)


class ContractIsNotPaid(BrokenRule):
    """A contract is fulfilled once it is paid."""

    def __init__(self, outstanding: Money) -> None:
        super().__init__(f"{outstanding} of the contract is still to pay", open=str(outstanding))


class ContractIsRenewed(BrokenRule):
    """A contract is continued by one other contract."""

    def __init__(self, by: str) -> None:
        super().__init__(f"the contract is continued by {by} already", renewed_by=by)


class ContractKeepsItsCurrency(BrokenRule):
    """A contract stays in the currency it was drafted in."""

    def __init__(self, currency: str, given: str) -> None:
        super().__init__(f"the contract is in {currency}, not {given}", currency=currency)


class EndsBeforeItStarts(BrokenRule):
    """A term ends after it starts."""

    sentence = "the contract would end before it starts"


class InvoicedBeyondContract(BrokenRule):
    """What is invoiced in all never exceeds the contract's total."""

    def __init__(self, wanted: Money, left: Money) -> None:
        super().__init__(
            f"{wanted} is more than the {left} of the contract not invoiced yet",
            wanted=str(wanted),
            left=str(left),
        )


class BelowWhatIsInvoiced(BrokenRule):
    """An amendment keeps the total at or above what is invoiced."""

    def __init__(self, total: Money, invoiced: Money) -> None:
        super().__init__(
            f"{invoiced} is invoiced; credit invoices before lowering the total to {total}",
            total=str(total),
            invoiced=str(invoiced),
        )


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is agreed, as it stands."""

    title: str | None
    lines: tuple[LineItem, ...]
    net: Money
    tax: Money
    total: Money
    starts_on: date | None
    ends_on: date | None
    our_party: str | None
    contact_id: str | None
    delivery_address: Address | None
    terms: str | None
    sla_policy_id: str | None
    time_zone: str

    @classmethod
    def of(cls, source: ContractContentFact) -> "Content":
        return cls(**{field.name: getattr(source, field.name) for field in fields(cls)})

    def facts(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def with_price(self, price: Price) -> "Content":
        return replace(self, lines=price.lines, net=price.net, tax=price.tax, total=price.total)

    def changed_by(self, command: ContractChange) -> "Content":
        """Return what would stand after the change."""
        terms: dict[str, Any] = dict.fromkeys(command.cleared)
        for name in _TERMS:
            if (value := getattr(command, name)) is not None:
                terms[name] = value
        changed = replace(self, **terms)
        if command.lines is not None:
            changed = changed.with_price(priced(command.lines, self.total.currency))
        if command.amount is not None:
            if command.amount.currency != self.total.currency:
                raise ContractKeepsItsCurrency(self.total.currency, command.amount.currency)
            changed = changed.with_price(without_lines(command.amount))
        if changed.starts_on and changed.ends_on and changed.ends_on < changed.starts_on:
            raise EndsBeforeItStarts
        return changed

    def differences(self, other: "Content") -> tuple[str, ...]:
        """Return the names of the fields in which the other differs."""
        return tuple(
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )


_TERMS = (
    "title",
    "starts_on",
    "ends_on",
    "our_party",
    "contact_id",
    "delivery_address",
    "terms",
    "sla_policy_id",
)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """An agreement with a customer: drafted, signed, in force, and at its end fulfilled or not."""

    status: ContractStatus
    number: str
    account_id: str
    opportunity_id: str | None = None
    lead_id: str | None = None
    owner_id: str | None = None
    quote_id: str | None = None
    content: Content
    invoiced: Money
    invoice_ids: tuple[str, ...] = ()
    """Issued and not voided, oldest first."""
    amendments: int = 0
    renewed_by: str | None = None
    documents: frozenset[str] = frozenset()

    @property
    def total(self) -> Money:
        return self.content.total

    @property
    def price(self) -> Price:
        content = self.content
        return Price(lines=content.lines, net=content.net, tax=content.tax, total=content.total)

    @property
    def in_force(self) -> bool:
        return self.status in IN_FORCE

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def unsigned(self) -> bool:
        return self.status in UNSIGNED

    @property
    def dropped(self) -> bool:
        """Whether it ended so that nothing more is asked for than was invoiced."""
        return self.ended and not self.in_force

    def revise(self, command: ReviseContract) -> list[Event]:
        self._require({ContractStatus.DRAFT}, "revised")
        content = self.content.changed_by(command)
        changed = self.content.differences(content)
        if not changed:
            return []
        return [ContractRevised(**self.refs, **content.facts(), changed=changed)]

    def submit(self, command: SubmitContract) -> list[Event]:
        if self.status is ContractStatus.IN_APPROVAL:
            return []
        self._require({ContractStatus.DRAFT}, "submitted")
        return [ContractSubmitted(**self.refs, total=self.total)]

    def approve(self, command: ApproveContract) -> list[Event]:
        if self.status is ContractStatus.APPROVED:
            return []
        self._require({ContractStatus.IN_APPROVAL}, "approved")
        return [ContractApproved(**self.refs, total=self.total, note=command.note)]

    def send_back(self, command: ReturnContract) -> list[Event]:
        self._require({ContractStatus.IN_APPROVAL}, "returned")
        return [ContractReturned(**self.refs, reason=command.reason, note=command.note)]

    def withdraw(self, command: WithdrawContract) -> list[Event]:
        if self.status is ContractStatus.WITHDRAWN:
            return []
        self._require(UNSIGNED, "withdrawn")
        return [ContractWithdrawn(**self.refs, reason=command.reason)]

    def sign(self, command: SignContract) -> list[Event]:
        if self.status in RUNNING:
            return []
        self._require({ContractStatus.DRAFT, ContractStatus.APPROVED}, "signed")
        approval: list[Event] = []
        if self.status is ContractStatus.DRAFT:
            approval = [ContractApproved(**self.refs, total=self.total)]
        return [
            *approval,
            ContractSigned(
                **self.refs,
                signed_on=command.signed_on or day_of(command.at, self.content.time_zone),
                total=self.total,
                our_signatory=command.our_signatory,
                their_signatory=command.their_signatory,
            ),
        ]

    def activate(self, command: ActivateContract) -> list[Event]:
        if self.status is ContractStatus.ACTIVE:
            return []
        self._require({ContractStatus.SIGNED}, "activated")
        today = day_of(command.at, self.content.time_zone)
        starts_on = command.starts_on or self.content.starts_on or today
        return [self._activated(starts_on)]

    def fulfil(self, command: FulfilContract, outstanding: Money) -> list[Event]:
        if self.status is ContractStatus.FULFILLED:
            return []
        self._require({ContractStatus.ACTIVE}, "fulfilled")
        if outstanding.amount > 0:
            raise ContractIsNotPaid(outstanding)
        on = day_of(command.at, self.content.time_zone)
        return [ContractFulfilled(**self.refs, total=self.total, on=on)]

    def terminate(self, command: TerminateContract) -> list[Event]:
        if self.status is ContractStatus.TERMINATED:
            return []
        self._require(RUNNING, "terminated")
        on = day_of(command.at, self.content.time_zone)
        return [ContractTerminated(**self.refs, on=on, reason=command.reason, note=command.note)]

    def amend(self, command: AmendContract) -> list[Event]:
        self._require(RUNNING, "amended")
        content = self.content.changed_by(command)
        changed = self.content.differences(content)
        if not changed:
            return []
        if content.total < self.invoiced:
            raise BelowWhatIsInvoiced(content.total, self.invoiced)
        return [
            ContractAmended(
                **self.refs,
                **content.facts(),
                amendment=self.amendments + 1,
                changed=changed,
                reason=command.reason,
            )
        ]

    def expire(self, today: date) -> list[Event]:
        ends_on = self.content.ends_on
        if self.status is not ContractStatus.ACTIVE or ends_on is None or ends_on >= today:
            return []
        return [ContractExpired(**self.refs, on=ends_on)]

    def attach(self, command: AttachContractDocument) -> list[Event]:
        if _digest(command.document) in self.documents:
            return []
        if self.status is ContractStatus.WITHDRAWN:
            raise ContractIsSettled(self.status)
        return [ContractDocumentAttached(**self.refs, document=command.document)]

    def renew(
        self,
        contract_id: str,
        renewal_id: str,
        number: str,
        command: RenewContract,
        before: "Contract | None",
    ) -> tuple[list[Event], list[Event]]:
        """Return the facts about this contract and about the one that continues it.

        A renewal drafted `before` and withdrawn makes room for another.
        """
        withdrawn = before is not None and before.status is ContractStatus.WITHDRAWN
        if self.renewed_by is not None and not withdrawn:
            raise ContractIsRenewed(self.renewed_by)
        self._require({*RUNNING, ContractStatus.FULFILLED, ContractStatus.EXPIRED}, "renewed")
        if command.ends_on is not None and command.ends_on < command.starts_on:
            raise EndsBeforeItStarts
        term = replace(self.content, starts_on=command.starts_on, ends_on=command.ends_on)
        return [ContractRenewed(**self.refs, by_contract_id=renewal_id)], [
            ContractDrafted(**self.refs, **term.facts(), number=number, renews_id=contract_id)
        ]

    def invoice(self, invoice_id: str, amount: Money) -> list[Event]:
        """Take note of an invoice issued, or of one voided or credited when below zero."""
        if amount.amount > 0:
            self.check_invoiceable(amount)
        return [
            ContractInvoiced(
                **self.refs,
                invoice_id=invoice_id,
                amount=amount,
                invoiced=self.invoiced + amount,
            )
        ]

    def check_invoiceable(self, amount: Money) -> None:
        if not self.in_force:
            raise ContractIsNotInForce(self.status)
        if amount > self.total - self.invoiced:
            raise InvoicedBeyondContract(amount, self.total - self.invoiced)

    def lived(self, command: ImportContract) -> list[tuple[Any, Event]]:
        """Return what an import says happened after the drafting, each with its moment."""
        zone = self.content.time_zone
        life: list[tuple[Any, Event]] = []
        if command.signed_at:
            signed_on = day_of(command.signed_at, zone)
            signed = ContractSigned(**self.refs, signed_on=signed_on, total=self.total)
            life.append((command.signed_at, signed))
        if command.activated_at:
            starts_on = self.content.starts_on or day_of(command.activated_at, zone)
            life.append((command.activated_at, self._activated(starts_on)))
        if at := command.fulfilled_at:
            on = day_of(at, zone)
            life.append((at, ContractFulfilled(**self.refs, total=self.total, on=on)))
        if at := command.terminated_at:
            reason = command.termination_reason
            ended = ContractTerminated(**self.refs, on=day_of(at, zone), reason=reason)
            life.append((at, ended))
        return life

    @property
    def refs(self) -> dict[str, Any]:
        """The ids every fact about this contract carries."""
        return {
            "account_id": self.account_id,
            "opportunity_id": self.opportunity_id,
            "lead_id": self.lead_id,
            "owner_id": self.owner_id,
        }

    def _activated(self, starts_on: date) -> ContractActivated:
        ends_on = self.content.ends_on
        if ends_on is not None and ends_on < starts_on:
            raise EndsBeforeItStarts
        return ContractActivated(
            **self.refs,
            number=self.number,
            total=self.total,
            starts_on=starts_on,
            ends_on=ends_on,
            sla_policy_id=self.content.sla_policy_id,
            time_zone=self.content.time_zone,
        )

    def _require(self, allowed: set[ContractStatus], step: str) -> None:
        if self.status in allowed:
            return
        if self.ended:
            raise ContractIsSettled(self.status)
        raise StepNotAllowed(step, self.status)

    @staticmethod
    def evolve(state: "Contract | None", event: Event) -> "Contract | None":
        if isinstance(event, ContractDrafted):
            return Contract(
                status=ContractStatus.DRAFT,
                number=event.number,
                account_id=event.account_id,
                opportunity_id=event.opportunity_id,
                lead_id=event.lead_id,
                owner_id=event.owner_id,
                quote_id=event.quote_id,
                content=Content.of(event),
                invoiced=Money.zero(event.total.currency),
            )
        if state is None:
            return None
        if status := STATUS_AFTER.get(type(event)):
            state = replace(state, status=status)
        match event:
            case ContractRevised():
                return replace(state, content=Content.of(event))
            case ContractAmended():
                return replace(state, content=Content.of(event), amendments=event.amendment)
            case ContractActivated():
                return replace(state, content=replace(state.content, starts_on=event.starts_on))
            case ContractInvoiced():
                return state._invoiced(event)
            case ContractRenewed():
                return replace(state, renewed_by=event.by_contract_id)
            case ContractDocumentAttached(document=document) if document:
                return replace(state, documents=state.documents | {_digest(document)})
        return state

    def _invoiced(self, event: ContractInvoiced) -> "Contract":
        known = self.invoice_ids
        if event.invoice_id not in known:
            known = (*known, event.invoice_id)
        return replace(self, invoiced=event.invoiced, invoice_ids=known)


STATUS_AFTER: Mapping[type[Event], ContractStatus] = {
    ContractDrafted: ContractStatus.DRAFT,
    ContractSubmitted: ContractStatus.IN_APPROVAL,
    ContractApproved: ContractStatus.APPROVED,
    ContractReturned: ContractStatus.DRAFT,
    ContractSigned: ContractStatus.SIGNED,
    ContractActivated: ContractStatus.ACTIVE,
    ContractFulfilled: ContractStatus.FULFILLED,
    ContractTerminated: ContractStatus.TERMINATED,
    ContractExpired: ContractStatus.EXPIRED,
    ContractWithdrawn: ContractStatus.WITHDRAWN,
}


def plan_of(contract_id: str) -> str:
    """Return the id of a contract's payment plan: it has one."""
    return f"{contract_id}.plan"


def money_refs(contract: Contract | None) -> dict[str, Any]:
    """Return where the money of a contract came from, as its payments and invoices say it."""
    if contract is None:
        return {}
    return {"opportunity_id": contract.opportunity_id, "lead_id": contract.lead_id}


def draft(command: NewContract) -> list[Event]:
    """Draw up a contract as the command puts it."""
    price = (
        without_lines(command.amount)
        if command.amount is not None
        else priced(command.lines, command.currency or "")
    )
    imported = command.envelope.import_id is not None
    return [
        ContractDrafted(
            number=command.number or made_up_number(command),
            account_id=command.account_id,
            opportunity_id=command.opportunity_id,
            lead_id=command.lead_id,
            owner_id=command.owner_id or (None if imported else command.by.id),
            quote_id=command.quote_id,
            unit_id=command.unit_id,
            region=command.region,
            channel=command.channel,
            source=command.source,
            external_id=command.external_id,
            **_price(price),
            **{name: getattr(command, name) for name in _TERMS},
            time_zone=command.time_zone,
        )
    ]


def draft_from_quote(command: DraftContractFromQuote) -> list[Event]:
    """Draw up what the customer accepted."""
    return [
        ContractDrafted(
            number=made_up_number(command),
            account_id=command.account_id,
            opportunity_id=command.opportunity_id,
            lead_id=command.lead_id,
            owner_id=command.owner_id,
            quote_id=command.quote_id,
            unit_id=command.unit_id,
            title=f"Quote {command.quote_number}",
            lines=command.lines,
            net=command.net,
            tax=command.tax,
            total=command.total,
            contact_id=command.contact_id,
            terms=command.terms,
        )
    ]


def made_up_number(command: Command) -> str:
    """Return a contract number that says the day and is the same on every retry."""
    tail = derived_id(command.at, command.envelope.command_id, "contract number")[-8:]
    return f"C{command.at:%Y%m%d}-{tail.upper()}"


def _price(price: Price) -> dict[str, Any]:
    return {"lines": price.lines, "net": price.net, "tax": price.tax, "total": price.total}


def _digest(document: Attachment) -> str:
    return f"{document.uri}#{document.sha256 or ''}"
