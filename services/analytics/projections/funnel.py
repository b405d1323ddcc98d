"""The sales funnel, the pipeline by stage, and what each channel is worth."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, Table, func, null, select

from services.analytics.projections.deals import deals, stage_stays
from services.analytics.projections.leads import leads
from shared.chassis.shapes import PastQuery, Reader, View, month_of
from shared.events.values import Label, Money

__all__ = ["GetFunnel", "ListChannels", "get_funnel", "list_channels"]

STAGES = ("captured", "assigned", "contacted", "qualified", "converted", "won", "paid")

By = Literal[
    "channel", "campaign", "owner", "unit", "region", "industry", "product", "grade", "month",
    "won_month",
]  # fmt: skip

_DIMENSIONS: dict[str, Any] = {
    "channel": leads.c.channel,
    "campaign": leads.c.campaign_id,
    "owner": leads.c.owner_id,
    "unit": leads.c.unit_id,
    "region": leads.c.region,
    "industry": leads.c.industry,
    "product": leads.c.product_id,
    "grade": leads.c.grade,
    "month": "captured_at",
    "won_month": "won_at",
}


class GetFunnel(PastQuery, http="GET /v1/funnel"):
    """How many leads, and how much money, reached each stage, and where they dropped off.

    The cohort view counts the leads captured in the period by the furthest stages they ever
    reached: who skipped a stage has passed it. The snapshot view counts where each of them stands.
    The pipeline is cut to the same channel, campaign, owner, unit and region, by what the deals
    say, and to the deals of leads captured in the period, if one is given.
    """

    by: By | None = None
    view: Literal["cohort", "snapshot"] = "cohort"
    captured_from: date | None = None
    captured_to: date | None = None
    """The last day, included."""
    channel: Label | None = None
    campaign_id: Label | None = None
    owner_id: Label | None = None
    unit_id: Label | None = None
    region: Label | None = None


class StageView(View):
    """One stage of a funnel."""

    stage: str
    count: int
    amounts: list[Money] = []
    """What was won or paid by then, per currency."""
    conversion: float | None = None
    """Of the leads that reached the stage before, the share that reached this one."""
    of_all: float | None = None
    dropped: int | None = None
    """Leads that reached the stage before and not this one."""


class GroupView(View):
    """The funnel of the leads that share a value."""

    key: str | None
    """The value of the dimension; absent where it is not known."""
    stages: list[StageView]


class PipelineStageView(View):
    """What stands in one stage of a sales process."""

    process_id: str
    stage: str
    count: int
    amounts: list[Money] = []


class FunnelView(View):
    """The funnel as a whole, by a dimension if asked, and what is in the pipeline."""

    total: GroupView
    groups: list[GroupView] = []
    pipeline: list[PipelineStageView] = []
    entered: list[PipelineStageView] = []
    """How many opportunities ever entered each stage."""


def get_funnel(query: GetFunnel, reader: Reader) -> FunnelView:
    """Fold the funnel from rows of leads and deals, now or as of the moment asked for."""
    with reader.at(query) as then:
        where = _where(query)
        counted = _cohort if query.view == "cohort" else _snapshot
        return FunnelView(
            total=counted(then, where, None)[0],
            groups=counted(then, where, query.by) if query.by else [],
            pipeline=_standing(then, _of_deals(query)),
            entered=_entered(then, _of_deals(query)),
        )


def _where(query: GetFunnel) -> list[ColumnElement[bool]]:
    return [leads.c.captured_at.is_not(None), *_period(query), *_same(query, leads)]


def _of_deals(query: GetFunnel) -> list[ColumnElement[bool]]:
    period = _period(query)
    came = [deals.c.lead_id.in_(select(leads.c.lead_id).where(*period))] if period else []
    return [*_same(query, deals), *came]


def _period(query: GetFunnel) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.captured_from:
        found.append(leads.c.captured_at >= _midnight(query.captured_from))
    if query.captured_to and query.captured_to < date.max:
        found.append(leads.c.captured_at < _midnight(query.captured_to + timedelta(days=1)))
    return found


def _same(query: GetFunnel, table: Table) -> list[ColumnElement[bool]]:
    wanted = query.model_dump(include={"channel", "campaign_id", "owner_id", "unit_id", "region"})
    return [table.c[name] == value for name, value in wanted.items() if value is not None]


def _reached(stage: str) -> ColumnElement[int]:
    """Count the leads that came to a stage or past it."""
    moments = [leads.c[f"{one}_at"] for one in STAGES[STAGES.index(stage) :]]
    return func.count(func.coalesce(*moments, null()))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _dimension(by: By | None) -> ColumnElement[Any]:
    if by is None:
        return func.coalesce(None, "all")
    dimension = _DIMENSIONS[by]
    if isinstance(dimension, str):
        return month_of(leads.c[dimension])
    return dimension  # type: ignore[no-any-return]


def _cohort(reader: Reader, where: Sequence[ColumnElement[bool]], by: By | None) -> list[GroupView]:
    key = _dimension(by)
    counts = [_reached(stage).label(stage) for stage in STAGES]
    rows = reader.connection.execute(
        select(key.label("key"), *counts).where(*where).group_by(key).order_by(key.nulls_first())
    ).mappings()
    won = _amounts(reader, where, key, "won")
    paid = _amounts(reader, where, key, "paid")
    groups = []
    for row in rows:
        stages: list[StageView] = []
        first = row["captured"]
        for stage in STAGES:
            before = stages[-1].count if stages else None
            amounts = {"won": won, "paid": paid}.get(stage, {}).get(row["key"], [])
            stages.append(
                StageView(
                    stage=stage,
                    count=row[stage],
                    amounts=amounts,
                    conversion=row[stage] / before if before else None,
                    of_all=row[stage] / first if first else None,
                    dropped=before - row[stage] if before is not None else None,
                )
            )
        groups.append(GroupView(key=row["key"], stages=stages))
    if not groups and by is None:
        return [GroupView(key="all", stages=[StageView(stage=s, count=0) for s in STAGES])]
    return groups


def _snapshot(
    reader: Reader, where: Sequence[ColumnElement[bool]], by: By | None
) -> list[GroupView]:
    key = _dimension(by)
    rows = reader.connection.execute(
        select(key.label("key"), leads.c.status, func.count().label("count"))
        .where(*where)
        .group_by(key, leads.c.status)
        .order_by(key.nulls_first(), leads.c.status.nulls_first())
    ).all()
    groups: dict[str | None, list[StageView]] = {} if by else {"all": []}
    for value, status, count in rows:
        groups.setdefault(value, []).append(StageView(stage=status or "unknown", count=count))
    return [GroupView(key=value, stages=stages) for value, stages in groups.items()]


def _amounts(
    reader: Reader, where: Sequence[ColumnElement[bool]], key: ColumnElement[Any], what: str
) -> dict[str | None, list[Money]]:
    amount, currency = leads.c[f"{what}_amount"], leads.c[f"{what}_currency"]
    rows = reader.connection.execute(
        select(key.label("key"), currency, func.sum(amount, type_=amount.type))
        .where(*where, currency.is_not(None))
        .group_by(key, currency)
        .order_by(key.nulls_first(), currency)
    ).all()
    found: dict[str | None, list[Money]] = {}
    for value, unit, total in rows:
        if total is not None:
            found.setdefault(value, []).append(Money(amount=total, currency=unit))
    return found


def _standing(reader: Reader, where: Sequence[ColumnElement[bool]]) -> list[PipelineStageView]:
    rows = reader.connection.execute(
        select(
            deals.c.process_id,
            deals.c.stage,
            deals.c.currency,
            func.count(),
            func.sum(deals.c.amount, type_=deals.c.amount.type),
        )
        .where(deals.c.status == "open", *where)
        .group_by(deals.c.process_id, deals.c.stage, deals.c.currency)
        .order_by(
            deals.c.process_id.nulls_first(),
            deals.c.stage.nulls_first(),
            deals.c.currency.nulls_first(),
        )
    ).all()
    found: dict[tuple[str, str], PipelineStageView] = {}
    for process_id, stage, currency, count, total in rows:
        was = found.get((process_id, stage))
        money = [Money(amount=total, currency=currency)] if currency and total is not None else []
        found[process_id, stage] = PipelineStageView(
            process_id=process_id,
            stage=stage,
            count=count + (was.count if was else 0),
            amounts=(was.amounts if was else []) + money,
        )
    return list(found.values())


def _entered(reader: Reader, where: Sequence[ColumnElement[bool]]) -> list[PipelineStageView]:
    rows = reader.connection.execute(
        select(
            deals.c.process_id,
            stage_stays.c.stage,
            func.count(stage_stays.c.opportunity_id.distinct()),
        )
        .join(deals, deals.c.opportunity_id == stage_stays.c.opportunity_id)
        .where(*where)
        .group_by(deals.c.process_id, stage_stays.c.stage)
        .order_by(deals.c.process_id.nulls_first(), stage_stays.c.stage.nulls_first())
    ).all()
    return [PipelineStageView(process_id=p, stage=s, count=n) for p, s, n in rows if p]


class ListChannels(PastQuery, http="GET /v1/channels"):
    """What each channel, or campaign, brought: leads, qualified, won, paid, cost and return."""

    by: Annotated[
        Literal["channel", "campaign", "landing_page"], Field(description="What to compare.")
    ] = "channel"


class ChannelView(View):
    """One channel's effect."""

    key: str | None
    leads: int
    qualified: int
    converted: int
    won: int
    paid: int
    win_rate: float
    """Won of all leads."""
    won_amounts: list[Money] = []
    paid_amounts: list[Money] = []
    costs: list[Money] = []
    """What following up its leads cost."""
    return_on_cost: float | None = None
    """Paid less cost, over cost; where both are in one currency."""


class ChannelsView(View):
    """Channels, most leads first."""

    items: list[ChannelView]


def list_channels(query: ListChannels, reader: Reader) -> ChannelsView:
    """Compare the sources of leads, now or as of the moment asked for."""
    key = {
        "channel": leads.c.channel,
        "campaign": leads.c.campaign_id,
        "landing_page": leads.c.landing_page,
    }[query.by]
    where = [leads.c.captured_at.is_not(None)]
    with reader.at(query) as then:
        rows = then.connection.execute(
            select(
                key,
                func.count(),
                *(_reached(stage) for stage in ("qualified", "converted", "won", "paid")),
            )
            .where(*where)
            .group_by(key)
            .order_by(func.count().desc(), key.nulls_first())
        ).all()
        won = _amounts(then, where, key, "won")
        paid = _amounts(then, where, key, "paid")
        costs = _costs(then, where, key)
    return ChannelsView(
        items=[
            ChannelView(
                key=value,
                leads=count,
                qualified=qualified,
                converted=converted,
                won=wins,
                paid=payers,
                win_rate=wins / count,
                won_amounts=won.get(value, []),
                paid_amounts=paid.get(value, []),
                costs=costs.get(value, []),
                return_on_cost=_return(paid.get(value, []), costs.get(value, [])),
            )
            for value, count, qualified, converted, wins, payers in rows
        ]
    )


def _costs(
    reader: Reader, where: Sequence[ColumnElement[bool]], key: ColumnElement[Any]
) -> dict[str | None, list[Money]]:
    rows = reader.connection.execute(
        select(key, leads.c.cost_currency, func.sum(leads.c.cost, type_=leads.c.cost.type))
        .where(*where, leads.c.cost_currency.is_not(None))
        .group_by(key, leads.c.cost_currency)
        .order_by(key.nulls_first(), leads.c.cost_currency)
    ).all()
    found: dict[str | None, list[Money]] = {}
    for value, currency, total in rows:
        if total is not None:
            found.setdefault(value, []).append(Money(amount=total, currency=currency))
    return found


def _return(paid: Sequence[Money], costs: Sequence[Money]) -> float | None:
    if len(costs) != 1 or costs[0].amount == 0:
        return None
    cost = costs[0]
    earned = sum((m.amount for m in paid if m.currency == cost.currency), Decimal(0))
    return float((earned - cost.amount) / cost.amount)
