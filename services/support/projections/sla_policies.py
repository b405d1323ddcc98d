"""The levels of service on offer."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, MetaData, String, Table

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
from shared.events.support import SlaPolicyDefined, SlaTarget
from shared.events.values import SlaPolicyId

__all__ = ["GetSlaPolicy", "ListSlaPolicies", "SlaPolicies", "get_sla_policy", "list_sla_policies"]

sla_policies = Table(
    "sla_policies",
    MetaData(),
    Column("sla_policy_id", String, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("calendar_id", String, nullable=False),
    Column("targets", JSON, nullable=False),
    Column("at_risk_percent", Integer, nullable=False),
    Column("reopen_within_days", Integer, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)


class SlaPolicies(Projection):
    """Each policy in the version that holds for new tickets."""

    table = sla_policies
    events = (SlaPolicyDefined,)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        """One row per policy."""
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[SlaPolicyDefined]) -> Row | None:
        """Keep the last version."""
        policy = recorded.event.model_dump(mode="json", exclude={"sla_version"})
        return {**policy, "sla_policy_id": key[0], "version": recorded.version}


class SlaPolicyView(View):
    """A level of service."""

    sla_policy_id: str
    name: str
    calendar_id: str
    targets: list[SlaTarget]
    at_risk_percent: int
    reopen_within_days: int
    is_default: bool
    version: int


class GetSlaPolicy(Query, http="GET /v1/sla-policies/{sla_policy_id}"):
    """Read a level of service."""

    sla_policy_id: SlaPolicyId


class ListSlaPolicies(ListQuery, http="GET /v1/sla-policies"):
    """List the levels of service by name."""


def get_sla_policy(query: GetSlaPolicy, reader: Reader) -> SlaPolicyView:
    return found(reader, sla_policies, SlaPolicyView, "sla policy", query.sla_policy_id)


def list_sla_policies(query: ListSlaPolicies, reader: Reader) -> Page[SlaPolicyView]:
    return listed(query, reader, sla_policies, SlaPolicyView, order_by="name")
