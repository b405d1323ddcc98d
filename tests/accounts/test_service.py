from datetime import date, timedelta
from typing import Any

import pytest

from services.accounts.commands import (
    AddContact,
    AddTeamMember,
    ChangeAccount,
    CompleteActivity,
    OpenAccount,
    PlanActivity,
    RecordContactLeft,
    SetAccountParent,
    TagAccount,
)
from services.accounts.projections.account_list import (
    AccountList,
    AccountScope,
    GetAccount,
    ListAccounts,
    ListChildAccounts,
)
from services.accounts.projections.account_team import ListTeam
from services.accounts.projections.activity_list import (
    GetActivity,
    ListAccountActivities,
    ListActivities,
)
from services.accounts.projections.contact_list import (
    ContactList,
    GetContact,
    ListAccountContacts,
    ListContacts,
)
from services.accounts.service import SERVICE
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Answer, Command, Invalid, NotFound, Query
from shared.chassis.testing import NOON, TESTER, folded, issue, recorded
from shared.events.accounts import AccountWithdrawn
from tests.accounts.builders import ACCOUNT, CONTACT, account_opened, contact_added


class Desk:
    """The whole service in memory: carries out commands, lets views catch up, answers."""

    def __init__(self) -> None:
        self.service: OpenService = open_service(SERVICE)
        self._seen = 0

    def do(self, *commands: Command) -> Answer:
        assert self.service.application is not None
        for number, command in enumerate(commands):
            answer = self.service.application.handle(
                issue(command, at=NOON + timedelta(seconds=self._seen + number))
            )
        facts = self.service.log.read(self._seen, 1000)
        with self.service.views_database.transaction() as connection:
            for projection in SERVICE.projections:
                self.service.projector.apply(connection, projection, facts)
        self._seen = self.service.log.tip()
        return answer

    def ask(self, query: Query) -> Any:
        question = SERVICE.asked[type(query).__name__]
        return self.service.ask(question, query, TESTER)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.capability("ACC-01", "ACC-02", "ACC-06", "ACC-16")
def test_accounts_are_opened_found_and_sorted(desk: Desk) -> None:
    desk.do(
        OpenAccount(account_id="group", name="首旅集团", number="K-9"),
        OpenAccount(account_id=ACCOUNT, name="王府井百货", phones=("13912345678",)),
        OpenAccount(account_id="third", name="Cancity", owner_id="lin"),
        SetAccountParent(account_id=ACCOUNT, parent_id="group", relation="branch"),
        TagAccount(account_id=ACCOUNT, tag="重点"),
        AddTeamMember(account_id="third", employee_id="tester"),
    )
    account = desk.ask(GetAccount(account_id=ACCOUNT))
    assert (account.name, account.parent_id, account.tags) == ("王府井百货", "group", ["重点"])
    assert (account.version, account.phones) == (3, ["+8613912345678"])

    def ids(**query: Any) -> list[str]:
        return [one.account_id for one in desk.ask(ListAccounts(**query)).items]

    assert ids() == ["third", ACCOUNT, "group"]
    assert ids(filter='name : "王"') == [ACCOUNT]
    assert ids(filter='tags : "重点" AND lifecycle = potential') == [ACCOUNT]
    assert ids(order_by="lifecycle, name") == ["third", ACCOUNT, "group"]
    assert ids(scope=AccountScope.MINE) == [ACCOUNT, "group"]
    assert ids(scope=AccountScope.TEAM) == ["third"]
    assert ids(scope=AccountScope.POTENTIAL) == [ACCOUNT, "group"]
    children = desk.ask(ListChildAccounts(account_id="group")).items
    assert [child.account_id for child in children] == [ACCOUNT]
    (member,) = desk.ask(ListTeam(account_id="third")).items
    assert member.employee_id == "tester"


def test_a_list_is_read_page_by_page(desk: Desk) -> None:
    desk.do(*(OpenAccount(account_id=f"a-{number}", name=f"A{number}") for number in range(5)))
    first = desk.ask(ListAccounts(page_size=3, order_by="name desc"))
    rest = desk.ask(
        ListAccounts(page_size=3, order_by="name desc", page_token=first.next_page_token)
    )
    names = [one.name for one in (*first.items, *rest.items)]
    assert names == ["A4", "A3", "A2", "A1", "A0"]
    assert rest.next_page_token is None


def test_bad_filters_and_unknown_ids_are_refused(desk: Desk) -> None:
    for query in (
        GetAccount(account_id="nobody"),
        GetContact(contact_id="nobody"),
        GetActivity(activity_id="nobody"),
    ):
        with pytest.raises(NotFound):
            desk.ask(query)
    with pytest.raises(Invalid):
        desk.ask(ListAccounts(filter="nonsense = 1"))


@pytest.mark.capability("ACC-03")
def test_contacts_keep_the_accounts_they_left(desk: Desk) -> None:
    desk.do(
        OpenAccount(account_id=ACCOUNT, name="王府井百货"),
        AddContact(
            account_id=ACCOUNT, contact_id=CONTACT, name="王小明", birthday=date(1990, 5, 1)
        ),
        AddContact(account_id=ACCOUNT, contact_id="other", name="李雷", role="buyer"),
        RecordContactLeft(contact_id=CONTACT, account_id=ACCOUNT, on=date(2026, 3, 1)),
    )
    now = desk.ask(ListAccountContacts(account_id=ACCOUNT)).items
    assert [one.name for one in now] == ["李雷"]
    ever = desk.ask(ListAccountContacts(account_id=ACCOUNT, include_former=True)).items
    assert len(ever) == 2
    contact = desk.ask(GetContact(contact_id=CONTACT))
    assert contact.birthday == date(1990, 5, 1)
    assert [link.left_on for link in contact.accounts] == [date(2026, 3, 1)]
    found = desk.ask(ListContacts(filter='name : "小明"')).items
    assert [one.accounts[0].account_id for one in found] == [ACCOUNT]


@pytest.mark.capability("ACC-13")
def test_activities_are_listed_planned_and_done(desk: Desk) -> None:
    due = NOON + timedelta(days=1)
    desk.do(
        OpenAccount(account_id=ACCOUNT, name="王府井百货"),
        PlanActivity(account_id=ACCOUNT, activity_id="first", method="visit", due_at=due),
        PlanActivity(account_id=ACCOUNT, activity_id="second", method="call", due_at=due),
        CompleteActivity(activity_id="first", result="同意"),
    )
    theirs = desk.ask(ListAccountActivities(account_id=ACCOUNT)).items
    assert [(one.activity_id, one.status) for one in theirs] == [
        ("second", "planned"),
        ("first", "done"),
    ]
    overdue = f'status = planned AND due_at < "{(due + timedelta(days=1)).isoformat()}"'
    (waiting,) = desk.ask(ListActivities(filter=overdue)).items
    assert waiting.activity_id == "second"
    assert desk.ask(GetActivity(activity_id="first")).result == "同意"


def test_a_stale_change_is_refused_with_the_version_the_view_shows(desk: Desk) -> None:
    answer = desk.do(OpenAccount(account_id=ACCOUNT, name="A"))
    desk.do(ChangeAccount(account_id=ACCOUNT, name="B"))
    assert desk.ask(GetAccount(account_id=ACCOUNT)).version == answer.version + 1


def test_withdrawn_accounts_are_shown_but_not_listed() -> None:
    facts = [
        recorded(account_opened(), ACCOUNT),
        recorded(AccountWithdrawn(reason="reverted"), ACCOUNT, version=2),
    ]
    assert folded(AccountList, facts)[ACCOUNT,]["withdrawn"] is True


def test_erased_people_leave_rows_without_their_data() -> None:
    opened = recorded(account_opened(name=None), ACCOUNT, erased=True)
    assert folded(AccountList, [opened])[ACCOUNT,]["name"] is None
    added = recorded(contact_added(name=None, phones=None), CONTACT, erased=True)
    assert folded(ContactList, [added])[CONTACT,]["phones"] == []
