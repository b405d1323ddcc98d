"""Whatever is done with a ticket, in any order, some things always hold."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.support.commands import (
    AssignTicket,
    ChangeTicket,
    CloseTicket,
    MergeTicket,
    PendTicket,
    RebaseSla,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    TicketCommand,
    UnmergeTicket,
)
from services.support.domain.ticket import Ticket
from services.support.projections.tickets import Tickets
from shared.chassis.shapes import fold
from shared.chassis.testing import folded
from shared.events.support import Author, Priority, SlaBreached, SlaClock, SlaMet
from tests.support.builders import TICKET, desk, monday, open_ticket

COMMANDS: list[TicketCommand] = [
    AssignTicket(ticket_id=TICKET, employee_id="emp-li"),
    ChangeTicket(ticket_id=TICKET, priority=Priority.CRITICAL),
    ChangeTicket(ticket_id=TICKET, priority=Priority.MODERATE),
    ChangeTicket(ticket_id=TICKET, priority=Priority.LOW),
    ReplyToTicket(ticket_id=TICKET, message="x"),
    ReplyToTicket(ticket_id=TICKET, message="x", author=Author.CUSTOMER),
    PendTicket(ticket_id=TICKET),
    ResumeTicket(ticket_id=TICKET),
    ResolveTicket(ticket_id=TICKET),
    CloseTicket(ticket_id=TICKET),
    ReopenTicket(ticket_id=TICKET, reason="again"),
    MergeTicket(ticket_id=TICKET, into_id="ticket-2"),
    UnmergeTicket(ticket_id=TICKET),
    RebaseSla(ticket_id=TICKET),
]
steps = st.lists(st.tuples(st.sampled_from(COMMANDS), st.integers(0, 2000)), max_size=12)


@pytest.mark.capability("SUP-01", "SUP-03")
@settings(max_examples=40, deadline=None)
@given(steps)
def test_list_and_decisions_agree_and_no_promise_is_both_kept_and_broken(
    done: list[tuple[TicketCommand, int]],
) -> None:
    told = desk().after(open_ticket(), open_ticket(ticket_id="ticket-2"), at=monday(9))
    now = monday(9)
    for command, minutes in done:
        now += timedelta(minutes=minutes)
        told.when(command, at=now)

    facts = told.log.stream(TICKET)
    ticket = fold(Ticket, [fact.event for fact in facts])
    assert ticket is not None
    row = folded(Tickets, facts)[TICKET,]
    assert row["status"] == ticket.status
    assert (row["employee_id"], row["priority"]) == (ticket.employee_id, ticket.priority)
    assert row["resolution_due_at"] == ticket.clocks[SlaClock.RESOLUTION].due_at
    assert (row["waiting_since"] is None) is (ticket.status != "pending")
    assert row["version"] == len(facts)
    outcomes = [fact.event.clock for fact in facts if isinstance(fact.event, SlaMet | SlaBreached)]
    assert outcomes.count(SlaClock.RESPONSE) <= 1
    assert outcomes.count(SlaClock.RESOLUTION) <= ticket.reopened + 1
    met = [fact.event for fact in facts if isinstance(fact.event, SlaMet)]
    assert all((kept.working_minutes or 0) >= 0 for kept in met)
