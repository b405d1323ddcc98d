"""Every opportunity with its dimensions, and every stay in a stage."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Column, Date, Index, Integer, MetaData, String, Table

from shared.chassis.shapes import Amount, Instant, Key, Projection, Row, blank
from shared.events.base import Recorded
from shared.events.pipeline import (
    OpportunityChanged,
    OpportunityLost,
    OpportunityOpened,
    OpportunityOwnerChanged,
    OpportunityReopened,
    OpportunityWithdrawn,
    OpportunityWon,
    StageMoved,
)

__all__ = ["Deals", "StageStays", "deals", "stage_stays"]

deals = Table(
    "deals",
    MetaData(),
    Column("opportunity_id", String, primary_key=True),
    Column("account_id", String),
    Column("lead_id", String),
    Column("name", String),
    Column("process_id", String),
    Column("stage", String),
    Column("forecast", String),
    Column("probability", Integer),
    Column("status", String),
    Column("amount", Amount),
    Column("currency", String),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("team_ids", JSON),
    Column("region", String),
    Column("channel", String),
    Column("campaign_id", String),
    Column("product_ids", JSON),
    Column("next_step", String),
    Column("expected_close_on", Date),
    Column("lost_reason", String),
    Column("opened_at", Instant),
    Column("stage_since", Instant),
    Column("closed_at", Instant),
    Index("deals_account", "account_id"),
    Index("deals_status", "status", "stage"),
)

stage_stays = Table(
    "stage_stays",
    MetaData(),
    Column("opportunity_id", String, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("stage", String),
    Column("entered_at", Instant),
    Column("moved_by", String),
    Column("from_stage", String),
    Column("days_in_previous", Amount),
    Index("stage_stays_stage", "stage"),
)

_ALL = (
    OpportunityOpened,
    OpportunityChanged,
    OpportunityOwnerChanged,
    StageMoved,
    OpportunityWon,
    OpportunityLost,
    OpportunityReopened,
    OpportunityWithdrawn,
)


class Deals(Projection):
    """One row per opportunity: what it is worth, who pursues it, where it stands."""

    table, version = deals, 2
    events = _ALL

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The opportunity."""
        return ((recorded.stream_id,),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Follow the deal."""
        was: Row = row if row is not None else blank(deals, key)
        at, event = recorded.occurred_at, recorded.event
        known = {"account_id": event.account_id or was["account_id"]}
        match event:
            case OpportunityOpened():
                return {
                    **was,
                    **known,
                    "lead_id": event.lead_id,
                    "process_id": event.process_id,
                    "stage": event.stage,
                    "forecast": event.forecast,
                    "probability": event.probability,
                    "status": "open",
                    "owner_id": event.owner_id,
                    "unit_id": event.unit_id,
                    "region": event.region,
                    "channel": event.channel,
                    "campaign_id": event.campaign_id,
                    "opened_at": at,
                    "stage_since": at,
                    **_description(event),
                }
            case OpportunityChanged():
                return {**was, **known, **_description(event)}
            case OpportunityOwnerChanged():
                return {**was, **known, "owner_id": event.owner_id, "unit_id": event.unit_id}
            case StageMoved():
                return {
                    **was,
                    **known,
                    "stage": event.to_stage,
                    "forecast": event.forecast,
                    "probability": event.probability,
                    "stage_since": at,
                }
            case OpportunityWon():
                return {**was, **known, **_amount(event), "status": "won", "closed_at": at}
            case OpportunityLost():
                return {
                    **was,
                    **known,
                    "status": "lost",
                    "closed_at": at,
                    "lost_reason": event.reason,
                }
            case OpportunityReopened():
                return {
                    **was,
                    **known,
                    "status": "open",
                    "stage": event.to_stage,
                    "forecast": event.forecast,
                    "probability": event.probability,
                    "stage_since": at,
                    "closed_at": None,
                    "lost_reason": None,
                }
            case OpportunityWithdrawn():
                return {**was, **known, "status": "withdrawn", "closed_at": at}
        return row


class StageStays(Projection):
    """One row per stay of an opportunity in a stage: the exact log of its moves."""

    table = stage_stays
    events = (OpportunityOpened, StageMoved, OpportunityReopened)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """The opportunity and the version that brought it there."""
        return ((recorded.stream_id, recorded.version),)

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        """Keep the stay."""
        event = recorded.event
        moved = isinstance(event, StageMoved)
        return {
            **blank(stage_stays, key),
            "stage": event.stage if isinstance(event, OpportunityOpened) else event.to_stage,
            "entered_at": recorded.occurred_at,
            "moved_by": recorded.actor,
            "from_stage": event.from_stage if moved else None,
            "days_in_previous": event.days_in_stage if moved else None,
        }


def _description(event: OpportunityOpened | OpportunityChanged) -> dict[str, Any]:
    return {
        **_amount(event),
        "name": event.name,
        "product_ids": list(event.product_ids),
        "team_ids": list(event.team_ids),
        "next_step": event.next_step,
        "expected_close_on": event.expected_close_on,
    }


def _amount(event: Any) -> dict[str, Any]:
    if event.amount is None:
        return {}
    return {"amount": event.amount.amount, "currency": event.amount.currency}
