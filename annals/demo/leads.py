"""Leads: how a prospect fares until they are a customer, given up, or forgotten."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from annals.demo import words
from annals.demo.act import ADMINISTRATOR
from annals.demo.company import (
    DORMANT_HELD,
    DORMANT_PER_DAY,
    MARKETING,
    POOL_DORMANT,
    POOL_EVENTS,
    POOL_PUBLIC,
    RECYCLED_AFTER,
    SHANGHAI,
    boss_of,
)
from annals.demo.deals import deal_follows
from annals.demo.plot import Customer, Lead, Plot, money

__all__ = ["live", "meet", "wake_the_dormant"]

_CHANNELS = (
    ("web_form", 31), ("landing_page", 14), ("phone", 12), ("email", 9), ("referral", 6),
    ("ad_platform", 9), ("event", 11), ("chat", 5), ("social", 3),
)  # fmt: skip
_CAMPAIGNS = {
    "event": "expo",
    "landing_page": "webinar-icp",
    "ad_platform": "search-ads",
    "social": "wechat-weekly",
}
_POOLS = {"event": POOL_EVENTS, "chat": POOL_PUBLIC, "social": POOL_PUBLIC, "card": POOL_DORMANT}

_PUT_ASIDE = {"event", "card"}
"""Whoever enters these puts them into their pool; the rules place all others."""

_POOLED = (("claimed", 66), ("unclaimed", 26), ("raced", 5), ("too_early", 3))
_OWNED = (
    ("disqualified", 36), ("ignored", 28), ("converted", 11), ("nurtured", 8), ("cooled_off", 5),
    ("released", 5), ("without_deal", 2), ("reopened", 2), ("joins", 2), ("rescued", 1),
    ("reverted", 1),
)  # fmt: skip
_BRIEF = 0.7
"""How often one conversation is enough."""
_ECHO = (("none", 89), ("refused", 5), ("merged", 4), ("customer", 2))


def meet(plot: Plot, number: int, at: datetime) -> Lead:
    """Let a prospect state an interest for the first time."""
    region = plot.region()
    script = plot.script(f"lead-{number:05}", at, region)
    if plot.draw("age", (("fresh", 97), ("dormant", 3))) == "dormant":
        channel = "card"
    else:
        (channel,) = script.rng.choices(
            [name for name, _ in _CHANNELS], [weight for _, weight in _CHANNELS]
        )
    campaign = _CAMPAIGNS.get(channel)
    lead = Lead(
        script=script,
        region=region,
        prospect=plot.cast.prospect(region),
        id=script.id("lead"),
        channel=channel,
        campaign=f"{campaign}-{at:%Y-%m}" if campaign else None,
        pool=_POOLS.get(channel),
    )
    _state_interest(plot, lead, at)
    if lead.pool == POOL_DORMANT:
        plot.dormant.append(lead)
    return lead


def _state_interest(plot: Plot, lead: Lead, at: datetime) -> None:
    """Capture the lead; those for the rota keep their order, for it deals them out in turn."""
    rng, who = lead.script.rng, lead.prospect
    budget = plot.offer(rng, lead.region.currency).total if rng.random() < 0.4 else None
    wanted = at.date() + timedelta(days=rng.randint(30, 200)) if rng.random() < 0.35 else None
    lead.script.do(
        "leads.CaptureLead",
        MARKETING[who.language == "es"],
        at,
        lanes=() if lead.pool else (f"rota:{lead.region.key}",),
        lead_id=lead.id,
        name=who.name,
        company=who.company,
        title=who.title,
        phones=[who.phone],
        emails=[who.email],
        address={"country": who.country, "city": who.city},
        region=lead.region.label,
        industry=who.industry,
        demand_level=rng.choice(("high", "medium", "medium", "low")),
        budget=money(budget, lead.region.currency) if budget else None,
        expected_purchase_on=wanted.isoformat() if wanted else None,
        need=lead.say(words.NEEDS),
        channel=lead.channel,
        campaign_id=lead.campaign,
        utm={"source": lead.channel, "campaign": lead.campaign} if lead.campaign else None,
        pool_id=lead.pool if lead.channel in _PUT_ASIDE else None,
    )


def live(plot: Plot, lead: Lead) -> None:
    """Tell a lead's life from its capture on."""
    if lead.pool is None:
        _echo(plot, lead)
        _own(plot, lead, plot.next_in_turn(lead.region))
    elif lead.pool != POOL_DORMANT:
        _wait_in_pool(plot, lead)


def wake_the_dormant(plot: Plot) -> None:
    """Let reps go through old leads, a few too many at a time."""
    for leads, rep in zip(_handfuls(plot.dormant), plot.reps(), strict=False):
        diary = leads[-1].script.diary.aside()
        diary.place = SHANGHAI  # where the pool's days are counted
        diary.wait(2, 5)
        for number, lead in enumerate(leads):
            if number == DORMANT_PER_DAY:
                _claim(plot, lead, rep, diary.minutes(2, 5), refused="ClaimLimitReached")
                diary.wait(1, 1)
            refused = "HoldingCapacityReached" if number == DORMANT_HELD else None
            _claim(plot, lead, rep, diary.minutes(2, 5), refused=refused)
        first = leads[0]
        first.script.do(
            "leads.ReleaseLead", rep, diary.minutes(30, 60), lead_id=first.id, reason="no time"
        )
        _claim(plot, first, rep, diary.minutes(30, 60), refused="PreviousOwnerCoolsDown")
        for lead in leads[1:DORMANT_HELD]:
            lead.script.diary.now = diary.now
            _own(plot, lead, rep)


def _handfuls(leads: list[Lead]) -> Iterator[list[Lead]]:
    """Yield the leads in groups of one more than somebody may hold."""
    rest = iter(leads)
    while len(handful := list(islice(rest, DORMANT_HELD + 1))) > DORMANT_HELD:
        yield handful


def _wait_in_pool(plot: Plot, lead: Lead) -> None:
    ending = plot.draw(f"pooled/{lead.pool}", _POOLED)
    if ending == "unclaimed":
        return
    diary = lead.script.diary
    if ending == "too_early" and lead.pool == POOL_EVENTS:
        eager = lead.region.reps[0]
        _claim(plot, lead, eager, diary.minutes(60, 180), refused="LeadIsProtected")
    at = diary.wait(3, 9)
    rep = min(lead.region.reps, key=lambda one: plot.claims[one, at.date()])
    _claim(plot, lead, rep, at)
    if ending == "raced":
        late = at + timedelta(seconds=1)
        _claim(plot, lead, _colleague(lead, rep), late, refused="LeadHasOwner")
    _own(plot, lead, rep)


def _claim(plot: Plot, lead: Lead, rep: str, at: datetime, refused: str | None = None) -> None:
    plot.claims[rep, at.date()] += refused is None
    lead.script.do("leads.ClaimLead", rep, at, refused=refused, lead_id=lead.id)


def _colleague(lead: Lead, rep: str) -> str:
    return next(one for one in lead.region.reps if one != rep)


def _own(plot: Plot, lead: Lead, rep: str) -> None:
    """Somebody has the lead: what do they make of it?"""
    diary = lead.script.diary
    match ending := plot.draw("owned", _OWNED):
        case "disqualified":
            _talk(lead, rep, 2, "negative")
            _give_up(lead, rep)
        case "ignored":
            _ignore(plot, lead, rep)
        case "nurtured":
            _nurture(plot, lead, rep)
        case "cooled_off":
            _talk(lead, rep, 2, "positive")
            _qualify(lead, rep)
            diary.wait(2, 12)
            _give_up(lead, rep)
        case "released":
            diary.wait(2, 4)
            _release(plot, lead, rep)
        case "reopened":
            _talk(lead, rep, 1, "negative")
            _give_up(lead, rep)
            lead.script.do(
                "leads.ReopenLead", rep, diary.wait(3, 15), lead_id=lead.id, reason="new project"
            )
            _convert(plot, lead, rep)
        case "rescued":
            diary.wait(3, 6)
            boss = boss_of(rep)
            lead.script.do(
                "leads.LockLead", boss, diary.minutes(5, 30), lead_id=lead.id, reason="key account"
            )
            diary.pass_days(RECYCLED_AFTER + 5)
            _convert(plot, lead, rep)
        case "joins":
            _join(plot, lead, rep)
        case "reverted":
            _convert_by_mistake(lead, rep)
        case _:
            _convert(plot, lead, rep, with_deal=ending != "without_deal")


def _echo(plot: Plot, lead: Lead) -> None:
    """Some ask again elsewhere: by their phone they are refused, by their mail recognised."""
    script, who, again = lead.script, lead.prospect, lead.script.diary.aside()
    match plot.draw("echo", _ECHO):
        case "refused":
            script.do(
                "leads.CaptureLead", MARKETING[0], again.minutes(30, 900),
                refused="DuplicateLead", channel="phone", name=who.name, company=who.company,
                phones=[who.phone], region=lead.region.label,
            )  # fmt: skip
        case "merged":
            at = again.minutes(30, 400)
            script.do(
                "leads.CaptureLead", MARKETING[0], at,
                channel="landing_page", campaign_id=f"webinar-icp-{at:%Y-%m}", name=who.name,
                emails=[who.email.upper()], region=lead.region.label, need=lead.say(words.NEEDS),
            )  # fmt: skip
        case "customer" if known := plot.customer_before(again.now):
            script.do(
                "leads.CaptureLead", MARKETING[0], again.minutes(30, 900),
                refused="AlreadyCustomer", channel="email", name=known.lead.prospect.name,
                emails=[known.lead.prospect.email],
            )  # fmt: skip


def _talk(lead: Lead, rep: str, most: int, outlook: str) -> None:
    """Let the rep be in touch once or several times, each time planning the next."""
    script = lead.script
    times = 1 if script.rng.random() < _BRIEF else most
    planned: str | None = None
    for number in range(1, times + 1):
        at = script.diary.wait(2, 5 if number == 1 else 8)
        is_last = number == times
        phrases = {"positive": words.GOOD_TALK, "negative": words.BAD_TALK}.get(outlook)
        follow_up = script.id("follow_up", at.isoformat())
        next_id = None if is_last else script.id("follow_up", at.isoformat(), "next")
        script.do(
            "leads.RecordFollowUp",
            rep,
            at,
            lead_id=lead.id,
            follow_up_id=follow_up,
            plan_id=planned,
            method=script.rng.choice(("call", "call", "message", "visit", "mail")),
            content=lead.say(phrases if phrases and is_last else words.FOLLOW_UPS),
            attitude=outlook if is_last else "neutral",
            duration_minutes=script.rng.choice((5, 10, 15, 30, 60)),
            next=_next_step(lead, at, next_id) if next_id else None,
        )
        planned = next_id


def _next_step(lead: Lead, at: datetime, follow_up_id: str) -> dict[str, Any]:
    due = at + timedelta(days=lead.script.rng.randint(3, 12))
    return {
        "follow_up_id": follow_up_id,
        "due_at": due.isoformat(),
        "method": "call",
        "next_step": lead.say(words.NEXT_STEPS),
    }


def _give_up(lead: Lead, rep: str) -> None:
    at = lead.script.diary.minutes(5, 90)
    reason = lead.script.rng.choice(words.DISQUALIFIED)
    lead.script.do("leads.DisqualifyLead", rep, at, lead_id=lead.id, reason=reason)


def _qualify(lead: Lead, rep: str) -> None:
    at = lead.script.diary.minutes(5, 60)
    lead.script.do("leads.QualifyLead", rep, at, lead_id=lead.id)


def _ignore(plot: Plot, lead: Lead, rep: str) -> None:
    """Nobody follows up, the lead goes back to its pool by rule, and sometimes finds another."""
    if lead.script.rng.random() < 0.5:
        _talk(lead, rep, 1, "neutral")
    lead.script.diary.pass_days(RECYCLED_AFTER + 2)
    _perhaps_find_another(plot, lead, rep, 0.25)


def _release(plot: Plot, lead: Lead, rep: str) -> None:
    reason = lead.script.rng.choice(words.RELEASED)
    at = lead.script.diary.minutes(5, 60)
    lead.script.do("leads.ReleaseLead", rep, at, lead_id=lead.id, reason=reason)
    _perhaps_find_another(plot, lead, rep, 0.5)


def _perhaps_find_another(plot: Plot, lead: Lead, rep: str, chance: float) -> None:
    if lead.pool == POOL_DORMANT or lead.script.rng.random() > chance:
        return
    other = _colleague(lead, rep)
    _claim(plot, lead, other, lead.script.diary.wait(2, 15))
    if lead.script.rng.random() < 0.2:
        _convert(plot, lead, other)
    else:
        _talk(lead, other, 2, "negative")
        _give_up(lead, other)


def _nurture(plot: Plot, lead: Lead, rep: str) -> None:
    _talk(lead, rep, 1, "neutral")
    script = lead.script
    at = script.diary.minutes(5, 60)
    days = script.rng.randint(45, 150)
    script.do(
        "leads.NurtureLead", rep, at, lead_id=lead.id, reason="budget next year",
        until=(at.date() + timedelta(days=days)).isoformat(),
    )  # fmt: skip
    script.diary.pass_days(days)
    if script.rng.random() < 0.5:
        script.do(
            "leads.ReopenLead", rep, script.diary.wait(0, 5), lead_id=lead.id, reason="time is ripe"
        )
        if script.rng.random() < 0.4:
            _convert(plot, lead, rep)
        else:
            _talk(lead, rep, 2, "negative")
            _give_up(lead, rep)


def _convert(plot: Plot, lead: Lead, rep: str, *, with_deal: bool = True) -> None:
    _talk(lead, rep, 2, "positive")
    _qualify(lead, rep)
    at = lead.script.diary.wait(1, 7)
    customer = Customer(lead, lead.script.id("account"), lead.script.id("contact"), rep, at)
    _become(plot, customer, with_deal=with_deal, account_id=customer.account_id)


def _join(plot: Plot, lead: Lead, rep: str) -> None:
    """It turns out to be another contact of a customer we have."""
    known = plot.customer_before(lead.script.diary.now)
    if known is None:
        _convert(plot, lead, rep)
        return
    _talk(lead, rep, 1, "positive")
    _qualify(lead, rep)
    at = lead.script.diary.wait(1, 5)
    customer = Customer(lead, known.account_id, lead.script.id("contact"), rep, at)
    _become(plot, customer, with_deal=True, existing_account_id=known.account_id)
    for member in (rep, boss_of(rep)):
        lead.script.do(
            "accounts.AddTeamMember", ADMINISTRATOR, at, account_id=known.account_id,
            employee_id=member, role="sales", access="write",
        )  # fmt: skip


def _become(plot: Plot, customer: Customer, *, with_deal: bool, **account: Any) -> None:
    lead = customer.lead
    offer = plot.offer(lead.script.rng, lead.region.currency)
    opportunity_id = lead.script.id("opportunity")
    wanted: dict[str, Any] = {
        "opportunity_id": opportunity_id,
        "name": f"{lead.prospect.company} {offer.products[0].name}",
        "process_id": "standard",
        "amount": money(offer.total, offer.currency),
        "expected_close_on": (customer.since.date() + timedelta(days=75)).isoformat(),
        "product_ids": [product.id for product in offer.products],
    }
    lead.script.do(
        "leads.ConvertLead", customer.rep, customer.since,
        lead_id=lead.id, contact_id=customer.contact_id,
        opportunity=wanted if with_deal else None, **account,
    )  # fmt: skip
    plot.customers.append(customer)
    if with_deal:
        deal_follows(plot, customer, opportunity_id, offer)


def _convert_by_mistake(lead: Lead, rep: str) -> None:
    script = lead.script
    _talk(lead, rep, 1, "positive")
    _qualify(lead, rep)
    script.do(
        "leads.ConvertLead", rep, script.diary.wait(1, 4), lead_id=lead.id,
        opportunity={"name": lead.prospect.company, "process_id": "standard"},
    )  # fmt: skip
    script.do(
        "leads.RevertConversion", boss_of(rep), script.diary.wait(1, 3),
        lead_id=lead.id, reason="converted by mistake",
    )  # fmt: skip
    script.diary.wait(1, 3)
    _give_up(lead, rep)
