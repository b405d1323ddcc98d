"""Deals that were made before anybody kept their facts."""

from datetime import datetime
from typing import Any

from services.pipeline.commands import ImportOpportunity, Outcome
from services.pipeline.domain.elapsed import days_between
from services.pipeline.domain.process import ProcessVersion
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.pipeline import OpportunityLost, OpportunityOpened, OpportunityWon

__all__ = ["history"]


def history(command: ImportOpportunity, process: ProcessVersion) -> list[tuple[Event, datetime]]:
    """Return what happened to a historic deal, each fact with its moment."""
    opened_at = command.opened_at or min(command.at, command.closed_at or command.at)
    closed_at = command.closed_at or command.at
    _check(command, opened_at, closed_at)
    usual = process.last if command.outcome is Outcome.WON else process.first
    stage = process.stage(command.stage) if command.stage else usual
    who: dict[str, Any] = {
        "account_id": command.account_id,
        "lead_id": command.lead_id,
        "owner_id": command.owner_id,
    }
    opened = OpportunityOpened(
        **who,
        name=command.name,
        amount=command.amount,
        product_ids=command.product_ids or (),
        expected_close_on=command.expected_close_on,
        contacts=command.contacts or (),
        team_ids=command.team_ids or (),
        next_step=command.next_step,
        **process.entry(stage, opened_at),
        stage=stage.stage,
        unit_id=command.unit_id,
        region=command.region,
        channel=command.channel,
        campaign_id=command.campaign_id,
        source=command.source,
        external_id=command.external_id,
    )
    days = days_between(opened_at, closed_at)
    end: dict[str, Any] = {
        **who,
        "amount": command.amount,
        "from_stage": stage.stage,
        "days_in_stage": days,
        "days_open": days,
        "competitor": command.competitor,
    }
    match command.outcome:
        case Outcome.WON:
            return [(opened, opened_at), (OpportunityWon(**end), closed_at)]
        case Outcome.LOST:
            lost = OpportunityLost(**end, reason=command.loss_reason or "")
            return [(opened, opened_at), (lost, closed_at)]
    return [(opened, opened_at)]


def _check(command: ImportOpportunity, opened_at: datetime, closed_at: datetime) -> None:
    found = []
    if command.outcome is not Outcome.OPEN and closed_at < opened_at:
        found.append(FieldViolation("closed_at", "lies before opened_at"))
    if command.outcome is Outcome.OPEN and command.closed_at is not None:
        found.append(FieldViolation("closed_at", "is not for an open deal"))
    if command.outcome is Outcome.LOST and command.loss_reason is None:
        found.append(FieldViolation("loss_reason", "is needed for a lost deal"))
    if found:
        raise Invalid(found)
