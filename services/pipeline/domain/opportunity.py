"""A need the company may win."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.pipeline.commands import (
    AssignOpportunityOwner,
    ChangeOpportunity,
    LoseOpportunity,
    MoveOpportunity,
    NoteStall,
    OpenConvertedOpportunity,
    OpenOpportunity,
    ReopenOpportunity,
    WinOpportunity,
    WithdrawOpportunity,
)
from services.pipeline.domain.elapsed import days_between
from services.pipeline.domain.process import ProcessVersion
from shared.chassis.shapes import BrokenRule, FieldViolation, Invalid
from shared.events.base import Event
from shared.events.pipeline import (
    DealRole,
    OpportunityChanged,
    OpportunityDescriptionFact,
    OpportunityFact,
    OpportunityLost,
    OpportunityOpened,
    OpportunityOwnerChanged,
    OpportunityReopened,
    OpportunityStalled,
    OpportunityWithdrawn,
    OpportunityWon,
    QuoteAccepted,
    Stage,
    StageMoved,
)

__all__ = [
    "DealsMoveForwardInTime",
    "MoveIsNotAllowed",
    "Opportunity",
    "OpportunityIsClosed",
    "OpportunityIsOpen",
    "OpportunityIsWithdrawn",
    "OpportunityStatus",
    "StageAsksForMore",
    "TheCustomerStays",
]

_FIELDS = tuple(
    name
    for name in OpportunityDescriptionFact.model_fields
    if name not in OpportunityFact.model_fields
)
_NEVER_EMPTY = frozenset({"name"})
_EMPTY: Mapping[str, Any] = {"product_ids": (), "contacts": (), "team_ids": ()}


class OpportunityStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class OpportunityIsClosed(BrokenRule):
    sentence = "The opportunity is won or lost; reopen it first."


class OpportunityIsOpen(BrokenRule):
    sentence = "The opportunity is open already."


class OpportunityIsWithdrawn(BrokenRule):
    sentence = "The opportunity left the books when its conversion was reverted."


class MoveIsNotAllowed(BrokenRule):
    sentence = "The sales process does not allow this move."


class StageAsksForMore(BrokenRule):
    sentence = "The stage cannot be entered yet."


class DealsMoveForwardInTime(BrokenRule):
    sentence = "Nothing can happen to a deal before it entered its stage."


class TheCustomerStays(BrokenRule):
    sentence = "A deal cannot pass from one customer to another."


@dataclass(frozen=True, kw_only=True)
class Opportunity:
    """A deal on its way through its sales process, until it is won or lost."""

    description: Mapping[str, Any]
    account_id: str | None
    lead_id: str | None
    owner_id: str | None
    unit_id: str | None
    process_id: str
    process_version: int
    stage: str
    opened_at: datetime
    entered_at: datetime
    stalls_at: datetime | None = None
    stalled: bool = False
    status: OpportunityStatus = OpportunityStatus.OPEN

    @staticmethod
    def open(command: OpenOpportunity, process: ProcessVersion) -> list[Event]:
        return [
            OpportunityOpened(
                account_id=command.account_id,
                owner_id=command.owner_id or command.by.id,
                name=command.name,
                amount=command.amount,
                product_ids=command.product_ids or (),
                expected_close_on=command.expected_close_on,
                contacts=command.contacts or (),
                team_ids=command.team_ids or (),
                next_step=command.next_step,
                **process.entry(process.first, command.at),
                stage=process.first.stage,
                unit_id=command.unit_id,
                region=command.region,
                channel=command.channel,
                campaign_id=command.campaign_id,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    @staticmethod
    def open_converted(command: OpenConvertedOpportunity, process: ProcessVersion) -> list[Event]:
        contact_id = command.contact_id
        return [
            OpportunityOpened(
                account_id=command.account_id,
                lead_id=command.lead_id,
                owner_id=command.owner_id,
                name=command.name,
                amount=command.amount,
                product_ids=command.product_ids,
                expected_close_on=command.expected_close_on,
                contacts=(DealRole(contact_id=contact_id, role="lead"),) if contact_id else (),
                **process.entry(process.first, command.at),
                stage=process.first.stage,
                unit_id=command.unit_id,
                region=command.region,
                channel=command.channel,
                campaign_id=command.campaign_id,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    def change(self, command: ChangeOpportunity) -> list[Event]:
        self._must_be_in_the_books()
        account_id = command.account_id or self.account_id
        if self.account_id is not None and account_id != self.account_id:
            raise TheCustomerStays(account_id=self.account_id)
        after = self._amended(command)
        changed = [name for name in _FIELDS if after[name] != self.description[name]]
        if account_id != self.account_id:
            changed.append("account_id")
        if "amount" in changed:
            self.must_be_open()
        if not changed:
            return []
        return [
            OpportunityChanged(
                **after, **self._who() | {"account_id": account_id}, changed=tuple(changed)
            )
        ]

    def assign_owner(self, command: AssignOpportunityOwner) -> list[Event]:
        self._must_be_in_the_books()
        unit_id = command.unit_id or self.unit_id
        if (command.owner_id, unit_id) == (self.owner_id, self.unit_id):
            return []
        return [
            OpportunityOwnerChanged(
                **self._who() | {"owner_id": command.owner_id},
                unit_id=unit_id,
                previous_owner_id=self.owner_id,
                reason=command.reason,
            )
        ]

    def move(
        self, command: MoveOpportunity, stands_in: ProcessVersion, latest: ProcessVersion
    ) -> list[Event]:
        """Move by the latest version's rules; a stage it dropped is left by those of its own.

        When the latest has none of the stages these lead to, its first one is the way on.
        """
        self.must_be_open()
        if command.to_stage == self.stage:
            return []
        to_stage = latest.stage(command.to_stage)
        rules = latest if latest.has(self.stage) else stands_in
        allowed = tuple(slug for slug in rules.moves_from(self.stage) if latest.has(slug))
        self._must_reach(to_stage, allowed or (latest.first.stage,), command.confirmed)
        return [
            StageMoved(
                **self._who(),
                **latest.entry(to_stage, command.at),
                from_stage=self.stage,
                to_stage=to_stage.stage,
                days_in_stage=self._days_in_stage(command.at),
                amount=self.description["amount"],
                confirmed=tuple(p for p in to_stage.checklist if p in command.confirmed),
            )
        ]

    def note_stall(self, command: NoteStall) -> list[Event]:
        stands_there = (self.stage, self.entered_at) == (command.stage, command.entered_at)
        if self.status is not OpportunityStatus.OPEN or not stands_there or self.stalled:
            return []
        if self.stalls_at is None or command.at < self.stalls_at:
            return []
        return [OpportunityStalled(**self._who(), stage=self.stage, entered_at=self.entered_at)]

    def win(
        self, command: WinOpportunity, quote_id: str | None, quote: QuoteAccepted | None
    ) -> list[Event]:
        if self.status is OpportunityStatus.WON:
            return []
        self.must_be_open()
        amount = command.amount or (quote.total if quote else self.description["amount"])
        return [
            OpportunityWon(
                **self._who(),
                amount=amount,
                from_stage=self.stage,
                days_in_stage=self._days_in_stage(command.at),
                days_open=days_between(self.opened_at, command.at),
                quote_id=quote_id,
                competitor=command.competitor,
                review=command.review,
            )
        ]

    def lose(self, command: LoseOpportunity) -> list[Event]:
        if self.status is OpportunityStatus.LOST:
            return []
        self.must_be_open()
        return [
            OpportunityLost(
                **self._who(),
                reason=command.reason,
                amount=self.description["amount"],
                from_stage=self.stage,
                days_in_stage=self._days_in_stage(command.at),
                days_open=days_between(self.opened_at, command.at),
                competitor=command.competitor,
                review=command.review,
            )
        ]

    def reopen(self, command: ReopenOpportunity, stands_in: ProcessVersion) -> list[Event]:
        self._must_be_in_the_books()
        if self.status is OpportunityStatus.OPEN:
            raise OpportunityIsOpen
        self._days_in_stage(command.at)
        stage = stands_in.stage(command.to_stage or self.stage)
        if stage.stage != self.stage:
            self._must_reach(stage, stands_in.moves_from(self.stage), command.confirmed)
        return [
            OpportunityReopened(
                **self._who(),
                to_stage=stage.stage,
                entered_at=command.at,
                stalls_at=stands_in.stalls_at(stage, command.at),
                probability=stage.probability,
                forecast=stage.forecast,
                confirmed=tuple(p for p in stage.checklist if p in command.confirmed),
                reason=command.reason,
                note=command.note,
            )
        ]

    def withdraw(self, command: WithdrawOpportunity) -> list[Event]:
        if self.status is OpportunityStatus.WITHDRAWN or self.lead_id != command.lead_id:
            return []
        return [OpportunityWithdrawn(**self._who(), reason=command.reason)]

    def must_be_open(self) -> None:
        self._must_be_in_the_books()
        if self.status is not OpportunityStatus.OPEN:
            raise OpportunityIsClosed(status=self.status.value)

    def _must_be_in_the_books(self) -> None:
        if self.status is OpportunityStatus.WITHDRAWN:
            raise OpportunityIsWithdrawn

    def _must_reach(
        self, stage: Stage, allowed: tuple[str, ...], confirmed: tuple[str, ...]
    ) -> None:
        if stage.stage not in allowed:
            raise MoveIsNotAllowed(
                f"From {self.stage} a deal goes to {', '.join(allowed) or 'no other stage'}, "
                f"not to {stage.stage}.",
                from_stage=self.stage,
                to_stage=stage.stage,
                allowed=list(allowed),
            )
        known = {**self.description, **self._who()}
        missing = [name for name in stage.required_fields if not known.get(name)]
        unconfirmed = [point for point in stage.checklist if point not in confirmed]
        if missing or unconfirmed:
            wanting = [*missing, *(f"“{point}” confirmed" for point in unconfirmed)]
            raise StageAsksForMore(
                f"The stage {stage.name} needs {', '.join(wanting)}.",
                missing_fields=missing,
                unconfirmed=unconfirmed,
            )

    def _amended(self, command: ChangeOpportunity) -> dict[str, Any]:
        refused = [
            FieldViolation(f"clear.{place}", f"{name!r} cannot be cleared")
            for place, name in enumerate(command.clear)
            if name not in _FIELDS or name in _NEVER_EMPTY or getattr(command, name) is not None
        ]
        if refused:
            raise Invalid(refused)
        after = dict(self.description)
        for name in _FIELDS:
            if name in command.clear:
                after[name] = _EMPTY.get(name)
            elif (wish := getattr(command, name)) is not None:
                after[name] = wish
        return after

    def _days_in_stage(self, at: datetime) -> Decimal:
        if at < self.entered_at:
            raise DealsMoveForwardInTime(entered_at=self.entered_at.isoformat())
        return days_between(self.entered_at, at)

    def _who(self) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "lead_id": self.lead_id,
            "owner_id": self.owner_id,
        }

    @staticmethod
    def evolve(state: "Opportunity | None", event: Event) -> "Opportunity | None":
        if isinstance(event, OpportunityOpened):
            return Opportunity(
                description={name: getattr(event, name) for name in _FIELDS},
                account_id=event.account_id,
                lead_id=event.lead_id,
                owner_id=event.owner_id,
                unit_id=event.unit_id,
                process_id=event.process_id,
                process_version=event.process_version,
                stage=event.stage,
                opened_at=event.entered_at,
                entered_at=event.entered_at,
                stalls_at=event.stalls_at,
            )
        return None if state is None else _after(state, event)


def _after(deal: Opportunity, event: Event) -> Opportunity:
    match event:
        case OpportunityChanged():
            description = {name: getattr(event, name) for name in _FIELDS}
            return replace(deal, description=description, account_id=event.account_id)
        case OpportunityOwnerChanged():
            return replace(deal, owner_id=event.owner_id, unit_id=event.unit_id)
        case StageMoved():
            return replace(
                deal,
                process_id=event.process_id,
                process_version=event.process_version,
                stage=event.to_stage,
                entered_at=event.entered_at,
                stalls_at=event.stalls_at,
                stalled=False,
            )
        case OpportunityReopened():
            return replace(
                deal,
                status=OpportunityStatus.OPEN,
                stage=event.to_stage,
                entered_at=event.entered_at,
                stalls_at=event.stalls_at,
                stalled=False,
            )
        case OpportunityStalled():
            return replace(deal, stalled=True)
        case OpportunityWon():
            description = {**deal.description, "amount": event.amount}
            return replace(deal, status=OpportunityStatus.WON, description=description)
        case OpportunityLost():
            return replace(deal, status=OpportunityStatus.LOST)
        case OpportunityWithdrawn():
            return replace(deal, status=OpportunityStatus.WITHDRAWN)
    return deal
