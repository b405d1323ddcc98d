from datetime import timedelta

import pytest
from hypothesis import given as hypothetically
from hypothesis import settings
from hypothesis import strategies as st

from services.accounts.application import AccountsApplication
from services.accounts.commands import CountDeal, OpenAccount, ReviewLifecycle, UncountDeal
from services.accounts.domain.customer_deals import LOST_AFTER, RESTS_AFTER
from services.accounts.policies.count_deal import count_deal
from services.accounts.policies.review_lifecycle import review_lifecycle
from services.accounts.policies.uncount_deal import uncount_deal
from services.accounts.projections.account_list import AccountList
from shared.chassis.shapes import Later
from shared.chassis.testing import NOON, folded, recorded, scenario
from shared.events.accounts import (
    AccountLifecycleMoved,
    AccountMilestoneReached,
    AccountOpened,
    AccountWithdrawn,
    DealCounted,
    DealUncounted,
    Lifecycle,
    Milestone,
)
from tests.accounts.builders import (
    ACCOUNT,
    DEALS,
    OPPORTUNITY,
    account_opened,
    contract_activated,
    deal_counted,
    opportunity_reopened,
    opportunity_won,
)

WON = CountDeal(account_id=ACCOUNT, opportunity_id=OPPORTUNITY)
CONTRACTED = CountDeal(account_id=ACCOUNT, opportunity_id=OPPORTUNITY, contract_id="contract-1")
UNDO = UncountDeal(account_id=ACCOUNT, opportunity_id=OPPORTUNITY)
REVIEW = ReviewLifecycle(account_id=ACCOUNT)
SIGNED = AccountLifecycleMoved(
    from_stage=Lifecycle.POTENTIAL, to_stage=Lifecycle.SIGNED, since=NOON
)

pytestmark = pytest.mark.capability("ACC-12")


def test_the_first_deal_signs_the_customer() -> None:
    scenario(AccountsApplication).given(ACCOUNT, account_opened()).when(WON).then(
        deal_counted(), SIGNED, AccountMilestoneReached(milestone=Milestone.SIGNED)
    )


def test_an_opportunity_and_its_contract_are_one_deal() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(WON)
    later = NOON + timedelta(days=30)
    given.when(CONTRACTED, at=later).then(deal_counted(contract_id="contract-1"))
    given.when(CONTRACTED, at=later).then_nothing()
    given.when(WON).then_nothing()


@pytest.mark.parametrize("facts", [(WON, CONTRACTED), (CONTRACTED, WON)])
def test_an_opportunity_reopened_while_its_contract_is_in_force_stays_a_deal(
    facts: tuple[CountDeal, ...],
) -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(*facts)
    given.when(UNDO).then_nothing()
    row = folded(AccountList, given.log.read(0, 100))[ACCOUNT,]
    assert row["lifecycle"] == Lifecycle.SIGNED


def test_the_second_deal_makes_it_a_repeat_customer() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(WON)
    given.when(CountDeal(account_id=ACCOUNT, contract_id="contract-2")).then(
        DealCounted(account_id=ACCOUNT, contract_id="contract-2", made_at=NOON),
        AccountLifecycleMoved(
            from_stage=Lifecycle.SIGNED, to_stage=Lifecycle.REPURCHASING, since=NOON
        ),
    )


def test_a_deal_undone_turns_the_lifecycle_back() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(WON)
    given.when(UNDO).then(
        DealUncounted(account_id=ACCOUNT, opportunity_id=OPPORTUNITY),
        AccountLifecycleMoved(
            from_stage=Lifecycle.SIGNED, to_stage=Lifecycle.POTENTIAL, since=NOON
        ),
    )
    given.when(UNDO).then_nothing()


def test_a_silent_customer_rests_and_is_lost_at_last() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(WON)
    given.when(REVIEW, at=NOON + RESTS_AFTER - timedelta(seconds=1)).then_nothing()
    given.when(REVIEW, at=NOON + RESTS_AFTER).then(
        AccountLifecycleMoved(
            from_stage=Lifecycle.SIGNED, to_stage=Lifecycle.DORMANT, since=NOON + RESTS_AFTER
        )
    )
    given.when(REVIEW, at=NOON + LOST_AFTER).then(
        AccountLifecycleMoved(
            from_stage=Lifecycle.DORMANT, to_stage=Lifecycle.LOST, since=NOON + LOST_AFTER
        )
    )
    back = NOON + timedelta(days=1000)
    given.when(CountDeal(account_id=ACCOUNT, contract_id="contract-2"), at=back).then(
        DealCounted(account_id=ACCOUNT, contract_id="contract-2", made_at=back),
        AccountLifecycleMoved(
            from_stage=Lifecycle.LOST, to_stage=Lifecycle.REPURCHASING, since=back
        ),
    )


def test_a_deal_entered_late_does_not_wake_a_customer() -> None:
    given = scenario(AccountsApplication).given(ACCOUNT, account_opened()).after(WON)
    given.when(REVIEW, at=NOON + LOST_AFTER).then_kinds(AccountLifecycleMoved)
    earlier = NOON - timedelta(days=30)
    given.when(CountDeal(account_id=ACCOUNT, contract_id="old"), at=earlier).then_kinds(DealCounted)


def test_deals_known_before_the_account_count_when_it_opens() -> None:
    given = scenario(AccountsApplication).after(WON)
    given.when(OpenAccount(account_id=ACCOUNT, name="王府井百货")).then_kinds(
        AccountOpened, AccountLifecycleMoved, AccountMilestoneReached
    )


def test_a_customer_with_several_deals_when_the_account_opens_is_signed() -> None:
    given = scenario(AccountsApplication)
    given.after(WON, CountDeal(account_id=ACCOUNT, contract_id="contract-2"))
    given.when(OpenAccount(account_id=ACCOUNT, name="王府井百货")).then_kinds(
        AccountOpened, AccountLifecycleMoved, AccountMilestoneReached
    )
    row = folded(AccountList, given.log.read(0, 100))[ACCOUNT,]
    assert (row["lifecycle"], row["milestones"]) == (Lifecycle.REPURCHASING, [Milestone.SIGNED])


def test_a_withdrawn_account_has_no_lifecycle_to_move() -> None:
    scenario(AccountsApplication).given(
        ACCOUNT, account_opened(), AccountWithdrawn(reason="reverted")
    ).when(WON).then_kinds(DealCounted)


def test_reviewing_what_nobody_knows_is_harmless() -> None:
    scenario(AccountsApplication).when(REVIEW).then_nothing()


def test_won_opportunities_and_contracts_in_force_are_counted() -> None:
    assert count_deal(recorded(opportunity_won(), OPPORTUNITY)) == [WON]
    assert count_deal(recorded(opportunity_won(account_id=None), OPPORTUNITY)) == []
    assert count_deal(recorded(contract_activated(), "contract-1")) == [
        CountDeal(account_id=ACCOUNT, contract_id="contract-1")
    ]


def test_a_reopened_opportunity_is_no_deal() -> None:
    assert uncount_deal(recorded(opportunity_reopened(), OPPORTUNITY)) == [
        UncountDeal(account_id=ACCOUNT, opportunity_id=OPPORTUNITY)
    ]
    assert uncount_deal(recorded(opportunity_reopened(account_id=None), OPPORTUNITY)) == []


def test_a_deal_is_looked_at_again_after_one_year_and_after_two() -> None:
    reviews = list(review_lifecycle(recorded(deal_counted(), DEALS)))
    assert [review.at - NOON for review in reviews if isinstance(review, Later)] == [
        RESTS_AFTER,
        LOST_AFTER,
    ]
    assert len({review.key for review in reviews if isinstance(review, Later)}) == 2


@settings(max_examples=40, deadline=None)
@hypothetically(
    deals=st.lists(st.integers(0, 2000), min_size=1, max_size=6, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_the_order_in_which_deals_are_entered_does_not_matter(
    deals: list[int], order: object
) -> None:
    entered = list(deals)
    order.shuffle(entered)  # type: ignore[attr-defined]
    end = NOON + timedelta(days=max(deals)) + LOST_AFTER
    done = scenario(AccountsApplication).given(ACCOUNT, account_opened())
    for day in entered:
        done.when(
            CountDeal(account_id=ACCOUNT, contract_id=f"contract-{day}"),
            at=NOON + timedelta(days=day),
        )
    row = folded(AccountList, done.log.read(0, 1000))[ACCOUNT,]
    expected = Lifecycle.SIGNED if len(deals) == 1 else Lifecycle.REPURCHASING
    assert row["lifecycle"] == expected
    done.when(REVIEW, at=end)
    assert folded(AccountList, done.log.read(0, 1000))[ACCOUNT,]["lifecycle"] == Lifecycle.LOST
