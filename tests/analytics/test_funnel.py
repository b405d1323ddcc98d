"""The funnel and the channels' effect, now and then."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.analytics.projections.funnel import GetFunnel, ListChannels
from services.billing.commands import (
    DraftContract,
    ReceivePayment,
    ReversePayment,
    SignContract,
)
from services.leads.commands import (
    AssignLead,
    CaptureLead,
    ConvertLead,
    DisqualifyLead,
    QualifyLead,
    RecordFollowUp,
    RevertConversion,
    WantedOpportunity,
)
from services.pipeline.commands import MoveOpportunity, OpenOpportunity, WinOpportunity
from shared.chassis.testing import NOON
from shared.events.billing import ReversalReason
from shared.events.values import Money
from tests.analytics.life import DAY, Company, company


def yuan(amount: int) -> Money:
    """Return an amount in yuan."""
    return Money(amount=Decimal(amount), currency="CNY")


@pytest.fixture(scope="module")
def firm() -> Company:
    """Return a company with three leads: one paid, one given up, one new next month."""
    firm = company()
    for number, (channel, days) in enumerate((("web_form", 0), ("phone", 1), ("web_form", 30))):
        firm.settle(NOON + days * DAY)
        firm.do(
            "leads",
            CaptureLead(
                lead_id=f"lead-{number}",
                company=f"公司{number}",
                phones=(f"+861390000000{number}",),
                channel=channel,
                region=("华东", "华南")[number % 2],
                product_ids=("pump",) if number == 0 else (),
            ),
        )
    firm.settle()
    at = NOON + 31 * DAY
    firm.do("leads", AssignLead(lead_id="lead-0", owner_id="mei", unit_id="north"), at)
    firm.do(
        "leads",
        RecordFollowUp(
            lead_id="lead-0", method="visit", cost=Money(amount=Decimal(50), currency="CNY")
        ),
        at,
    )
    firm.do("leads", DisqualifyLead(lead_id="lead-1", reason="no budget"), at)
    firm.do("leads", QualifyLead(lead_id="lead-0"), at)
    firm.do(
        "leads",
        ConvertLead(
            lead_id="lead-0",
            account_id="account-0",
            opportunity=WantedOpportunity(opportunity_id="deal-0", amount=yuan(1000)),
        ),
        at + DAY,
    )
    firm.settle()
    firm.do("pipeline", MoveOpportunity(opportunity_id="deal-0", to_stage="needs"), at + 2 * DAY)
    firm.do("pipeline", WinOpportunity(opportunity_id="deal-0"), at + 3 * DAY)
    firm.do(
        "billing",
        DraftContract(
            contract_id="contract-0",
            account_id="account-0",
            opportunity_id="deal-0",
            lead_id="lead-0",
            amount=yuan(1000),
        ),
        at + 4 * DAY,
    )
    firm.do("billing", SignContract(contract_id="contract-0"), at + 4 * DAY)
    firm.do(
        "billing",
        ReceivePayment(contract_id="contract-0", amount=yuan(400), method="bank_transfer"),
        at + 5 * DAY,
    )
    firm.settle(at + 6 * DAY)
    return firm


def counts(firm: Company, **asked: object) -> dict[str | None, list[int]]:
    """Return the counts per stage, by group."""
    seen = firm.ask(GetFunnel.model_validate(asked))
    groups = seen.groups or [seen.total]
    return {group.key: [stage.count for stage in group.stages] for group in groups}


@pytest.mark.capability("ANA-03")
def test_the_cohort_counts_how_far_leads_ever_got(firm: Company) -> None:
    assert counts(firm) == {"all": [3, 1, 1, 1, 1, 1, 1]}


@pytest.mark.capability("ANA-03")
def test_conversion_and_drop_off_are_told_per_stage(firm: Company) -> None:
    stages = {s.stage: s for s in firm.ask(GetFunnel()).total.stages}
    assert stages["assigned"].conversion == pytest.approx(1 / 3)
    assert stages["assigned"].dropped == 2
    assert stages["paid"].of_all == pytest.approx(1 / 3)
    assert stages["won"].amounts == [yuan(1000)]
    assert stages["paid"].amounts == [yuan(400)]


@pytest.mark.capability("ANA-03")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("channel", {"web_form": 2, "phone": 1}),
        ("region", {"华东": 2, "华南": 1}),
        ("owner", {"mei": 1, None: 2}),
        ("unit", {"north": 1, None: 2}),
        ("product", {"pump": 1, None: 2}),
        ("month", {"2026-03": 2, "2026-04": 1}),
        ("won_month", {"2026-04": 1, None: 2}),
    ],
)
def test_leads_are_grouped_by_what_people_ask_for(
    firm: Company, by: str, expected: dict[str | None, int]
) -> None:
    assert {key: row[0] for key, row in counts(firm, by=by).items()} == expected


@pytest.mark.capability("ANA-03")
def test_the_snapshot_says_where_leads_stand(firm: Company) -> None:
    seen = firm.ask(GetFunnel(view="snapshot"))
    assert {s.stage: s.count for s in seen.total.stages} == {
        "converted": 1,
        "disqualified": 1,
        "new": 1,
    }


@pytest.mark.capability("ANA-03")
def test_a_period_is_two_days_both_included(firm: Company) -> None:
    assert counts(firm, captured_from="2026-03-02", captured_to="2026-03-03")["all"][0] == 2
    assert counts(firm, captured_from="2026-03-03")["all"][0] == 2
    assert counts(firm, captured_to="2026-03-01") == {"all": [0] * 7}


@pytest.mark.capability("ANA-03", "ANA-18")
def test_the_funnel_of_a_past_moment_knows_nothing_later(firm: Company) -> None:
    then = (NOON + 31 * DAY + timedelta(hours=1)).isoformat()
    assert counts(firm, as_of=then) == {"all": [3, 1, 1, 1, 0, 0, 0]}
    assert counts(firm, as_of=NOON.isoformat()) == {"all": [1, 0, 0, 0, 0, 0, 0]}
    assert counts(firm, as_of=(NOON - DAY).isoformat()) == {"all": [0] * 7}


@pytest.mark.capability("ANA-06")
def test_channels_are_compared_by_what_they_brought_and_cost(firm: Company) -> None:
    web, phone = firm.ask(ListChannels()).items
    assert (web.key, web.leads, web.qualified, web.won, web.paid) == ("web_form", 2, 1, 1, 1)
    assert (web.win_rate, web.won_amounts, web.paid_amounts) == (0.5, [yuan(1000)], [yuan(400)])
    assert (web.costs, web.return_on_cost) == ([yuan(50)], 7.0)
    assert (phone.key, phone.leads, phone.won, phone.return_on_cost) == ("phone", 1, 0, None)


@pytest.mark.capability("ANA-03", "LEA-16")
def test_a_reverted_conversion_no_longer_counts() -> None:
    firm = company()
    firm.do("leads", CaptureLead(lead_id="lead-0", company="甲", channel="chat"))
    firm.do("leads", AssignLead(lead_id="lead-0", owner_id="mei"))
    firm.do("leads", QualifyLead(lead_id="lead-0"))
    firm.do("leads", ConvertLead(lead_id="lead-0"))
    firm.settle()
    assert counts(firm)["all"][4] == 1
    firm.do("leads", RevertConversion(lead_id="lead-0", reason="mistake"))
    firm.settle()
    assert counts(firm)["all"][4] == 0


@pytest.mark.capability("ANA-03", "ANA-06")
def test_who_skipped_a_stage_has_passed_it() -> None:
    firm = company()
    for number in range(6):
        lead_id = f"lead-{number}"
        firm.do("leads", CaptureLead(lead_id=lead_id, company=f"公司{number}", channel="web_form"))
        firm.do("leads", AssignLead(lead_id=lead_id, owner_id="mei"))
        if number == 0:
            firm.do("leads", RecordFollowUp(lead_id=lead_id, method="call"))
        else:
            firm.do("leads", QualifyLead(lead_id=lead_id))
    firm.settle()
    stages = {s.stage: s for s in firm.ask(GetFunnel()).total.stages}
    assert [s.count for s in stages.values()] == [6, 6, 6, 5, 0, 0, 0]
    assert stages["qualified"].conversion == pytest.approx(5 / 6)
    assert (stages["contacted"].dropped, stages["qualified"].dropped) == (0, 1)


@pytest.mark.capability("ANA-03", "ANA-06")
def test_a_payment_that_bounced_was_none() -> None:
    firm = company()
    firm.do("leads", CaptureLead(lead_id="lead-0", company="甲", channel="chat"))
    firm.do("leads", AssignLead(lead_id="lead-0", owner_id="mei"))
    firm.do("leads", QualifyLead(lead_id="lead-0"))
    firm.do("leads", ConvertLead(lead_id="lead-0", account_id="account-0"))
    firm.settle()
    firm.do(
        "billing",
        DraftContract(
            contract_id="contract-0", account_id="account-0", lead_id="lead-0", amount=yuan(900)
        ),
    )
    firm.do("billing", SignContract(contract_id="contract-0"))

    def pay(number: int, amount: int) -> None:
        payment_id = f"payment-{number}"
        firm.do(
            "billing",
            ReceivePayment(
                payment_id=payment_id,
                contract_id="contract-0",
                amount=yuan(amount),
                method="bank_transfer",
            ),
        )

    def bounce(number: int) -> None:
        reason = ReversalReason.BOUNCED
        firm.do("billing", ReversePayment(payment_id=f"payment-{number}", reason=reason))

    def paid() -> tuple[int, list[Money]]:
        firm.settle()
        (channel,) = firm.ask(ListChannels()).items
        stage = firm.ask(GetFunnel()).total.stages[-1]
        assert (channel.paid, channel.paid_amounts) == (stage.count, stage.amounts)
        return stage.count, stage.amounts

    pay(1, 300)
    pay(2, 100)
    bounce(1)
    assert paid() == (1, [yuan(100)])
    bounce(2)
    assert paid() == (0, [])
    pay(3, 200)
    assert paid() == (1, [yuan(200)])


@pytest.mark.capability("ANA-03")
def test_the_pipeline_is_cut_like_the_funnel() -> None:
    firm = company()
    for number, channel in enumerate(("phone", "web_form")):
        lead_id = f"lead-{number}"
        firm.do(
            "leads",
            CaptureLead(lead_id=lead_id, company=f"公司{number}", channel=channel, region="华东"),
            NOON + number * 30 * DAY,
        )
        firm.do("leads", AssignLead(lead_id=lead_id, owner_id="mei", unit_id="north"))
        firm.do("leads", QualifyLead(lead_id=lead_id))
        wanted = WantedOpportunity(opportunity_id=f"deal-{number}", amount=yuan(1000))
        firm.do("leads", ConvertLead(lead_id=lead_id, opportunity=wanted))
        firm.settle()
    firm.do("pipeline", OpenOpportunity(name="泵", channel="phone", owner_id="li", amount=yuan(10)))
    firm.settle()

    def told(**asked: object) -> tuple[int, int]:
        seen = firm.ask(GetFunnel.model_validate(asked))
        standing, entered = (sum(s.count for s in one) for one in (seen.pipeline, seen.entered))
        return standing, entered

    for asked, count in (
        ({}, 3),
        ({"channel": "phone"}, 2),
        ({"channel": "web"}, 0),
        ({"owner_id": "mei", "unit_id": "north", "region": "华东"}, 2),
        ({"owner_id": "li"}, 1),
        ({"captured_from": "2026-03-20"}, 1),
        ({"captured_to": "2026-03-20", "channel": "phone"}, 1),
        ({"captured_from": "2030-01-01"}, 0),
    ):
        assert told(**asked) == (count, count), asked
