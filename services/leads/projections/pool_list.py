"""Pools: who may claim from them, who runs them, and their rules."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, select

from shared.chassis.shapes import (
    Key,
    ListQuery,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.telling import found
from shared.events.base import Recorded
from shared.events.leads import (
    PoolChanged,
    PoolMember,
    PoolMembersChanged,
    PoolOpened,
    PoolRulesConfigured,
)
from shared.events.values import PoolId

__all__ = ["PoolList", "get_pool", "hidden_from", "list_pools"]

pools = Table(
    "pools",
    MetaData(),
    Column("pool_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("unit_id", String),
    Column("members", JSON, nullable=False),
    Column("admin_ids", JSON, nullable=False),
    Column("hidden_fields", JSON, nullable=False),
    Column("rules_version", Integer, nullable=False),
    Column("claims_per_day", Integer),
    Column("holding_capacity", Integer),
    Column("cool_down_hours", Integer),
    Column("protection_hours", Integer),
    Column("recycle_after_days", Integer),
    Column("warn_before_days", Integer),
    Column("time_zone", String, nullable=False),
)

_HIDES = select(pools.c.pool_id, pools.c.admin_ids, pools.c.hidden_fields)


class PoolList(Projection):
    """Every pool as it is set up."""

    table = pools
    version = 1
    events = (PoolOpened, PoolChanged, PoolMembersChanged, PoolRulesConfigured)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        known: Row = row or {
            "pool_id": key[0],
            "members": [],
            "admin_ids": [],
            **PoolRulesConfigured(rules_version=0).model_dump(),
        }
        said = event.model_dump(mode="json")
        return {**known, **said, "version": recorded.version}


class PoolView(View):
    """A pool as it is set up."""

    pool_id: str
    version: int
    name: str
    unit_id: str | None = None
    members: list[PoolMember]
    """Who may claim; everybody when empty."""
    admin_ids: list[str]
    hidden_fields: list[str]
    rules_version: int
    claims_per_day: int | None = None
    holding_capacity: int | None = None
    cool_down_hours: int | None = None
    protection_hours: int | None = None
    recycle_after_days: int | None = None
    warn_before_days: int | None = None
    time_zone: str


class GetPool(Query, http="GET /v1/pools/{pool_id}"):
    """Return a pool with its members and rules."""

    pool_id: PoolId


class ListPools(ListQuery, http="GET /v1/pools"):
    """List pools by name."""


def get_pool(query: GetPool, reader: Reader) -> PoolView:
    return found(reader, pools, PoolView, "pool", query.pool_id)


def list_pools(query: ListPools, reader: Reader) -> Page[PoolView]:
    return listed(query, reader, pools, PoolView, order_by="name")


def hidden_from(reader: Reader) -> dict[str, frozenset[str]]:
    """Return, by pool, the lead fields that the reader may not see until a lead is claimed."""
    return {
        pool_id: frozenset(fields)
        for pool_id, admin_ids, fields in reader.kept(_HIDES)
        if fields and reader.actor.id not in admin_ids
    }
