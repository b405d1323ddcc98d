"""Historic leads: what became of a lead that was known elsewhere before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from services.leads.commands import (
    AssignLead,
    ConvertLead,
    DisqualifyLead,
    ImportLead,
    QualifyLead,
    WantedOpportunity,
)
from services.leads.domain.lead import Lead
from shared.chassis.shapes import Command, FieldViolation, Invalid
from shared.chassis.shapes.aggregate import fold
from shared.events.base import Event
from shared.events.leads import LeadCaptured
from shared.events.values import AssignmentMethod

__all__ = ["Step", "check", "later_life"]

C = TypeVar("C", bound=Command)


class Step(NamedTuple):
    """Facts of one moment."""

    at: datetime
    events: list[Event]


def check(command: ImportLead) -> None:
    """Refuse a record that contradicts itself.

    Times need not be in order: real records have deals closed before the first contact was noted.

    Raises:
        Invalid: names the fields.
    """
    found: list[FieldViolation] = []
    if command.disqualified_at and command.conversion:
        found.append(FieldViolation("disqualified_at", "a converted lead was not given up"))
    if (command.disqualified_at is None) != (command.disqualified_because is None):
        found.append(FieldViolation("disqualified_because", "goes with disqualified_at"))
    if command.owner_id is None:
        found += [
            FieldViolation(name, "needs owner_id")
            for name in ("assigned_at", "qualified_at", "conversion")
            if getattr(command, name) is not None
        ]
    if found:
        raise Invalid(found)


def later_life(lead_id: str, command: ImportLead, captured: LeadCaptured) -> Iterator[Step]:
    """Return what happened after the capture, decided as it is for every lead."""
    lead = fold(Lead, [captured])
    if lead is None or command.owner_id is None:
        return
    for act in _acts(lead_id, command):
        match act:
            case AssignLead():
                events = lead.assign(act, None, AssignmentMethod.IMPORTED)
            case QualifyLead():
                events = lead.qualify(act, None)
            case DisqualifyLead():
                events = lead.disqualify(act)
            case ConvertLead():
                events = lead.convert(act)
        yield Step(act.at, events)
        for event in events:
            lead = Lead.evolve(lead, event) or lead


def _acts(
    lead_id: str, command: ImportLead
) -> Iterator[AssignLead | QualifyLead | DisqualifyLead | ConvertLead]:
    if command.owner_id is not None:
        assign = AssignLead(lead_id=lead_id, owner_id=command.owner_id, unit_id=command.unit_id)
        yield _at(assign, command, command.assigned_at or command.at)
    if command.qualified_at is not None:
        yield _at(QualifyLead(lead_id=lead_id), command, command.qualified_at)
    if command.disqualified_at is not None and command.disqualified_because is not None:
        give_up = DisqualifyLead(lead_id=lead_id, reason=command.disqualified_because)
        yield _at(give_up, command, command.disqualified_at)
    if (made := command.conversion) is not None:
        wanted = WantedOpportunity(
            opportunity_id=made.opportunity_id,
            name=made.opportunity_name,
            process_id=made.process_id,
            amount=made.amount,
            expected_close_on=made.expected_close_on,
        )
        convert = ConvertLead(
            lead_id=lead_id,
            account_id=made.account_id,
            contact_id=made.contact_id,
            opportunity=wanted if made.with_opportunity or made.opportunity_id else None,
        )
        yield _at(convert, command, made.at)


def _at(act: C, command: ImportLead, at: datetime) -> C:
    return act.issued(replace(command.envelope, occurred_at=at))
