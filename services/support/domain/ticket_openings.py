"""How tickets begin: a customer asks, or another system hands over what it kept."""

import hashlib
from datetime import datetime, timedelta

from services.support.commands import ImportTicket, OpenTicket
from services.support.domain.promise import Promise
from services.support.domain.sla_policy import ServiceLevel
from services.support.domain.ticket import REOPEN_WITHIN_DAYS
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.support import (
    ClosedBy,
    SlaBreached,
    SlaClock,
    SlaMet,
    TicketAssigned,
    TicketClosed,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from shared.events.values import AssignmentMethod, EntitlementId, TicketId

__all__ = ["import_ticket", "open_ticket", "ticket_number"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, which leaves out what is easily misread."""


def open_ticket(
    command: OpenTicket,
    *,
    number: str,
    entitlement_id: EntitlementId | None,
    level: ServiceLevel | None,
    split_from_id: TicketId | None = None,
) -> list[Event]:
    """Take the matter in and promise the service that the customer is entitled to."""
    if (command.external_id is None) is not (command.source is None):
        raise Invalid.one("external_id", "goes together with source")
    opened = TicketOpened(
        number=number,
        **command.model_dump(exclude={"ticket_id"}),
        entitlement_id=entitlement_id,
        split_from_id=split_from_id,
        **(level.versions if level else {}),
    )
    if level is None:
        return [opened]
    about = {
        name: getattr(opened, name)
        for name in ("account_id", "contract_id", "contact_id", "sla_policy_id", "sla_version")
    }
    promise = Promise(clocks={}, about=about)
    return [opened, *promise.start(SlaClock, command.priority, command.at, level)]


def import_ticket(command: ImportTicket, *, number: str) -> list[tuple[datetime, Event]]:
    """Return a whole historic life, each fact with its moment; promises are as the source says."""
    opened_at = command.opened_at or command.at
    assigned_at = command.assigned_at or opened_at
    last = command.closed_at or command.resolved_at or assigned_at
    if violations := _out_of_order(command, opened_at):
        raise Invalid(violations)
    parties = {n: getattr(command, n) for n in ("account_id", "contract_id", "contact_id")}
    opened = TicketOpened(
        number=number,
        **parties,
        **command.model_dump(include=_OPENING),
        unit_id=command.unit_id,
    )
    facts: list[tuple[datetime, Event]] = [(opened_at, opened)]
    if command.employee_id or command.unit_id:
        assigned = TicketAssigned(
            **parties,
            employee_id=command.employee_id,
            unit_id=command.unit_id,
            method=AssignmentMethod.IMPORTED,
        )
        facts.append((assigned_at, assigned))
    if command.reopened:
        reopened = TicketReopened(**parties, reopened=command.reopened, reason="imported")
        facts.append((command.resolved_at or last, reopened))
    if command.resolved_at:
        resolved = TicketResolved(
            **parties,
            employee_id=command.employee_id,
            cause=command.cause,
            resolution=command.resolution,
        )
        facts.append((command.resolved_at, resolved))
    if command.sla_met is not None:
        kind = SlaMet if command.sla_met else SlaBreached
        stated = kind(**parties, clock=SlaClock.RESOLUTION, employee_id=command.employee_id)
        facts.append((command.resolved_at or last, stated))
    if command.closed_at:
        closed = TicketClosed(
            **parties,
            employee_id=command.employee_id,
            closed_by=ClosedBy.SYSTEM,
            reopen_until=command.closed_at + timedelta(days=REOPEN_WITHIN_DAYS),
        )
        facts.append((command.closed_at, closed))
    return facts


def ticket_number(at: datetime, ticket_id: TicketId, length: int) -> str:
    """Return a short number to say on the phone, the same for the same ticket: `T2603-7KQ2M9`."""
    digest = hashlib.sha256(ticket_id.encode()).digest()
    digits = "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest[:length])
    return f"T{at:%y%m}-{digits}"


_OPENING = {
    "kind", "priority", "category", "subcategory", "subject", "channel", "description",
    "requester", "region", "source", "external_id",
}  # fmt: skip


def _out_of_order(command: ImportTicket, opened_at: datetime) -> list[FieldViolation]:
    found = []
    before = opened_at
    for name in ("assigned_at", "resolved_at", "closed_at"):
        moment = getattr(command, name)
        if moment is not None and moment < (opened_at if name == "assigned_at" else before):
            found.append(FieldViolation(name, "is earlier than what came before it"))
        elif moment is not None and name != "assigned_at":
            before = moment
    return found
