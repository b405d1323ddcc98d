from datetime import date

import pytest

from services.accounts.application import AccountsApplication
from services.accounts.commands import (
    AddContact,
    ChangeContact,
    LinkContact,
    OpenAccount,
    RecordContactLeft,
)
from services.accounts.domain.account import AccountIsWithdrawn
from services.accounts.domain.contact import (
    MOST_ACCOUNTS,
    ContactIsWithdrawn,
    NobodyReportsToThemselves,
    OnlyWhoActsForAnAccountCanLeaveIt,
    PeopleActForFewAccounts,
)
from shared.chassis.shapes import Invalid, NotFound, Taken
from shared.chassis.testing import Scenario, scenario
from shared.events.accounts import (
    AccountWithdrawn,
    Anniversary,
    ContactAdded,
    ContactLeft,
    ContactLinked,
    ContactProfileChanged,
    ContactWithdrawn,
)
from tests.accounts.builders import ACCOUNT, CONTACT, account_opened, contact_added


def at_an_account() -> Scenario[AccountsApplication]:
    return scenario(AccountsApplication).given(ACCOUNT, account_opened())


@pytest.mark.capability("ACC-03")
def test_a_contact_is_added_with_everything_known_of_them() -> None:
    given = at_an_account().given("boss", contact_added(name="李总"))
    given.when(
        AddContact(
            account_id=ACCOUNT,
            contact_id=CONTACT,
            name="王小明",
            titles=("采购经理",),
            reports_to_id="boss",
            phones=("13912345678",),
            emails=("wang@example.com",),
            platform_ids={"wechat": "wxm"},
            birthday=date(1990, 5, 1),
            anniversaries=(Anniversary(name="wedding", day=date(2015, 10, 1)),),
            preferences={"drinks": "tea"},
            role="buyer",
            is_primary=True,
        )
    ).then(
        ContactAdded(
            account_id=ACCOUNT,
            name="王小明",
            titles=("采购经理",),
            reports_to_id="boss",
            phones=("+8613912345678",),
            emails=("wang@example.com",),
            platform_ids={"wechat": "wxm"},
            birthday=date(1990, 5, 1),
            anniversaries=(Anniversary(name="wedding", day=date(2015, 10, 1)),),
            preferences={"drinks": "tea"},
            role="buyer",
            is_primary=True,
        )
    )


def test_a_contact_needs_an_account_in_the_books() -> None:
    given = scenario(AccountsApplication)
    add = AddContact(account_id=ACCOUNT, name="王小明")
    given.when(add).then_refused(NotFound)
    given.given(ACCOUNT, account_opened(), AccountWithdrawn(reason="reverted"))
    given.when(add).then_refused(AccountIsWithdrawn)


def test_an_unknown_superior_is_not_found() -> None:
    given = at_an_account().given(CONTACT, contact_added())
    given.when(AddContact(account_id=ACCOUNT, name="A", reports_to_id="nobody")).then_refused(
        NotFound
    )
    given.when(ChangeContact(contact_id=CONTACT, reports_to_id="nobody")).then_refused(NotFound)


def test_nobody_reports_to_themselves() -> None:
    at_an_account().given(CONTACT, contact_added()).when(
        ChangeContact(contact_id=CONTACT, reports_to_id=CONTACT)
    ).then_refused(NobodyReportsToThemselves)


def test_a_contact_is_imported_once_per_source() -> None:
    add = AddContact(account_id=ACCOUNT, name="A", source="maven", external_id="1")
    given = at_an_account().after(
        OpenAccount(account_id="other", name="A", source="maven", external_id="1"), add
    )
    given.when(add).then_refused(Taken)


def test_bad_numbers_and_addresses_are_named() -> None:
    refused = at_an_account().when(
        AddContact(account_id=ACCOUNT, name="A", phones=("123", "abc"), emails=("no address",))
    )
    assert isinstance(refused.refusal, Invalid)
    assert [v.field for v in refused.refusal.violations] == ["phones.0", "phones.1", "emails.0"]


@pytest.mark.capability("ACC-03")
def test_a_change_names_the_accounts_the_person_acts_for() -> None:
    given = at_an_account().given(
        CONTACT, contact_added(education="清华"), ContactLinked(account_id="other")
    )
    given.when(ChangeContact(contact_id=CONTACT, department="采购", clear=("education",))).then(
        ContactProfileChanged(
            name="王小明",
            department="采购",
            account_ids=(ACCOUNT, "other"),
            changed=("department", "education"),
        )
    )
    given.when(ChangeContact(contact_id=CONTACT, department="采购")).then_nothing()


@pytest.mark.capability("ACC-03")
def test_a_contact_serves_several_accounts_and_leaves_one() -> None:
    given = at_an_account().given("other", account_opened()).given(CONTACT, contact_added())
    link = LinkContact(contact_id=CONTACT, account_id="other", role="adviser")
    given.when(link).then(ContactLinked(account_id="other", role="adviser"))
    given.when(link).then_nothing()
    leave = RecordContactLeft(
        contact_id=CONTACT, account_id=ACCOUNT, on=date(2026, 3, 1), reason="new job"
    )
    given.when(leave).then(ContactLeft(account_id=ACCOUNT, on=date(2026, 3, 1), reason="new job"))
    given.when(leave).then_refused(OnlyWhoActsForAnAccountCanLeaveIt)


def test_a_contact_acts_for_few_accounts() -> None:
    links = [ContactLinked(account_id=f"a-{number}") for number in range(MOST_ACCOUNTS - 1)]
    at_an_account().given("other", account_opened()).given(CONTACT, contact_added(), *links).when(
        LinkContact(contact_id=CONTACT, account_id="other")
    ).then_refused(PeopleActForFewAccounts)


@pytest.mark.parametrize(
    "wish",
    [
        ChangeContact(contact_id=CONTACT, name="B"),
        LinkContact(contact_id=CONTACT, account_id=ACCOUNT, role="buyer"),
        RecordContactLeft(contact_id=CONTACT, account_id=ACCOUNT),
    ],
)
def test_nothing_changes_a_withdrawn_contact(wish: ChangeContact) -> None:
    given = at_an_account().given(
        CONTACT, contact_added(), ContactWithdrawn(account_id=ACCOUNT, reason="reverted")
    )
    given.when(wish).then_refused(ContactIsWithdrawn)
