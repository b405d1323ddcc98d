"""Contacts as people see, search and sort them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    MetaData,
    String,
    Table,
    select,
)

from services.accounts.projections.contact_links import contact_links
from shared.chassis.shapes import (
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
from shared.events.accounts import (
    Anniversary,
    ContactAdded,
    ContactFact,
    ContactLeft,
    ContactLinked,
    ContactProfileChanged,
    ContactProfileFact,
    ContactWithdrawn,
)
from shared.events.base import Recorded
from shared.events.values import AccountId, Address, ContactId

__all__ = [
    "ContactList",
    "ContactView",
    "GetContact",
    "LinkView",
    "ListAccountContacts",
    "ListContacts",
    "get_contact",
    "list_account_contacts",
    "list_contacts",
]

contact_list = Table(
    "contact_list",
    MetaData(),
    Column("contact_id", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", String),
    Column("salutation", String),
    Column("titles", JSON),
    Column("department", String),
    Column("reports_to_id", String),
    Column("assistant", String),
    Column("phones", JSON),
    Column("emails", JSON),
    Column("platform_ids", JSON),
    Column("addresses", JSON),
    Column("birthday", Date),
    Column("anniversaries", JSON),
    Column("education", String),
    Column("family", String),
    Column("preferences", JSON),
    Column("language", String),
    Column("custom", JSON),
    Column("lead_id", String),
    Column("source", String),
    Column("external_id", String),
    Column("withdrawn", Boolean, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("added_by", String, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", String, nullable=False),
    Index("contact_list_by_name", "name"),
    Index("contact_list_by_added_at", "added_at", "contact_id"),
    Index("contact_list_by_superior", "reports_to_id"),
)


class ContactList(Projection):
    """One row per person with everything known of them."""

    table = contact_list
    events = (ContactAdded, ContactProfileChanged, ContactLinked, ContactLeft, ContactWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[ContactFact]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[ContactFact]) -> Row | None:
        event = recorded.event
        if isinstance(event, ContactAdded):
            row = {
                "lead_id": event.lead_id,
                "source": event.source,
                "external_id": event.external_id,
                "withdrawn": False,
                "added_at": recorded.occurred_at,
                "added_by": recorded.actor,
            }
        if row is None:
            return None
        return {
            **row,
            **(_profile(event) if isinstance(event, ContactProfileFact) else {}),
            "contact_id": key[0],
            "version": recorded.version,
            "withdrawn": row["withdrawn"] or isinstance(event, ContactWithdrawn),
            "changed_at": recorded.occurred_at,
            "changed_by": recorded.actor,
        }


def _profile(profile: ContactProfileFact) -> Row:
    return {
        "name": profile.name,
        "salutation": profile.salutation,
        "titles": list(profile.titles or ()),
        "department": profile.department,
        "reports_to_id": profile.reports_to_id,
        "assistant": profile.assistant,
        "phones": list(profile.phones or ()),
        "emails": list(profile.emails or ()),
        "platform_ids": profile.platform_ids or {},
        "addresses": [one.model_dump(mode="json") for one in profile.addresses or ()],
        "birthday": profile.birthday,
        "anniversaries": [one.model_dump(mode="json") for one in profile.anniversaries or ()],
        "education": profile.education,
        "family": profile.family,
        "preferences": profile.preferences or {},
        "language": profile.language,
        "custom": profile.custom or {},
    }


class LinkView(View):
    """A person's part at an account, now or once."""

    account_id: str
    role: str | None
    is_primary: bool
    since: date | None
    left_on: date | None
    left_because: str | None


class ContactView(View):
    """A person who acts for customers, with everything known of them."""

    contact_id: str
    version: int
    name: str | None
    salutation: str | None
    titles: list[str]
    department: str | None
    reports_to_id: str | None
    assistant: str | None
    phones: list[str]
    emails: list[str]
    platform_ids: dict[str, str]
    addresses: list[Address]
    birthday: date | None
    anniversaries: list[Anniversary]
    education: str | None
    family: str | None
    preferences: dict[str, str]
    language: str | None
    custom: dict[str, Any]
    accounts: tuple[LinkView, ...] = ()
    lead_id: str | None
    source: str | None
    external_id: str | None
    withdrawn: bool
    added_at: datetime
    added_by: str
    changed_at: datetime
    changed_by: str


class GetContact(Query, http="GET /v1/contacts/{contact_id}"):
    """Show a contact, with the accounts they act or acted for."""

    contact_id: ContactId


class ListContacts(ListQuery, http="GET /v1/contacts"):
    """List contacts, latest first."""


class ListAccountContacts(ListQuery, http="GET /v1/accounts/{account_id}/contacts"):
    """List the people who act for an account, by name."""

    account_id: AccountId
    include_former: bool = False
    """Whether to list those who left it, too."""


def get_contact(query: GetContact, reader: Reader) -> ContactView:
    contact = found(reader.seeing(), contact_list, ContactView, "contact", query.contact_id)
    return _with_accounts([contact], reader)[0]


def list_contacts(query: ListContacts, reader: Reader) -> Page[ContactView]:
    page = listed(
        query,
        reader.seeing(),
        contact_list,
        ContactView,
        where=(contact_list.c.withdrawn.is_(False),),
        order_by="added_at desc",
    )
    return page.model_copy(update={"items": _with_accounts(page.items, reader)})


def list_account_contacts(query: ListAccountContacts, reader: Reader) -> Page[ContactView]:
    theirs = select(contact_links.c.contact_id).where(
        contact_links.c.account_id == query.account_id
    )
    if not query.include_former:
        theirs = theirs.where(contact_links.c.left_on.is_(None))
    page = listed(
        query,
        reader.seeing(),
        contact_list,
        ContactView,
        where=(contact_list.c.withdrawn.is_(False), contact_list.c.contact_id.in_(theirs)),
        order_by="name",
    )
    return page.model_copy(update={"items": _with_accounts(page.items, reader)})


def _with_accounts(contacts: Sequence[ContactView], reader: Reader) -> list[ContactView]:
    wanted = [contact.contact_id for contact in contacts]
    links = reader.connection.execute(
        select(contact_links)
        .where(contact_links.c.contact_id.in_(wanted))
        .order_by(contact_links.c.since.nulls_first(), contact_links.c.account_id)
    ).mappings()
    by_contact: defaultdict[str, list[LinkView]] = defaultdict(list)
    for link in links:
        by_contact[link["contact_id"]].append(LinkView.model_validate(link))
    return [
        contact.model_copy(update={"accounts": tuple(by_contact[contact.contact_id])})
        for contact in contacts
    ]
