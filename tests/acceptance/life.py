"""A lead becomes a paying, supported customer, through HTTP, on whatever runs it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.chassis.projections.rebuild import rebuild
from tests.acceptance.installation import Running

__all__ = ["START", "live", "reached"]

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PHONE = "+8613900012345"


def iso(moment: datetime) -> str:
    """Return a moment as the API takes it."""
    return moment.isoformat().replace("+00:00", "Z")


def live(annals: Running) -> None:
    """Live the whole life of one customer, from the first word to the rating of a repair."""
    # captured in two channels: the second is recognised and refused, naming the first
    pool = annals.post("/v1/pools", {"name": "公海", "pool_id": "pool-public"})["id"]
    annals.post(f"/v1/pools/{pool}:rules", {"claims_per_day": 5})
    captured = {"name": "王芳", "company": "晨光设备", "phones": [PHONE], "demand_level": "high"}
    lead = annals.post("/v1/leads", captured | {"channel": "web_form", "pool_id": pool})["id"]
    second = annals.ask("POST", "/v1/leads", captured | {"channel": "phone"})
    assert second.status_code == 409
    assert second.json()["details"]["holder"] == lead
    annals.settle()

    # of two racing reps one gets it
    annals.turn(START + DAY)
    with ThreadPoolExecutor(2) as pair:
        claims = list(
            pair.map(
                lambda rep: annals.ask("POST", f"/v1/leads/{lead}:claim", by=rep), ("li", "wu")
            )
        )
    assert sorted(answer.status_code for answer in claims) == [200, 409]
    owner = "li" if claims[0].status_code == 200 else "wu"
    position = next(a.headers["annals-position"] for a in claims if a.status_code == 200)
    assert annals.get(f"/v1/leads/{lead}", min_position=position)["owner_id"] == owner

    # followed up, qualified, converted
    annals.turn(START + 2 * DAY)
    follow_up = {"method": "call", "content": "客户要求报价", "outcome": "interested"}
    annals.post(f"/v1/leads/{lead}/follow-ups", follow_up, by=owner)
    annals.post(f"/v1/leads/{lead}:qualify", by=owner)
    stale = annals.ask("POST", f"/v1/leads/{lead}:convert", by=owner, if_match='"1"')
    assert stale.status_code == 412
    converted = annals.post(
        f"/v1/leads/{lead}:convert",
        {"opportunity": {"name": "两台空压机", "amount": {"amount": "100000", "currency": "CNY"}}},
        by=owner,
        idempotency_key="convert-1",
    )
    again = annals.post(
        f"/v1/leads/{lead}:convert",
        {"opportunity": {"name": "两台空压机", "amount": {"amount": "100000", "currency": "CNY"}}},
        by=owner,
        idempotency_key="convert-1",
    )
    assert again == converted
    account = converted["outcome"]["account_id"]
    deal = converted["outcome"]["opportunity_id"]
    annals.settle()
    before_the_deal = START + 3 * DAY - timedelta(hours=1)

    # stage moves, quote, win
    annals.turn(START + 3 * DAY)
    process = annals.get(f"/v1/opportunities/{deal}")
    stages = [
        s["stage"] for s in annals.get(f"/v1/sales-processes/{process['process_id']}")["stages"]
    ]
    annals.post(f"/v1/opportunities/{deal}:move", {"to_stage": stages[1]}, by=owner)
    skipped = annals.ask(
        "POST", f"/v1/opportunities/{deal}:move", {"to_stage": "nowhere"}, by=owner
    )
    assert skipped.status_code in {409, 422}
    line = {
        "description": "空压机",
        "quantity": "2",
        "unit_price": "50000",
        "discount_percent": "10",
    }
    quote = annals.post(
        f"/v1/opportunities/{deal}/quotes", {"currency": "CNY", "lines": [line]}, by=owner
    )["id"]
    annals.post(f"/v1/quotes/{quote}:send", by=owner)
    annals.turn(START + 5 * DAY)
    annals.post(f"/v1/quotes/{quote}:accept", by=owner)
    annals.post(f"/v1/opportunities/{deal}:win", by=owner)
    annals.settle()

    # the contract was drafted by policy; sign, plan, partial payment, overdue, paid, invoice
    (contract,) = annals.get("/v1/contracts", filter=f'account_id = "{account}"')["items"]
    contract_id = contract["contract_id"]
    sla = service_promise(annals)
    annals.post(f"/v1/contracts/{contract_id}:revise", {"sla_policy_id": sla}, by=owner)
    annals.post(f"/v1/contracts/{contract_id}:sign", by=owner)
    due = (START + 20 * DAY).date().isoformat()
    wrong = {"instalments": [{"amount": cny("89999"), "due_on": due}]}
    assert annals.ask("POST", f"/v1/contracts/{contract_id}/payment-plan", wrong).status_code == 409
    annals.post(
        f"/v1/contracts/{contract_id}/payment-plan",
        {"instalments": [{"amount": cny("90000"), "due_on": due}]},
    )
    annals.post(f"/v1/contracts/{contract_id}:activate")
    annals.settle()
    annals.turn(START + 10 * DAY)
    annals.post(
        "/v1/payments",
        {"contract_id": contract_id, "amount": cny("30000"), "method": "bank_transfer"},
    )
    annals.turn(START + 25 * DAY)
    owed = annals.get(f"/v1/ledger/accounts/{account}")
    assert [(p["status"], p["outstanding"]["amount"]) for p in owed["plan"]] == [
        ("overdue", "60000")
    ]
    too_much = annals.ask(
        "POST",
        "/v1/payments",
        {
            "contract_id": contract_id,
            "amount": cny("70000"),
            "method": "bank_transfer",
            "allocations": [{"amount": cny("90000")}],
        },
    )
    assert too_much.status_code in {409, 422}
    overdue = START + 25 * DAY
    annals.turn(START + 26 * DAY)
    annals.post(
        "/v1/payments",
        {"contract_id": contract_id, "amount": cny("60000"), "method": "bank_transfer"},
    )
    invoice = annals.post(
        "/v1/invoices",
        {"contract_id": contract_id, "title": "晨光设备有限公司", "amount": cny("90000")},
    )["id"]
    annals.post(f"/v1/invoices/{invoice}:approve")
    annals.post(f"/v1/invoices/{invoice}:issue")

    # a ticket answered within the promise, and one that was not
    annals.turn(START + 27 * DAY + timedelta(hours=1))
    ticket = {"kind": "fault", "channel": "phone", "priority": "high", "account_id": account}
    kept = annals.post("/v1/tickets", ticket | {"subject": "无法启动"})["id"]
    annals.post(f"/v1/tickets/{kept}:assign", {"employee_id": "agent"})
    annals.post(f"/v1/tickets/{kept}:reply", {"message": "正在处理"}, by="agent")
    annals.post(f"/v1/tickets/{kept}:resolve", {"resolution": "更换电容"}, by="agent")
    annals.post(f"/v1/tickets/{kept}:close", by="agent")
    broken = annals.post("/v1/tickets", ticket | {"subject": "异响"})["id"]
    annals.turn(START + 34 * DAY)
    annals.post(f"/v1/tickets/{kept}/rating", {"score": 5, "comment": "很快"})
    annals.settle()

    # customer 360, funnel and ledger say so
    seen = annals.get(f"/v1/customers/{account}/360")
    assert seen["profile"]["name"] == "晨光设备"
    assert [c["name"] for c in seen["contacts"]] == ["王芳"]
    assert [(o["status"], o["amount"]["amount"]) for o in seen["opportunities"]] == [
        ("won", "90000")
    ]
    assert [c["status"] for c in seen["contracts"]] == ["active"]
    assert [p["status"] for p in seen["ledger"]["plan"]] == ["paid"]
    slas = {t["ticket_id"]: t for t in seen["tickets"]}
    assert (slas[kept]["response_sla"], slas[kept]["resolution_sla"]) == ("met", "met")
    assert (slas[broken]["response_sla"], slas[broken]["resolution_sla"]) == (
        "breached",
        "breached",
    )
    assert (seen["satisfaction"]["answers"], seen["satisfaction"]["latest"]) == (1, 5)
    assert reached(annals.get("/v1/funnel")) == dict.fromkeys(
        ("captured", "assigned", "contacted", "qualified", "converted", "won", "paid"), 1
    )
    (channel,) = annals.get("/v1/channels")["items"]
    assert (channel["key"], channel["won"], channel["paid"]) == ("web_form", 1, 1)
    trial = annals.get("/v1/ledger/trial-balance")
    assert trial["balanced"]
    assert trial["totals"][0]["difference"]["amount"] == "0"

    # the timeline tells the life across contexts
    topics = [f["topic"] for f in annals.get(f"/v1/customers/{account}/timeline")["items"]]
    told = (
        "leads.LeadCaptured",
        "accounts.AccountOpened",
        "pipeline.OpportunityWon",
        "billing.InstalmentFellOverdue",
        "support.SlaBreached",
        "support.RatingGiven",
    )
    assert {f"{name}.v1" for name in told} <= set(topics)

    # as of three earlier moments
    for time in ("occurred", "recorded"):
        funnel = reached(annals.get("/v1/funnel", as_of=iso(START + DAY / 2), time=time))
        assert (funnel["captured"], funnel["assigned"], funnel["won"]) == (1, 0, 0)
        then = annals.get(f"/v1/customers/{account}/360", as_of=iso(before_the_deal), time=time)
        assert [o["status"] for o in then["opportunities"]] == ["open"]
        assert then["contracts"] == []
        past = annals.get(f"/v1/ledger/accounts/{account}", as_of=iso(overdue), time=time)
        assert [p["status"] for p in past["plan"]] == ["overdue"]
        assert annals.client.get(
            f"/v1/customers/{account}/360", params={"as_of": iso(START + DAY / 2), "time": time}
        ).status_code == 404  # fmt: skip

    # all read models rebuilt are equal
    with annals.services() as services:
        logs = {opened.name: opened.log for opened in services}
        for opened in services:
            for report in rebuild(
                opened.views_database, opened.service.projections, logs, check=True
            ):
                assert report.equal, report


def service_promise(annals: Running) -> str:
    """Define office hours and a service level of four hours to answer, sixteen to resolve."""
    calendar = annals.post(
        "/v1/business-calendars",
        {
            "name": "office",
            "time_zone": "UTC",
            "hours": [
                {"weekday": day, "opens": "09:00:00", "closes": "17:00:00"} for day in range(1, 6)
            ],
        },
    )["id"]
    targets = [
        {"priority": p, "response_minutes": 240, "resolution_minutes": 960}
        for p in ("critical", "high", "moderate", "low")
    ]
    promise: str = annals.post(
        "/v1/sla-policies", {"name": "standard", "calendar_id": calendar, "targets": targets}
    )["id"]
    return promise


def cny(amount: str) -> dict[str, str]:
    """Return an amount in yuan."""
    return {"amount": amount, "currency": "CNY"}


def reached(funnel: Any) -> dict[str, int]:
    """Return how many leads reached each stage."""
    return {stage["stage"]: stage["count"] for stage in funnel["total"]["stages"]}
