"""Known customers: under which phones and mail addresses accounts and their people are reached."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, MetaData, String, Table, bindparam, select

from shared.chassis.shapes import Key, Projection, Row
from shared.events.accounts import (
    AccountOpened,
    AccountProfileChanged,
    AccountProfileFact,
    AccountWithdrawn,
    ContactAdded,
    ContactLeft,
    ContactLinked,
    ContactProfileChanged,
    ContactProfileFact,
    ContactWithdrawn,
)
from shared.events.base import Recorded

__all__ = [
    "CustomerAddresses",
    "KnownCustomers",
    "accounts_of",
    "accounts_with",
    "address",
    "is_account",
    "is_known",
]

known_customers = Table(
    "known_customers",
    MetaData(),
    Column("party_id", String, primary_key=True),
    Column("is_account", Boolean, nullable=False),
    Column("account_ids", JSON, nullable=False),
    Column("phones", JSON, nullable=False),
    Column("emails", JSON, nullable=False),
)
customer_addresses = Table(
    "customer_addresses",
    MetaData(),
    Column("address", String, primary_key=True),
    Column("party_ids", JSON, nullable=False),
)

_PROFILES = (AccountOpened, AccountProfileChanged, ContactAdded, ContactProfileChanged)


class KnownCustomers(Projection):
    """Every account and contact in the books with its accounts, phones and mail addresses."""

    table = known_customers
    version = 1
    events = (*_PROFILES, AccountWithdrawn, ContactLinked, ContactLeft, ContactWithdrawn)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        event = recorded.event
        match event:
            case AccountWithdrawn() | ContactWithdrawn():
                return None
            case AccountProfileFact():
                return _party(key, event, [recorded.stream_id], is_account=True)
            case ContactAdded():
                return _party(key, event, [event.account_id], is_account=False)
            case ContactProfileChanged():
                return _party(key, event, list(event.account_ids), is_account=False)
            case ContactLinked() if row is not None:
                return {**row, "account_ids": _with(row["account_ids"], event.account_id)}
            case ContactLeft() if row is not None:
                left = [one for one in row["account_ids"] if one != event.account_id]
                return {**row, "account_ids": left}
        return row


class CustomerAddresses(Projection):
    """Which accounts and contacts were ever reached under a phone or mail address."""

    table = customer_addresses
    version = 1
    events = _PROFILES

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        event: AccountProfileFact | ContactProfileFact = recorded.event
        return [
            *((address("phones", phone),) for phone in event.phones or ()),
            *((address("emails", email.casefold()),) for email in event.emails or ()),
        ]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        parties = row["party_ids"] if row else []
        return {"address": key[0], "party_ids": _with(parties, recorded.stream_id)}


def address(field: str, value: str) -> str:
    """Return the key under which one of the `phones` or case-folded `emails` is known."""
    return f"{field}:{value}"


def accounts_with(connection: Connection, field: str, values: Sequence[str]) -> set[str]:
    """Return the accounts reached today under one of these `phones` or case-folded `emails`."""
    wanted = [address(field, value) for value in values]
    found = connection.execute(_BY_ADDRESS, {"addresses": wanted}).scalars()
    parties = sorted({party for some in found for party in some})
    if not parties:
        return set()
    rows = connection.execute(
        select(known_customers).where(known_customers.c.party_id.in_(parties))
    ).mappings()
    return {
        account
        for row in rows
        if not {value.casefold() for value in row[field]}.isdisjoint(values)
        for account in row["account_ids"]
    }


def is_account(connection: Connection, account_id: str) -> bool:
    """Whether the account is in the books."""
    return bool(_found(connection, account_id).get("is_account"))


def is_known(connection: Connection, party_id: str) -> bool:
    """Whether there is an account or contact of this id in the books."""
    return bool(_found(connection, party_id))


def accounts_of(connection: Connection, contact_id: str) -> list[str] | None:
    """Return the accounts a contact acts for; None when there is no such contact."""
    row = _found(connection, contact_id)
    return None if not row or row["is_account"] else list(row["account_ids"])


_BY_ADDRESS = select(customer_addresses.c.party_ids).where(
    customer_addresses.c.address.in_(bindparam("addresses", expanding=True))
)


def _found(connection: Connection, party_id: str) -> Mapping[str, Any]:
    statement = select(known_customers).where(known_customers.c.party_id == party_id)
    row = connection.execute(statement).mappings().first()
    return dict(row) if row else {}


def _party(
    key: Key,
    event: AccountProfileFact | ContactProfileFact,
    account_ids: list[str],
    *,
    is_account: bool,
) -> Row:
    return {
        "party_id": key[0],
        "is_account": is_account,
        "account_ids": account_ids,
        "phones": list(event.phones or ()),
        "emails": list(event.emails or ()),
    }


def _with(values: Sequence[str], one: str) -> list[str]:
    return [*values, one] if one not in values else list(values)
