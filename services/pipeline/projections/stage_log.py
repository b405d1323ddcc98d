"""Every stage a deal stood in, and for how long."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, Integer, MetaData, String, Table

from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.events.base import Recorded
from shared.events.pipeline import (
    OpportunityLost,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityWon,
    StageMoved,
)
from shared.events.values import OpportunityId

__all__ = ["ListStageMoves", "StageLog", "StageMoveView", "list_stage_moves"]

Step = OpportunityOpened | StageMoved | OpportunityWon | OpportunityLost | OpportunityReopened

stage_log = Table(
    "stage_log",
    MetaData(),
    Column("opportunity_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("from_stage", String),
    Column("to_stage", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String, nullable=False),
    Column("days_in_stage", Amount),
    Column("amount", Amount),
    Column("currency", String),
)


class StageLog(Projection):
    """One row per step of a deal, never changed afterwards."""

    table = stage_log
    events = (OpportunityOpened, StageMoved, OpportunityWon, OpportunityLost, OpportunityReopened)

    @staticmethod
    def keys(recorded: Recorded[Step]) -> Iterable[Key]:
        return [(recorded.stream_id, recorded.version)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Step]) -> Row | None:
        del row
        return {
            "opportunity_id": key[0],
            "version": key[1],
            "from_stage": None,
            "days_in_stage": None,
            "amount": None,
            "currency": None,
            **_step(recorded.event),
            "at": recorded.occurred_at,
            "by": recorded.actor,
        }


def _step(event: Step) -> Row:
    match event:
        case OpportunityOpened():
            step: Row = {"to_stage": event.stage}
        case OpportunityReopened():
            return {"to_stage": event.to_stage}
        case StageMoved():
            step = {
                "from_stage": event.from_stage,
                "to_stage": event.to_stage,
                "days_in_stage": event.days_in_stage,
            }
        case OpportunityWon() | OpportunityLost():
            step = {
                "from_stage": event.from_stage,
                "to_stage": "won" if isinstance(event, OpportunityWon) else "lost",
                "days_in_stage": event.days_in_stage,
            }
    if event.amount is None:
        return step
    return {**step, "amount": event.amount.amount, "currency": event.amount.currency}


class StageMoveView(View):
    """A step of a deal from one stage to the next, or to its end."""

    opportunity_id: str
    version: int
    from_stage: str | None
    to_stage: str
    """A stage, `won` or `lost`."""
    at: datetime
    by: str
    days_in_stage: Decimal | None
    """How long it had stood in the stage it left."""
    amount: Decimal | None
    currency: str | None


class ListStageMoves(ListQuery, http="GET /v1/opportunities/{opportunity_id}/moves"):
    """List the steps of a deal, in order."""

    opportunity_id: OpportunityId


def list_stage_moves(query: ListStageMoves, reader: Reader) -> Page[StageMoveView]:
    return listed(
        query,
        reader,
        stage_log,
        StageMoveView,
        where=(stage_log.c.opportunity_id == query.opportunity_id,),
        order_by="version",
    )
