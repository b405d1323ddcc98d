from datetime import timedelta

import pytest

from services.accounts.application import AccountsApplication
from services.accounts.commands import (
    CarriedActivity,
    ChangeAccount,
    OpenAccount,
    OpenConvertedAccount,
    WithdrawConversion,
)
from services.accounts.policies.expire_team_member import expire_team_member
from services.accounts.policies.open_converted_account import open_converted_account
from services.accounts.policies.withdraw_reverted_conversion import withdraw_reverted_conversion
from services.accounts.projections.activity_list import ActivityList
from services.accounts.service import SERVICE
from services.analytics.projections.people import Activities
from shared.chassis.shapes import Cancel, Command, Later, Taken
from shared.chassis.testing import NOON, folded, recorded, scenario
from shared.events.accounts import (
    AccountKind,
    AccountOpened,
    AccountWithdrawn,
    ActivityDone,
    ActivityWithdrawn,
    ContactAdded,
    ContactWithdrawn,
    TeamMemberRemoved,
    TeamRemoval,
)
from shared.events.leads import ConversionReverted, LeadConverted
from tests.accounts.builders import (
    ACCOUNT,
    CONTACT,
    LEAD,
    account_opened,
    activity_done,
    carried_follow_up,
    contact_added,
    conversion_reverted,
    lead_converted,
    team_member_added,
)

pytestmark = pytest.mark.capability("LEA-16")


def reaction(fact: LeadConverted | ConversionReverted) -> Command:
    policy = (
        open_converted_account if isinstance(fact, LeadConverted) else withdraw_reverted_conversion
    )
    (command,) = policy(recorded(fact, LEAD))
    assert isinstance(command, Command)
    return command


def test_a_conversion_opens_account_contact_and_what_was_done() -> None:
    done = scenario(AccountsApplication).when(reaction(lead_converted()))
    done.then(
        AccountOpened(
            name="王府井百货",
            phones=("+8613912345678",),
            owner_id="lin",
            lead_id=LEAD,
            channel="web form",
        ),
        ContactAdded(
            name="王小明",
            phones=("+8613912345678",),
            account_id=ACCOUNT,
            is_primary=True,
            lead_id=LEAD,
        ),
        activity_done(
            contact_ids=(CONTACT,),
            lead_id=LEAD,
            method="call",
            result="问了价格",
            follow_up_id="follow-up-1",
        ),
    )
    assert done.news[2].occurred_at == NOON - timedelta(days=3)


def test_a_person_becomes_a_personal_account() -> None:
    command = reaction(lead_converted(is_person=True))
    assert isinstance(command, OpenConvertedAccount)
    assert command.kind is AccountKind.PERSON


def test_a_conversion_into_what_exists_only_carries_activities_along() -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened()).given(
        CONTACT, contact_added()
    ).when(reaction(lead_converted(opens_account=False, opens_contact=False))).then_kinds(
        ActivityDone
    )


def test_redelivery_opens_nothing_twice() -> None:
    command = reaction(lead_converted())
    given = scenario(AccountsApplication).when(command, command_id="reaction-1")
    given.then_kinds(AccountOpened, ContactAdded, ActivityDone)
    given.when(command, command_id="reaction-1").then_nothing()


def test_an_erased_person_is_still_converted() -> None:
    erased = lead_converted(account_name=None, contact_name=None, phones=None, follow_ups=None)
    scenario(AccountsApplication).when(reaction(erased)).then_kinds(AccountOpened, ContactAdded)


def test_a_reverted_conversion_withdraws_exactly_what_it_opened() -> None:
    given = (
        scenario(AccountsApplication)
        .given(ACCOUNT, account_opened(lead_id=LEAD))
        .given(CONTACT, contact_added(lead_id=LEAD))
    )
    given.when(reaction(conversion_reverted(withdraws_account=False))).then(
        ContactWithdrawn(account_id=ACCOUNT, lead_id=LEAD, reason="wrong company")
    )
    given.when(reaction(conversion_reverted())).then(
        AccountWithdrawn(lead_id=LEAD, reason="wrong company")
    )
    given.when(reaction(conversion_reverted())).then_nothing()


@pytest.mark.parametrize("opener", [None, "lead-2"])
def test_what_somebody_else_opened_is_not_withdrawn(opener: str | None) -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened(lead_id=opener)).given(
        CONTACT, contact_added(lead_id=opener)
    ).when(reaction(conversion_reverted())).then_nothing()


@pytest.mark.capability("ACC-01")
def test_a_withdrawn_account_gives_its_number_back() -> None:
    given = scenario(AccountsApplication).after(
        reaction(lead_converted()), ChangeAccount(account_id=ACCOUNT, number="K-1")
    )
    successor = OpenAccount(account_id="account-2", name="王府井百货", number="K-1")
    given.when(successor).then_refused(Taken, holder=ACCOUNT)
    given.after(reaction(conversion_reverted()))
    given.when(successor).then_kinds(AccountOpened)
    given.when(reaction(conversion_reverted())).then_nothing()
    again = successor.model_copy(update={"account_id": "account-3"})
    given.when(again).then_refused(Taken, holder="account-2")


def test_follow_ups_go_back_with_the_conversion_that_brought_them() -> None:
    convert = reaction(lead_converted(opens_account=False, opens_contact=False))
    revert = reaction(
        conversion_reverted(
            withdraws_account=False,
            withdraws_contact=False,
            follow_up_ids=("follow-up-1", "follow-up-9"),
        )
    )
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    given = given.given(CONTACT, contact_added()).when(convert)
    (done,) = given.then_kinds(ActivityDone).news
    (gone,) = given.when(revert).then_kinds(ActivityWithdrawn).news
    assert gone.stream_id == done.stream_id
    assert isinstance(gone.event, ActivityWithdrawn)
    assert (gone.event.lead_id, gone.event.follow_up_id) == (LEAD, "follow-up-1")
    assert folded(ActivityList, [done]) != folded(ActivityList, [done, gone]) == {}
    (row,) = folded(Activities, [done]).values()
    assert row["account_id"] == ACCOUNT
    assert folded(Activities, [done, gone])["follow-up-1",]["account_id"] is None
    given.when(revert).then_nothing()
    again = OpenConvertedAccount(
        **convert.model_dump(exclude={"activities"}),
        activities=(CarriedActivity(activity_id="again", follow_up=carried_follow_up()),),
    )
    given.when(again).then_kinds(ActivityDone)
    (gone,) = given.when(revert).then_kinds(ActivityWithdrawn).news
    assert gone.stream_id == "again"


def test_reverting_what_never_arrived_is_harmless() -> None:
    command = reaction(conversion_reverted())
    assert isinstance(command, WithdrawConversion)
    scenario(AccountsApplication).when(command).then_nothing()


def test_memberships_with_an_end_wait_for_it() -> None:
    ends = NOON + timedelta(days=7)
    (waiting,) = expire_team_member(recorded(team_member_added(expires_at=ends), ACCOUNT))
    assert isinstance(waiting, Later)
    assert waiting.at == ends
    gone = TeamMemberRemoved(employee_id="mei", because=TeamRemoval.REMOVED)
    assert expire_team_member(recorded(gone, ACCOUNT)) == [Cancel(waiting.key)]
    assert expire_team_member(recorded(team_member_added(), ACCOUNT)) == [Cancel(waiting.key)]


def test_every_deadline_is_a_command_of_the_service() -> None:
    assert {"ExpireTeamMember", "ReviewLifecycle"} <= set(AccountsApplication.commands())
    assert SERVICE.listens() >= {"accounts", "billing", "leads", "pipeline"}
