"""Tickets read the same here as at the support desk, whatever happened to them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.accounts.commands import OpenAccount
from services.analytics.projections.customer import GetCustomer360
from services.support.commands import (
    AssignTicket,
    ChangeTicket,
    CloseTicket,
    DefineBusinessCalendar,
    DefineSlaPolicy,
    MergeTicket,
    OpenTicket,
    PendTicket,
    ReopenTicket,
    ReplyToTicket,
    ResolveTicket,
    ResumeTicket,
    UnmergeTicket,
)
from services.support.projections.tickets import GetTicket
from shared.chassis.shapes import Command, Refused
from shared.events.support import Author, Priority, SlaTarget, TicketKind
from tests.analytics.life import Company, company

ACTS: dict[str, Callable[[str, str], Command]] = {
    "assign": lambda one, _: AssignTicket(ticket_id=one, employee_id="li"),
    "ask": lambda one, _: ReplyToTicket(ticket_id=one, message="?", author=Author.CUSTOMER),
    "note": lambda one, _: ReplyToTicket(ticket_id=one, message="…", is_public=False),
    "answer": lambda one, _: ReplyToTicket(ticket_id=one, message="!"),
    "hurry": lambda one, _: ChangeTicket(ticket_id=one, priority=Priority.CRITICAL),
    "pend": lambda one, _: PendTicket(ticket_id=one),
    "resume": lambda one, _: ResumeTicket(ticket_id=one),
    "resolve": lambda one, _: ResolveTicket(ticket_id=one),
    "close": lambda one, _: CloseTicket(ticket_id=one),
    "reopen": lambda one, _: ReopenTicket(ticket_id=one, reason="again"),
    "merge": lambda one, other: MergeTicket(ticket_id=one, into_id=other),
    "unmerge": lambda one, _: UnmergeTicket(ticket_id=one),
}


@pytest.fixture(scope="module")
def firm() -> Company:
    """Return a company that promises to answer and resolve."""
    firm = company()
    calendar = DefineBusinessCalendar(calendar_id="always", name="always", time_zone="UTC")
    targets = tuple(
        SlaTarget(priority=one, response_minutes=60, resolution_minutes=600) for one in Priority
    )
    policy = DefineSlaPolicy(name="gold", calendar_id="always", targets=targets, is_default=True)
    for command in (calendar, policy):
        firm.do("support", command)
    return firm


def live(firm: Company, steps: Sequence[tuple[str, int]]) -> list[str]:
    """Let a customer come with two matters, and something happen to them every 25 minutes.

    What is refused does not happen. Return how analytics says the matters stand, when it says
    what support does.
    """
    account_id = firm.do("accounts", OpenAccount(name="晨光贸易")).id
    matter = OpenTicket(
        kind=TicketKind.FAULT, channel="phone", subject="异响", account_id=account_id
    )
    ids = [firm.do("support", matter).id for _ in range(2)]
    for name, number in steps:
        firm.settle(firm.clock.moment + timedelta(minutes=25))
        with suppress(Refused):
            firm.do("support", ACTS[name](ids[number], ids[1 - number]))
    firm.settle()
    told = {one.ticket_id: one for one in firm.ask(GetCustomer360(account_id=account_id)).tickets}
    for ticket_id in ids:
        own = firm.ask(GetTicket(ticket_id=ticket_id), "support")
        names = told[ticket_id].model_fields_set - {"first_response_at"}
        assert told[ticket_id].model_dump(include=names) == own.model_dump(include=names)
        assert told[ticket_id].first_response_at == own.answered_at
    return [told[ticket_id].status for ticket_id in ids]


@pytest.mark.capability("ANA-01")
@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["ask"], "new"),
        (["note"], "new"),
        (["answer"], "open"),
        (["pend"], "pending"),
        (["merge"], "merged"),
        (["assign", "merge", "unmerge"], "open"),
        (["merge", "unmerge"], "new"),
        (["pend", "merge", "unmerge"], "pending"),
        (["resolve", "merge", "unmerge"], "resolved"),
        (["answer", "resolve", "reopen"], "open"),
    ],
)
def test_a_ticket_stands_where_support_says_it_stands(
    firm: Company, steps: list[str], status: str
) -> None:
    assert live(firm, [(name, 0) for name in steps]) == [status, "new"]


@pytest.mark.slow
@pytest.mark.capability("ANA-01")
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 1)), max_size=14))
@settings(max_examples=15, deadline=None)
def test_tickets_read_alike_whatever_happens(firm: Company, steps: list[tuple[str, int]]) -> None:
    live(firm, steps)
