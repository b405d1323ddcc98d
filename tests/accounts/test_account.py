from datetime import timedelta

import pytest

from services.accounts.application import AccountsApplication
from services.accounts.commands import (
    AddTeamMember,
    AssignAccountOwner,
    ChangeAccount,
    ExpireTeamMember,
    OpenAccount,
    ReachMilestone,
    RemoveTeamMember,
    SetAccountParent,
    TagAccount,
    UntagAccount,
)
from services.accounts.domain.account import (
    MOST_MEMBERS,
    MOST_TAGS,
    AccountIsWithdrawn,
    GroupsHaveNoCycles,
    GroupsStayShallow,
    MembershipsEndInTheFuture,
    TagsStayFew,
    TeamsStaySmall,
)
from shared.chassis.shapes import Invalid, NotFound, Taken
from shared.chassis.testing import NOON, scenario
from shared.events.accounts import (
    AccountMilestoneReached,
    AccountOpened,
    AccountOwnerChanged,
    AccountParentSet,
    AccountProfileChanged,
    AccountTagged,
    AccountUntagged,
    AccountWithdrawn,
    BankAccount,
    Milestone,
    TeamAccess,
    TeamMemberRemoved,
    TeamRemoval,
)
from shared.events.values import Address, Money
from tests.accounts.builders import ACCOUNT, account_opened, contact_added, team_member_added

WITHDRAWN = AccountWithdrawn(lead_id="lead-1", reason="wrong company")


@pytest.mark.capability("ACC-01")
def test_an_account_is_opened_with_everything_known_of_it() -> None:
    scenario(AccountsApplication).when(
        OpenAccount(
            account_id=ACCOUNT,
            name=" 王府井百货 ",
            number="K-1",
            legal_representative="张伟",
            registered_capital=Money.of("5000000", "CNY"),
            addresses=(Address(country="CN", city="北京"),),
            phones=("139 1234 5678", "+86 139 1234 5678", "010-65126677"),
            fax="010-65126678",
            emails=("Wang@Example.COM",),
            industry="零售",
            bank_accounts=(BankAccount(bank="工商银行", number="6222 0000"),),
            custom={"vip": True},
        )
    ).then(
        AccountOpened(
            name="王府井百货",
            number="K-1",
            legal_representative="张伟",
            registered_capital=Money.of("5000000", "CNY"),
            addresses=(Address(country="CN", city="北京"),),
            phones=("+8613912345678", "+861065126677"),
            fax="+861065126678",
            emails=("Wang@example.com",),
            industry="零售",
            bank_accounts=(BankAccount(bank="工商银行", number="6222 0000"),),
            custom={"vip": True},
            owner_id="tester",
        )
    )


@pytest.mark.capability("ACC-01")
def test_every_number_and_address_that_does_not_fit_is_named_at_once() -> None:
    refused = scenario(AccountsApplication).when(
        OpenAccount(
            name="A", phones=("139 1234 5678", "12345", "call me"), fax="none", emails=("a@b",)
        )
    )
    refused.then_refused(Invalid)
    assert isinstance(refused.refusal, Invalid)
    assert [violation.field for violation in refused.refusal.violations] == [
        "phones.1",
        "phones.2",
        "emails.0",
        "fax",
    ]


def test_numbers_without_a_prefix_belong_to_the_country_said() -> None:
    done = scenario(AccountsApplication).when(
        OpenAccount(name="Olist", phones=("11 96123-4567",), phone_country="BR")
    )
    done.then_kinds(AccountOpened)
    (opened,) = (fact.event for fact in done.news)
    assert isinstance(opened, AccountOpened)
    assert opened.phones == ("+5511961234567",)


def test_an_imported_account_belongs_to_nobody_unless_said() -> None:
    scenario(AccountsApplication).when(OpenAccount(name="Cancity"), import_id="import-1").then(
        AccountOpened(name="Cancity")
    )


@pytest.mark.parametrize(
    "again",
    [
        OpenAccount(account_id=ACCOUNT, name="B"),
        OpenAccount(name="B", number="K-1"),
        OpenAccount(name="B", source="maven", external_id="7"),
    ],
)
def test_ids_numbers_and_external_ids_are_given_once(again: OpenAccount) -> None:
    first = OpenAccount(account_id=ACCOUNT, name="A", number="K-1", source="maven", external_id="7")
    scenario(AccountsApplication).after(first).when(again).then_refused(Taken)


def test_the_same_external_id_of_another_source_is_another_account() -> None:
    scenario(AccountsApplication).after(
        OpenAccount(name="A", source="maven", external_id="7")
    ).when(OpenAccount(name="B", source="olist", external_id="7")).then_kinds(AccountOpened)


@pytest.mark.capability("ACC-01")
def test_a_change_says_the_whole_profile_and_what_differs() -> None:
    given = scenario(AccountsApplication).given(
        ACCOUNT, account_opened(industry="零售", website="a.example")
    )
    given.when(ChangeAccount(account_id=ACCOUNT, industry="百货", clear=("website",))).then(
        AccountProfileChanged(name="王府井百货", industry="百货", changed=("website", "industry"))
    )


def test_a_change_that_changes_nothing_is_no_fact() -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened()).when(
        ChangeAccount(account_id=ACCOUNT, name="王府井百货")
    ).then_nothing()


@pytest.mark.parametrize("clear", [("name",), ("kind",), ("nonsense",), ("industry",)])
def test_only_known_fields_that_may_be_empty_are_cleared(clear: tuple[str, ...]) -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened()).when(
        ChangeAccount(account_id=ACCOUNT, industry="百货", clear=clear)
    ).then_refused(Invalid)


def test_a_number_given_up_may_be_given_to_another_account() -> None:
    done = scenario(AccountsApplication).after(
        OpenAccount(account_id=ACCOUNT, name="A", number="K-1"),
        ChangeAccount(account_id=ACCOUNT, number="K-2"),
    )
    done.when(OpenAccount(name="B", number="K-1")).then_kinds(AccountOpened)
    done.when(OpenAccount(name="C", number="K-2")).then_refused(Taken, holder=ACCOUNT)


def test_an_unknown_account_and_one_of_another_kind_are_not_found() -> None:
    given = scenario(AccountsApplication).given("contact-1", contact_added())
    given.when(ChangeAccount(account_id="nobody", name="B")).then_refused(NotFound)
    given.when(ChangeAccount(account_id="contact-1", name="B")).then_refused(NotFound)


@pytest.mark.capability("ACC-02")
def test_an_account_is_placed_in_its_group_and_taken_out() -> None:
    given = scenario(AccountsApplication).given("group", account_opened())
    given.given(ACCOUNT, account_opened())
    given.when(SetAccountParent(account_id=ACCOUNT, parent_id="group", relation="branch")).then(
        AccountParentSet(parent_id="group", relation="branch")
    )
    given.when(
        SetAccountParent(account_id=ACCOUNT, parent_id="group", relation="branch")
    ).then_nothing()
    given.when(SetAccountParent(account_id=ACCOUNT)).then(
        AccountParentSet(previous_parent_id="group")
    )


@pytest.mark.capability("ACC-02")
@pytest.mark.parametrize("parent", ["top", "middle", "bottom"])
def test_no_account_stands_below_itself(parent: str) -> None:
    given = scenario(AccountsApplication).given("top", account_opened())
    given.given("middle", account_opened(parent_id="top"))
    given.given("bottom", account_opened(parent_id="middle"))
    given.when(SetAccountParent(account_id="top", parent_id=parent)).then_refused(
        GroupsHaveNoCycles
    )


@pytest.mark.capability("ACC-02")
def test_a_group_has_a_bottom() -> None:
    given = scenario(AccountsApplication).given("level-0", account_opened())
    for level in range(1, 20):
        given.given(f"level-{level}", account_opened(parent_id=f"level-{level - 1}"))
    given.given(ACCOUNT, account_opened())
    given.when(SetAccountParent(account_id=ACCOUNT, parent_id="level-19")).then_refused(
        GroupsStayShallow
    )
    given.when(SetAccountParent(account_id=ACCOUNT, parent_id="level-18")).then_kinds(
        AccountParentSet
    )


def test_an_unknown_parent_is_not_found() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    given.when(SetAccountParent(account_id=ACCOUNT, parent_id="nobody")).then_refused(NotFound)
    given.when(OpenAccount(name="B", parent_id="nobody")).then_refused(NotFound)


@pytest.mark.capability("ACC-06")
def test_the_new_owner_takes_over_from_the_old() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened(unit_id="north"))
    wish = AssignAccountOwner(account_id=ACCOUNT, owner_id="mei", reason="on leave")
    given.when(wish).then(
        AccountOwnerChanged(
            owner_id="mei", unit_id="north", previous_owner_id="lin", reason="on leave"
        )
    )
    given.when(wish).then_nothing()


@pytest.mark.capability("ACC-06")
def test_a_team_member_is_added_changed_and_removed() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    add = AddTeamMember(account_id=ACCOUNT, employee_id="mei")
    given.when(add).then(team_member_added())
    given.when(add).then_nothing()
    given.when(add.model_copy(update={"access": TeamAccess.WRITE})).then(
        team_member_added(access=TeamAccess.WRITE)
    )
    given.when(RemoveTeamMember(account_id=ACCOUNT, employee_id="mei")).then(
        TeamMemberRemoved(employee_id="mei", because=TeamRemoval.REMOVED)
    )
    given.when(RemoveTeamMember(account_id=ACCOUNT, employee_id="mei")).then_refused(NotFound)


@pytest.mark.capability("ACC-06")
def test_a_membership_ends_on_its_day_and_not_before() -> None:
    ends = NOON + timedelta(days=7)
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    given.when(AddTeamMember(account_id=ACCOUNT, employee_id="mei", expires_at=ends)).then(
        team_member_added(expires_at=ends)
    )
    expire = ExpireTeamMember(account_id=ACCOUNT, employee_id="mei")
    given.when(expire, at=ends - timedelta(seconds=1)).then_nothing()
    given.when(expire, at=ends).then(
        TeamMemberRemoved(employee_id="mei", because=TeamRemoval.EXPIRED)
    )
    given.when(expire, at=ends).then_nothing()


def test_a_membership_without_end_never_expires() -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened(), team_member_added()).when(
        ExpireTeamMember(account_id=ACCOUNT, employee_id="mei")
    ).then_nothing()


def test_a_membership_cannot_end_before_it_begins() -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened()).when(
        AddTeamMember(account_id=ACCOUNT, employee_id="mei", expires_at=NOON)
    ).then_refused(MembershipsEndInTheFuture)


def test_a_team_has_an_end() -> None:
    members = [team_member_added(employee_id=f"e-{number}") for number in range(MOST_MEMBERS)]
    scenario(AccountsApplication).given(ACCOUNT, account_opened(), *members).when(
        AddTeamMember(account_id=ACCOUNT, employee_id="one-more")
    ).then_refused(TeamsStaySmall)


@pytest.mark.capability("ACC-16")
def test_tags_are_given_and_taken_once() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    given.when(TagAccount(account_id=ACCOUNT, tag="重点")).then(AccountTagged(tag="重点"))
    given.when(TagAccount(account_id=ACCOUNT, tag="重点")).then_nothing()
    given.when(UntagAccount(account_id=ACCOUNT, tag="重点")).then(AccountUntagged(tag="重点"))
    given.when(UntagAccount(account_id=ACCOUNT, tag="重点")).then_nothing()


@pytest.mark.capability("ACC-16")
def test_tags_stay_few() -> None:
    tags = [AccountTagged(tag=f"tag-{number}") for number in range(MOST_TAGS)]
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened(), *tags)
    given.when(TagAccount(account_id=ACCOUNT, tag="one more")).then_refused(TagsStayFew)
    given.when(TagAccount(account_id=ACCOUNT, tag="tag-0")).then_nothing()


@pytest.mark.capability("ACC-12")
def test_a_milestone_is_reached_once_or_again_with_a_note() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    key = ReachMilestone(account_id=ACCOUNT, milestone=Milestone.KEY)
    given.when(key).then(AccountMilestoneReached(milestone=Milestone.KEY))
    given.when(key).then_nothing()
    given.when(key.model_copy(update={"note": "renewed"})).then(
        AccountMilestoneReached(milestone=Milestone.KEY, note="renewed")
    )


@pytest.mark.parametrize(
    "wish",
    [
        ChangeAccount(account_id=ACCOUNT, name="B"),
        SetAccountParent(account_id=ACCOUNT, parent_id="other"),
        SetAccountParent(account_id="other", parent_id=ACCOUNT),
        OpenAccount(name="C", parent_id=ACCOUNT),
        AssignAccountOwner(account_id=ACCOUNT, owner_id="mei"),
        AddTeamMember(account_id=ACCOUNT, employee_id="mei"),
        TagAccount(account_id=ACCOUNT, tag="vip"),
        UntagAccount(account_id=ACCOUNT, tag="vip"),
        ReachMilestone(account_id=ACCOUNT, milestone=Milestone.KEY),
    ],
)
def test_nothing_changes_a_withdrawn_account(wish: ChangeAccount) -> None:
    given = scenario(AccountsApplication).given("other", account_opened())
    given.given(ACCOUNT, account_opened(), WITHDRAWN)
    given.when(wish).then_refused(AccountIsWithdrawn)
