"""A person who acts for customers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from services.accounts.commands import (
    AddContact,
    ChangeContact,
    LinkContact,
    OpenConvertedAccount,
    RecordContactLeft,
    WithdrawConversion,
)
from services.accounts.domain.profile import CONTACT_FIELDS, Profile, amended, profile_of
from services.accounts.domain.validation import reachable
from shared.chassis.shapes import BrokenRule, LimitReached
from shared.events.accounts import (
    ContactAdded,
    ContactLeft,
    ContactLinked,
    ContactProfileChanged,
    ContactProfileFact,
    ContactWithdrawn,
)
from shared.events.base import Event

__all__ = [
    "Contact",
    "ContactIsWithdrawn",
    "NobodyReportsToThemselves",
    "OnlyWhoActsForAnAccountCanLeaveIt",
    "PeopleActForFewAccounts",
]

MOST_ACCOUNTS = 100
_ALWAYS_KNOWN = frozenset({"name"})


class ContactIsWithdrawn(BrokenRule):
    sentence = "The contact left the books when its conversion was reverted; nothing can change it."


class NobodyReportsToThemselves(BrokenRule):
    sentence = "A contact cannot report to themselves."


class OnlyWhoActsForAnAccountCanLeaveIt(BrokenRule):
    sentence = "The contact does not act for this account."


class PeopleActForFewAccounts(LimitReached):
    sentence = f"A contact acts for at most {MOST_ACCOUNTS} accounts."


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person with a role at each customer they act for, now or once."""

    profile: Profile
    roles: Mapping[str, ContactLinked] = field(default_factory=lambda: MappingProxyType({}))
    lead_id: str | None = None
    withdrawn: bool = False

    @staticmethod
    def add(command: AddContact) -> list[Event]:
        return [
            ContactAdded(
                **reachable(profile_of(command, CONTACT_FIELDS), command.phone_country),
                account_id=command.account_id,
                role=command.role,
                is_primary=command.is_primary,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    @staticmethod
    def add_converted(command: OpenConvertedAccount) -> list[Event]:
        return [
            ContactAdded(
                name=command.contact_name,
                titles=(command.title,) if command.title else None,
                phones=command.phones,
                emails=command.emails,
                platform_ids=command.platform_ids,
                addresses=(command.address,) if command.address else None,
                account_id=command.account_id,
                is_primary=command.opens_account,
                lead_id=command.lead_id,
            )
        ]

    def change(self, command: ChangeContact) -> list[Event]:
        self._must_be_in_the_books()
        if command.reports_to_id == command.contact_id:
            raise NobodyReportsToThemselves
        wishes = reachable(profile_of(command, CONTACT_FIELDS), command.phone_country)
        after, changed = amended(self.profile, wishes, command.clear, kept=_ALWAYS_KNOWN)
        if not changed:
            return []
        return [ContactProfileChanged(**after, account_ids=tuple(self.roles), changed=changed)]

    def link(self, command: LinkContact) -> list[Event]:
        self._must_be_in_the_books()
        if command.account_id not in self.roles and len(self.roles) >= MOST_ACCOUNTS:
            raise PeopleActForFewAccounts(limit=MOST_ACCOUNTS)
        link = ContactLinked(
            account_id=command.account_id,
            role=command.role,
            is_primary=command.is_primary,
            since=command.since,
        )
        return [] if self.roles.get(command.account_id) == link else [link]

    def leave(self, command: RecordContactLeft) -> list[Event]:
        self._must_be_in_the_books()
        if command.account_id not in self.roles:
            raise OnlyWhoActsForAnAccountCanLeaveIt(account_id=command.account_id)
        return [ContactLeft(account_id=command.account_id, on=command.on, reason=command.reason)]

    def withdraw(self, command: WithdrawConversion) -> list[Event]:
        if self.withdrawn or self.lead_id != command.lead_id:
            return []
        return [
            ContactWithdrawn(
                account_id=command.account_id, lead_id=command.lead_id, reason=command.reason
            )
        ]

    def _must_be_in_the_books(self) -> None:
        if self.withdrawn:
            raise ContactIsWithdrawn

    @staticmethod
    def evolve(state: "Contact | None", event: Event) -> "Contact | None":
        if isinstance(event, ContactAdded):
            link = ContactLinked(
                account_id=event.account_id, role=event.role, is_primary=event.is_primary
            )
            return Contact(
                profile=profile_of(event, CONTACT_FIELDS),
                roles={event.account_id: link},
                lead_id=event.lead_id,
            )
        return None if state is None else _after(state, event)


def _after(contact: Contact, event: Event) -> Contact:
    match event:
        case ContactProfileFact():
            return replace(contact, profile=profile_of(event, CONTACT_FIELDS))
        case ContactLinked():
            return replace(contact, roles={**contact.roles, event.account_id: event})
        case ContactLeft():
            rest = {at: link for at, link in contact.roles.items() if at != event.account_id}
            return replace(contact, roles=rest)
        case ContactWithdrawn():
            return replace(contact, withdrawn=True)
    return contact
