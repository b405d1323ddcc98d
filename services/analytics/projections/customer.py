"""Customer 360 and the timeline: everything known about one customer, now or at any past moment."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import BindParameter, Select, Table, bindparam, func, select, union_all

from services.analytics.projections.deals import deals
from services.analytics.projections.leads import leads
from services.analytics.projections.money import (
    LedgerAccountView,
    contracts,
    invoices,
    ledger_of,
    payments,
)
from services.analytics.projections.people import (
    activities,
    contact_roles,
    contacts,
    customers,
    owner_spells,
)
from services.analytics.projections.service_desk import quotes, ratings, tickets
from shared.chassis.shapes import NotFound, Page, PastQuery, Reader, View
from shared.chassis.shapes.history import concerns, facts, facts_about
from shared.events.base import TOPICS
from shared.events.values import AccountId, Money

__all__ = ["GetCustomer360", "ListTimeline", "get_customer360", "list_timeline"]

_RECENT = 20
_MANY = 200


class GetCustomer360(PastQuery, http="GET /v1/customers/{account_id}/360"):
    """Everything known about a customer in one answer."""

    account_id: AccountId


class ProfileView(View):
    """Who the customer is."""

    account_id: str
    name: str | None = None
    kind: str | None = None
    number: str | None = None
    industry: str | None = None
    region: str | None = None
    website: str | None = None
    phones: list[str] = []
    emails: list[str] = []
    introduction: str | None = None
    owner_id: str | None = None
    unit_id: str | None = None
    parent_id: str | None = None
    channel: str | None = None
    lifecycle: str | None = None
    milestones: list[str] = []
    tags: list[str] = []
    withdrawn: bool = False
    opened_at: datetime | None = None


class ContactView(View):
    """Somebody who acts, or acted, for the customer."""

    contact_id: str
    name: str | None = None
    titles: list[str] = []
    department: str | None = None
    role: str | None = None
    is_primary: bool = False
    phones: list[str] = []
    emails: list[str] = []
    left_on: date | None = None


class OwnerView(View):
    """Who looked after the customer from when on."""

    owner_id: str
    since: datetime
    reason: str | None = None


class ActivityView(View):
    """Something done or planned."""

    activity_id: str
    employee_id: str | None = None
    method: str | None = None
    subject: str | None = None
    result: str | None = None
    outcome: str | None = None
    status: str | None = None
    due_at: datetime | None = None
    done_at: datetime | None = None


class LeadView(View):
    """A lead the customer came from."""

    lead_id: str
    channel: str | None = None
    campaign_id: str | None = None
    status: str | None = None
    score: int | None = None
    grade: str | None = None
    captured_at: datetime | None = None
    converted_at: datetime | None = None


class DealView(View):
    """An opportunity."""

    opportunity_id: str
    name: str | None = None
    stage: str | None = None
    status: str | None = None
    probability: int | None = None
    amount: Money | None = None
    owner_id: str | None = None
    expected_close_on: date | None = None
    next_step: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None


class QuoteView(View):
    """A quote."""

    quote_id: str
    opportunity_id: str | None = None
    number: str | None = None
    revision: int | None = None
    status: str | None = None
    total: Money | None = None
    valid_until: date | None = None


class ContractView(View):
    """A contract."""

    contract_id: str
    number: str | None = None
    title: str | None = None
    status: str | None = None
    total: Money | None = None
    starts_on: date | None = None
    ends_on: date | None = None


class InvoiceView(View):
    """An invoice."""

    invoice_id: str
    contract_id: str | None = None
    number: str | None = None
    status: str | None = None
    total: Money | None = None
    paid: Money | None = None
    issued_on: date | None = None


class PaymentView(View):
    """A payment."""

    payment_id: str
    contract_id: str | None = None
    amount: Money | None = None
    unallocated: Money | None = None
    method: str | None = None
    value_date: date | None = None
    status: str | None = None


class TicketView(View):
    """A ticket."""

    ticket_id: str
    number: str | None = None
    kind: str | None = None
    priority: str | None = None
    subject: str | None = None
    status: str | None = None
    employee_id: str | None = None
    opened_at: datetime | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    response_sla: str | None = None
    resolution_sla: str | None = None


class SatisfactionView(View):
    """What the customer thought of the service."""

    answers: int
    average: float | None = None
    latest: int | None = None


class Customer360View(View):
    """Everything known about a customer."""

    profile: ProfileView
    contacts: list[ContactView]
    owners: list[OwnerView]
    leads: list[LeadView]
    activities: list[ActivityView]
    """The latest done."""
    next_steps: list[ActivityView]
    """What is planned, soonest first."""
    opportunities: list[DealView]
    quotes: list[QuoteView]
    contracts: list[ContractView]
    invoices: list[InvoiceView]
    payments: list[PaymentView]
    ledger: LedgerAccountView
    tickets: list[TicketView]
    satisfaction: SatisfactionView
    cut_short: list[str] = []
    """Lists of more than the 200 entries told; of what happened, those are the latest."""


def get_customer360(query: GetCustomer360, reader: Reader) -> Customer360View:
    """Join the entity rows of one customer."""
    about = _ever_about(query.account_id, reader) if query.as_of else None
    with reader.at(query, about) as then:
        return _everything(query.account_id, then)


def _everything(account_id: str, reader: Reader) -> Customer360View:
    def rows(statement: Select[Any], **more: Any) -> list[dict[str, Any]]:
        found = reader.connection.execute(statement, {"account_id": account_id, **more})
        return [dict(row) for row in found.mappings()]

    def many(name: str) -> list[dict[str, Any]]:
        found = rows(_LISTS[name])
        if len(found) > _MANY:
            cut_short.append(name)
        kept = found[:_MANY]
        return kept if name == "contacts" else kept[::-1]

    cut_short: list[str] = []
    profile = rows(_PROFILE)
    if not profile:
        raise NotFound("customer", account_id)
    from_leads = many("leads")
    lead_ids = [row["lead_id"] for row in from_leads]
    return Customer360View(
        profile=ProfileView.model_validate({k: v for k, v in profile[0].items() if v is not None}),
        contacts=[ContactView.model_validate(row) for row in many("contacts")],
        owners=[OwnerView.model_validate(row) for row in many("owners")],
        leads=[LeadView.model_validate(row) for row in from_leads],
        activities=[ActivityView.model_validate(r) for r in rows(_DONE, lead_ids=lead_ids)],
        next_steps=[ActivityView.model_validate(r) for r in rows(_PLANNED, lead_ids=lead_ids)],
        opportunities=[DealView.model_validate(_money(r, "amount")) for r in many("opportunities")],
        quotes=[QuoteView.model_validate(_money(r, "total")) for r in many("quotes")],
        contracts=[ContractView.model_validate(_money(r, "total")) for r in many("contracts")],
        invoices=[InvoiceView.model_validate(_money(r, "total", "paid")) for r in many("invoices")],
        payments=[
            PaymentView.model_validate(_money(r, "amount", "unallocated")) for r in many("payments")
        ],
        ledger=ledger_of(account_id, reader),
        tickets=[TicketView.model_validate(row) for row in many("tickets")],
        satisfaction=_satisfaction(account_id, reader),
        cut_short=cut_short,
    )


def _satisfaction(account_id: str, reader: Reader) -> SatisfactionView:
    asked = {"account_id": account_id}
    answers, average = reader.connection.execute(_ANSWERS, asked).one()
    if not answers:
        return SatisfactionView(answers=0)
    latest = reader.connection.execute(_LATEST_ANSWER, asked).scalar()
    return SatisfactionView(answers=answers, average=average and float(average), latest=latest)


# The screen's statements are made once; making them takes longer than running them.

_THIS: BindParameter[str] = bindparam("account_id")


def _of(table: Table, moment: Any) -> Select[Any]:
    """Select the latest of a customer's, and one more if there is one."""
    mine = select(table).where(table.c.account_id == _THIS)
    backwards = (column.desc() for column in table.primary_key.columns)
    return mine.order_by(moment.desc().nulls_last(), *backwards).limit(_MANY + 1)


def _activities(status: str, order: Any) -> Select[Any]:
    of_its_leads = activities.c.lead_id.in_(bindparam("lead_ids", expanding=True))
    mine = (activities.c.account_id == _THIS) | of_its_leads
    wanted = select(activities).where(mine, activities.c.status == status)
    return wanted.order_by(order, activities.c.activity_id).limit(_RECENT)


_PROFILE = select(customers).where(customers.c.account_id == _THIS)
_CONTACTS = (
    select(contacts, contact_roles.c.role, contact_roles.c.is_primary, contact_roles.c.left_on)
    .join(contact_roles, contact_roles.c.contact_id == contacts.c.contact_id)
    .where(contact_roles.c.account_id == _THIS)
    .order_by(
        contact_roles.c.is_primary.desc().nulls_last(),
        contact_roles.c.since.nulls_first(),
        contacts.c.contact_id,
    )
    .limit(_MANY + 1)
)
_LISTS: dict[str, Select[Any]] = {
    "contacts": _CONTACTS,
    "leads": _of(leads, leads.c.captured_at),
    "owners": _of(owner_spells, owner_spells.c.version),
    "opportunities": _of(deals, deals.c.opened_at),
    "quotes": _of(quotes, quotes.c.number),
    "contracts": _of(contracts, contracts.c.drafted_at),
    "invoices": _of(invoices, invoices.c.issued_on),
    "payments": _of(payments, payments.c.value_date),
    "tickets": _of(tickets, tickets.c.opened_at),
}
_DONE = _activities("done", activities.c.done_at.desc().nulls_last())
_PLANNED = _activities("planned", activities.c.due_at.nulls_first())
_ANSWERS = select(func.count(), func.avg(ratings.c.score)).where(ratings.c.account_id == _THIS)
_LATEST_ANSWER = (
    select(ratings.c.score)
    .where(ratings.c.account_id == _THIS)
    .order_by(ratings.c.given_at.desc().nulls_last(), ratings.c.survey_id)
    .limit(1)
)


def _money(row: dict[str, Any], *names: str) -> dict[str, Any]:
    currency = row.get("currency")
    return row | {
        name: Money(amount=row[name], currency=currency)
        if row[name] is not None and currency
        else None
        for name in names
    }


def _record(topic: str) -> str:
    """Return the kind of record that facts of a topic happen to."""
    return str(getattr(TOPICS[topic], "stream_kind", ""))


def _about(account_id: str, reader: Reader) -> list[str]:
    """Return the account with what is its, whose facts need not name it."""
    found = reader.connection.execute(_OTHERS, {"account_id": account_id}).scalars()
    return sorted({account_id, *found})


_OTHERS = union_all(
    select(leads.c.lead_id).where(leads.c.account_id == _THIS),
    select(customers.c.lead_id).where(
        customers.c.account_id == _THIS, customers.c.lead_id.is_not(None)
    ),
    select(contact_roles.c.contact_id).where(contact_roles.c.account_id == _THIS),
    select(deals.c.opportunity_id).where(deals.c.account_id == _THIS),
    select(tickets.c.ticket_id).where(tickets.c.account_id == _THIS),
)


def _ever_about(account_id: str, reader: Reader) -> list[str]:
    """Return the account with what was its at any moment, whoever sees it today.

    The past is cut after it is folded, by who owned what then.
    """
    live, asked = reader.reading.snapshot, {"account_id": account_id}
    found = {*live.execute(_OTHERS, asked).scalars(), *live.execute(_NAMING, asked).scalars()}
    return sorted({account_id, *found})


_ITS = ("lead", "contact", "opportunity", "ticket")
_NAMING = (
    select(facts.c.stream_id)
    .join(
        concerns,
        (facts.c.context == concerns.c.context) & (facts.c.position == concerns.c.position),
    )
    .where(
        concerns.c.entity_id == _THIS,
        facts.c.topic.in_([t for t in TOPICS if _record(t) in _ITS]),
    )
    .distinct()
)


class ListTimeline(PastQuery, http="GET /v1/customers/{account_id}/timeline"):
    """Every fact about a customer across contexts, in the order it happened."""

    account_id: AccountId
    page_size: Annotated[int, Field(ge=1, le=500)] = 100
    page_token: Annotated[str | None, Field(max_length=200)] = None
    newest_first: bool = False


class MomentView(View):
    """One fact on a timeline: what, when, who and why."""

    event_id: str
    topic: str
    context: str
    position: int
    stream_id: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    causation_id: str | None = None
    """The fact or command that led to it."""
    correlation_id: str
    rule: str | None = None
    import_id: str | None = None
    erased: bool = False
    data: dict[str, Any]


def list_timeline(query: ListTimeline, reader: Reader) -> Page[MomentView]:
    """Read the kept facts that concern a customer, one page at a time."""
    about = _about(query.account_id, reader)
    rows, token = facts_about(
        reader.connection,
        about,
        until=query.as_of,
        time=query.time,
        limit=query.page_size,
        token=query.page_token,
        newest_first=query.newest_first,
    )
    if not rows and not query.page_token:
        raise NotFound("customer", query.account_id)
    if reader.cut is not None:
        for row in rows:
            row["data"] = reader.cut.said(_record(row["topic"]), row["data"])
    return Page[MomentView](
        items=[MomentView.model_validate(row) for row in rows], next_page_token=token
    )
