"""Whose the rows of the leads' read models are."""

from sqlalchemy import ColumnElement, String, Table, cast, or_

from services.leads.projections.claim_books import holdings
from services.leads.projections.follow_up_list import follow_ups
from services.leads.projections.lead_list import leads
from services.leads.projections.pool_list import pools
from services.leads.projections.rules_in_force import rules_in_force
from shared.chassis.shapes import Actor
from shared.chassis.shapes.guard import Guard, Via, holds

__all__ = ["GUARDS"]


def _may_claim(rows: Table, reader: Actor) -> ColumnElement[bool]:
    """Whether somebody is a pool's member; a pool that names none is open to everybody."""
    names = [("employee", reader.id), *(("role", role) for role in sorted(reader.roles))]
    names += [("unit", unit) for unit in (reader.unit or "").split("/") if unit]
    return or_(
        cast(rows.c.members, String) == "[]",
        *(holds(rows.c.members, {"kind": kind, "id": id}) for kind, id in names),
    )


GUARDS = (
    Guard(
        table=leads,
        record="lead",
        owners=("owner_id",),
        via=(Via(("pool_id",), (pools.c.pool_id,), few=True),),
        open_to=frozenset({"ClaimLead", "ClaimManyLeads"}),
    ),
    Guard(
        table=follow_ups,
        record="follow_up",
        owners=("employee_id",),
        via=(Via(("lead_id",), (leads.c.lead_id,)),),
    ),
    Guard(table=pools, record="pool", members=("admin_ids",), when=_may_claim),
    Guard(table=holdings, record="holding", owners=("employee_id",)),
    Guard(table=rules_in_force, record="rules", everyone=True),
)
