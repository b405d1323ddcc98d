"""Contracts: the list, and one contract with its lines."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, Date, Index, Integer, MetaData, String, Table

from services.billing.domain.contract import STATUS_AFTER, ContractStatus
from shared.chassis.shapes import (
    Amount,
    Instant,
    Key,
    ListQuery,
    Page,
    Projection,
    Query,
    Reader,
    Row,
    View,
)
from shared.chassis.shapes.listing import listed
from shared.chassis.shapes.telling import found
from shared.events.base import Recorded
from shared.events.billing import (
    ContractActivated,
    ContractAmended,
    ContractContentFact,
    ContractDocumentAttached,
    ContractDrafted,
    ContractExpired,
    ContractFulfilled,
    ContractInvoiced,
    ContractRenewed,
    ContractRevised,
    ContractSigned,
    ContractTerminated,
    InstalmentFact,
    InstalmentPaid,
    InstalmentReopened,
)
from shared.events.values import Address, Attachment, ContractId, LineItem

__all__ = ["Contracts", "GetContract", "ListContracts", "get_contract", "list_contracts"]

contracts = Table(
    "contracts",
    MetaData(),
    Column("contract_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("number", String, nullable=False),
    Column("title", String),
    Column("status", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("opportunity_id", String),
    Column("lead_id", String),
    Column("quote_id", String),
    Column("owner_id", String),
    Column("unit_id", String),
    Column("region", String),
    Column("channel", String),
    Column("currency", String, nullable=False),
    Column("net", Amount, nullable=False),
    Column("tax", Amount, nullable=False),
    Column("total", Amount, nullable=False),
    Column("invoiced", Amount, nullable=False),
    Column("paid", Amount, nullable=False),
    Column("outstanding", Amount, nullable=False),
    Column("lines", JSON, nullable=False),
    Column("starts_on", Date),
    Column("ends_on", Date),
    Column("signed_on", Date),
    Column("ended_on", Date),
    Column("our_party", String),
    Column("contact_id", String),
    Column("delivery_address", JSON),
    Column("terms", String),
    Column("sla_policy_id", String),
    Column("time_zone", String, nullable=False),
    Column("amendments", Integer, nullable=False),
    Column("renews_id", String),
    Column("renewed_by_id", String),
    Column("documents", JSON, nullable=False),
    Column("source", String),
    Column("external_id", String),
    Column("drafted_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("contracts_by_drafted_at", "drafted_at", "contract_id"),
    Index("contracts_by_account", "account_id", "drafted_at"),
    Index("contracts_by_status", "status", "drafted_at"),
    Index("contracts_by_owner", "owner_id", "status"),
    Index("contracts_by_opportunity", "opportunity_id"),
)


class Contracts(Projection):
    """What was agreed with whom, where it stands, and how much of it is invoiced and paid."""

    table = contracts
    version = 1
    events = (
        *STATUS_AFTER,
        ContractAmended,
        ContractDocumentAttached,
        ContractInvoiced,
        ContractRenewed,
        ContractRevised,
        InstalmentPaid,
        InstalmentReopened,
    )

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        event = recorded.event
        return [(event.contract_id if isinstance(event, InstalmentFact) else recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        if isinstance(event, ContractDrafted):
            return _drafted(recorded)
        if row is None:
            return None
        match event:
            case InstalmentPaid(amount=amount):
                return _paid(row, amount.amount)
            case InstalmentReopened(amount=amount):
                return _paid(row, -amount.amount)
        changes: dict[str, Any] = {
            "version": recorded.version,
            "changed_at": recorded.occurred_at,
        }
        if status := STATUS_AFTER.get(type(event)):
            changes["status"] = status
        match event:
            case ContractRevised():
                changes |= _content(event, row["paid"])
            case ContractAmended():
                changes |= _content(event, row["paid"]) | {"amendments": event.amendment}
            case ContractSigned():
                changes["signed_on"] = event.signed_on
            case ContractActivated():
                changes["starts_on"] = event.starts_on
            case ContractFulfilled() | ContractTerminated() | ContractExpired():
                changes["ended_on"] = event.on
            case ContractInvoiced():
                changes["invoiced"] = event.invoiced.amount
            case ContractRenewed():
                changes["renewed_by_id"] = event.by_contract_id
            case ContractDocumentAttached(document=document) if document:
                changes["documents"] = [*row["documents"], document.model_dump(mode="json")]
        return {**row, **changes}


def _drafted(recorded: Recorded[ContractDrafted]) -> Row:
    event = recorded.event
    return {
        "contract_id": recorded.stream_id,
        "version": recorded.version,
        "number": event.number,
        "status": ContractStatus.DRAFT,
        "account_id": event.account_id,
        "opportunity_id": event.opportunity_id,
        "lead_id": event.lead_id,
        "quote_id": event.quote_id,
        "owner_id": event.owner_id,
        "unit_id": event.unit_id,
        "region": event.region,
        "channel": event.channel,
        "currency": event.total.currency,
        "invoiced": Decimal(0),
        "paid": Decimal(0),
        "signed_on": None,
        "ended_on": None,
        "amendments": 0,
        "renews_id": event.renews_id,
        "renewed_by_id": None,
        "documents": [],
        "source": event.source,
        "external_id": event.external_id,
        "drafted_at": recorded.occurred_at,
        "changed_at": recorded.occurred_at,
        **_content(event, Decimal(0)),
    }


def _content(event: ContractContentFact, paid: Decimal) -> dict[str, Any]:
    address = event.delivery_address
    return {
        "title": event.title,
        "lines": [line.model_dump(mode="json") for line in event.lines],
        "net": event.net.amount,
        "tax": event.tax.amount,
        "total": event.total.amount,
        "outstanding": event.total.amount - paid,
        "starts_on": event.starts_on,
        "ends_on": event.ends_on,
        "our_party": event.our_party,
        "contact_id": event.contact_id,
        "delivery_address": address.model_dump(mode="json") if address else None,
        "terms": event.terms,
        "sla_policy_id": event.sla_policy_id,
        "time_zone": event.time_zone,
    }


def _paid(row: Row, amount: Decimal) -> Row:
    paid = row["paid"] + amount
    return {**row, "paid": paid, "outstanding": row["total"] - paid}


class ContractRow(View):
    """A contract in a list; amounts are in its currency, paid is what its plan received."""

    contract_id: ContractId
    version: int
    number: str
    title: str | None
    status: ContractStatus
    account_id: str
    opportunity_id: str | None
    lead_id: str | None
    quote_id: str | None
    owner_id: str | None
    unit_id: str | None
    region: str | None
    channel: str | None
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    invoiced: Decimal
    paid: Decimal
    outstanding: Decimal
    starts_on: date | None
    ends_on: date | None
    signed_on: date | None
    ended_on: date | None
    source: str | None
    external_id: str | None
    drafted_at: datetime
    changed_at: datetime


class ContractView(ContractRow):
    """A contract with everything agreed."""

    lines: list[LineItem]
    our_party: str | None
    contact_id: str | None
    delivery_address: Address | None
    terms: str | None
    sla_policy_id: str | None
    time_zone: str
    amendments: int
    renews_id: str | None
    renewed_by_id: str | None
    documents: list[Attachment]


class GetContract(Query, http="GET /v1/contracts/{contract_id}"):
    """Read one contract."""

    contract_id: ContractId


class ListContracts(ListQuery, http="GET /v1/contracts"):
    """List contracts, newest first."""


def get_contract(query: GetContract, reader: Reader) -> ContractView:
    """Answer with one contract."""
    return found(reader, contracts, ContractView, "contract", query.contract_id)


def list_contracts(query: ListContracts, reader: Reader) -> Page[ContractRow]:
    """Answer with a page of contracts."""
    return listed(query, reader, contracts, ContractRow, order_by="drafted_at desc")
