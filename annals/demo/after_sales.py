"""After sales: looking after customers, and the tickets they open."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from annals.demo import words
from annals.demo.act import Found
from annals.demo.company import SERVICE_MANAGER, STAFF, boss_of
from annals.demo.diary import Diary
from annals.demo.plot import Customer, Plot

__all__ = ["service_follows"]

_TICKETS = (
    ("quick", 46), ("slow_answer", 10), ("slow_solution", 9), ("pending", 12), ("reopened", 6),
    ("quiet", 10), ("merged", 3), ("closed_early", 2), ("reopened_late", 2),
)  # fmt: skip
_RATINGS = (("none", 52), ("5", 20), ("4", 14), ("3", 5), ("2", 4), ("1", 4), ("twice", 1))
_LOW = 2
_VISITS = (("kept", 85), ("postponed", 15))
_CHANNELS = ("phone", "mail", "mail", "chat", "portal")


def service_follows(plot: Plot, customer: Customer, contract: Found) -> None:
    """Tell how a customer is looked after while a contract runs."""
    script = customer.lead.script
    _get_to_know(plot, customer, script.diary.aside())
    for number in range(script.rng.choice((0, 1, 2, 2, 3))):
        diary = script.diary.aside()
        diary.place = STAFF[customer.lead.region.agent].place
        diary.pass_days(script.rng.randint(5, 60) + 45 * number)
        _ticket(plot, customer, contract, diary)


def _get_to_know(plot: Plot, customer: Customer, diary: Diary) -> None:
    script, rep, account_id = customer.lead.script, customer.rep, customer.account_id
    rng = script.rng
    if rng.random() < 0.5:
        tag = rng.choice(("重点客户", "复购潜力", "样板客户", "tender", "referenceable"))
        script.do("accounts.TagAccount", rep, diary.minutes(10, 90), account_id=account_id, tag=tag)
    if rng.random() < 0.3:
        colleague = plot.cast.prospect(customer.lead.region)
        script.do(
            "accounts.AddContact", rep, diary.wait(1, 10), account_id=account_id,
            contact_id=script.id("contact", "colleague", diary.now.isoformat()),
            name=colleague.name, titles=[colleague.title], phones=[colleague.phone],
            role="user",
        )  # fmt: skip
    if rng.random() < 0.15:
        boss = boss_of(rep)
        script.do("accounts.ReachMilestone", boss, diary.wait(5, 20), account_id=account_id,
                  milestone="key")  # fmt: skip
    for _ in range(rng.choice((0, 1, 1, 2))):
        planned, due = diary.wait(10, 40), diary.now + timedelta(days=7)
        activity_id = script.id("activity", planned.isoformat())
        script.do(
            "accounts.PlanActivity", rep, planned, account_id=account_id, activity_id=activity_id,
            contact_ids=[customer.contact_id], method="visit", due_at=due.isoformat(),
            subject=customer.lead.say(words.NEXT_STEPS),
        )  # fmt: skip
        done = diary.wait(3, 8)
        if plot.draw("visit", _VISITS) == "kept":
            script.do(
                "accounts.CompleteActivity", rep, done, activity_id=activity_id,
                result=customer.lead.say(words.VISITS),
                attitude=rng.choice(("positive", "neutral")),
                duration_minutes=rng.choice((45, 60, 90)),
            )  # fmt: skip
        else:
            script.do("accounts.CancelActivity", rep, done, activity_id=activity_id,
                      reason="customer postponed")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A ticket in the hands of the region's service engineer."""

    customer: Customer
    id: str
    diary: Diary

    @property
    def agent(self) -> str:
        """Who handles it."""
        return self.customer.lead.region.agent

    def do(self, call: str, *, refused: str | None = None, **request: Any) -> None:
        """Act on the ticket now."""
        self.customer.lead.script.do(
            f"support.{call}", self.agent, self.diary.now, refused=refused, ticket_id=self.id,
            **request,
        )  # fmt: skip

    def resolve(self) -> None:
        """State the remedy."""
        self.do("ResolveTicket", resolution=self.customer.lead.say(words.RESOLUTIONS))

    def close(self) -> None:
        """Be done with it some days later, because the customer says so."""
        self.diary.wait(1, 3)
        self.do("CloseTicket", by_customer=True)


def _ticket(plot: Plot, customer: Customer, contract: Found, diary: Diary) -> None:
    script = customer.lead.script
    opened = diary.wait(0, 3)
    ticket = Case(customer, script.id("ticket", opened.isoformat()), diary)
    kind, priority, category, subject = script.rng.choice(
        words.TICKETS[customer.lead.prospect.language]
    )
    ticket.do(
        "OpenTicket", kind=kind, priority=priority, category=category, subject=subject,
        channel=script.rng.choice(_CHANNELS), account_id=customer.account_id,
        contact_id=customer.contact_id, contract_id=contract, region=customer.lead.region.label,
    )  # fmt: skip
    ending = plot.draw("ticket", _TICKETS)
    diary.minutes(3, 15)
    ticket.do("AssignTicket", employee_id=ticket.agent, unit_id="service-department")
    if ending == "merged":
        _repeat(ticket, subject)
    _answer(ticket, ending)
    ticket.resolve()
    if ending == "quiet":
        diary.pass_days(9)
    else:
        ticket.close()
    if ending == "reopened":
        diary.wait(1, 2)
        ticket.do("ReopenTicket", reason="fault is back")
        diary.minutes(60, 180)
        ticket.resolve()
        ticket.close()
    if ending == "reopened_late":
        diary.pass_days(25)
        ticket.do("ReopenTicket", refused="ReopeningTimeIsOver", reason="same fault again")
    else:
        _rate(plot, ticket)


def _answer(ticket: Case, ending: str) -> None:
    """Reply and find the remedy, in the time promised or not."""
    diary = ticket.diary
    if ending == "slow_answer":
        diary.wait(4, 6)
    else:
        diary.minutes(5, 35)
    ticket.do("ReplyToTicket", message=ticket.customer.lead.say(words.REPLIES))
    match ending:
        case "slow_solution":
            diary.wait(12, 16)
        case "pending":
            diary.minutes(10, 40)
            ticket.do("PendTicket", reason="waiting for log files")
            diary.wait(1, 4)
            ticket.do("ReplyToTicket", message="日志已发送 / log attached", author="customer")
            diary.minutes(20, 90)
        case "closed_early":
            diary.minutes(5, 10)
            ticket.do("CloseTicket", refused="TicketIsNotResolved")
            diary.minutes(30, 120)
        case _:
            diary.minutes(30, 150)


def _repeat(ticket: Case, subject: str) -> None:
    """The customer writes a second time about the same; both are carried on as one."""
    customer, again = ticket.customer, replace(ticket, id=ticket.customer.lead.script.id(ticket.id))
    ticket.diary.minutes(5, 20)
    again.do(
        "OpenTicket", kind="question", channel="mail", priority="low", subject=subject,
        account_id=customer.account_id, contact_id=customer.contact_id,
    )  # fmt: skip
    ticket.diary.minutes(2, 10)
    again.do("MergeTicket", into_id=ticket.id)


def _rate(plot: Plot, ticket: Case) -> None:
    """Some customers answer the survey; a low score is followed up by the head of service."""
    rating = plot.draw("rating", _RATINGS)
    if rating == "none":
        return
    score = 5 if rating == "twice" else int(rating)
    said = words.SCOLDING if score <= _LOW else words.PRAISE
    ticket.diary.wait(1, 5)
    ticket.do("RateTicket", score=score, comment=ticket.customer.lead.say(said))
    if rating == "twice":
        ticket.diary.minutes(5, 60)
        ticket.do("RateTicket", refused="SurveyIsAnswered", score=1)
    if score <= _LOW:
        _call_back(ticket)


def _call_back(ticket: Case) -> None:
    """Handle the complaint that a policy opens after a low score."""
    complaint = Found("support", "ListTickets", f'parent_id = "{ticket.id}"', "ticket_id")
    lead, diary = ticket.customer.lead, ticket.diary
    diary.wait(2, 3)
    for call, request in (
        ("AssignTicket", {"employee_id": SERVICE_MANAGER}),
        ("ReplyToTicket", {"message": lead.say(words.REPLIES)}),
        ("ResolveTicket", {"resolution": "已电话致歉并回访 / called back", "cause": "service"}),
        ("CloseTicket", {"by_customer": True}),
    ):
        lead.script.do(f"support.{call}", SERVICE_MANAGER, diary.minutes(10, 90),
                       ticket_id=complaint, **request)  # fmt: skip
