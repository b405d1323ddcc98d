from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.pipeline.application import PipelineApplication
from services.pipeline.commands import (
    AssignOpportunityOwner,
    ChangeOpportunity,
    DefineSalesProcess,
    LoseOpportunity,
    MoveOpportunity,
    NoteStall,
    OpenConvertedOpportunity,
    OpenOpportunity,
    ReopenOpportunity,
    StageWish,
    WinOpportunity,
    WithdrawOpportunity,
)
from services.pipeline.domain.opportunity import (
    DealsMoveForwardInTime,
    MoveIsNotAllowed,
    OpportunityIsClosed,
    OpportunityIsOpen,
    OpportunityIsWithdrawn,
    StageAsksForMore,
    TheCustomerStays,
)
from services.pipeline.domain.process import BUILT_IN, ProcessIsForOthers, StageIsNotInTheProcess
from services.pipeline.domain.product import ProductIsRetired
from services.pipeline.policies.note_stall import note_stall
from services.pipeline.policies.open_converted_opportunity import open_converted_opportunity
from services.pipeline.policies.withdraw_reverted_opportunity import (
    withdraw_reverted_opportunity,
)
from shared.chassis.shapes import Cancel, Command, Invalid, Later, NotFound, Taken
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.pipeline import (
    DealRole,
    ForecastCategory,
    OpportunityChanged,
    OpportunityOpened,
    OpportunityOwnerChanged,
    OpportunityReopened,
    OpportunityStalled,
    OpportunityWithdrawn,
    ProductRetired,
    SalesProcessDefined,
    StageMoved,
)
from shared.events.values import Money
from tests.pipeline.builders import (
    ACCOUNT,
    DEAL,
    LEAD,
    PRODUCT,
    TO_QUALIFY,
    conversion_reverted,
    lead_converted,
    opportunity_lost,
    opportunity_opened,
    opportunity_won,
    product_defined,
    stage_moved,
)

LATER = NOON + timedelta(days=10, hours=6)
WITHDRAWN = OpportunityWithdrawn(account_id=ACCOUNT, reason="wrong company")


def with_a_deal(*more: Any, **opened: Any) -> Scenario[PipelineApplication]:
    return (
        scenario(PipelineApplication)
        .given("standard", BUILT_IN)
        .given(DEAL, opportunity_opened(**opened), *more)
    )


@pytest.mark.capability("PIP-01", "PIP-02")
def test_a_deal_starts_in_the_built_in_process_which_is_laid_down_when_first_used() -> None:
    given = scenario(PipelineApplication)
    open_it = OpenOpportunity(
        opportunity_id=DEAL, account_id=ACCOUNT, name="五十台打印机", owner_id="lin"
    )
    given.when(open_it).then(BUILT_IN, opportunity_opened())
    given.when(open_it.model_copy(update={"opportunity_id": "deal-2"})).then(opportunity_opened())


@pytest.mark.capability("PIP-02")
def test_whoever_opens_a_deal_pursues_it_unless_said() -> None:
    scenario(PipelineApplication).given("standard", BUILT_IN).when(
        OpenOpportunity(account_id=ACCOUNT, name="五十台打印机")
    ).then(opportunity_opened(owner_id="tester"))


def test_a_deal_needs_a_known_process_and_products_on_offer() -> None:
    given = scenario(PipelineApplication).given("old", product_defined(), ProductRetired())
    given.when(OpenOpportunity(name="A", process_id="none")).then_refused(NotFound)
    given.when(OpenOpportunity(name="A", product_ids=("none",))).then_refused(NotFound)
    given.when(OpenOpportunity(name="A", product_ids=("old",))).then_refused(
        ProductIsRetired, product_id="old"
    )


@pytest.mark.capability("PIP-01")
def test_a_process_for_some_teams_or_products_takes_no_deals_of_others() -> None:
    first = (StageWish(stage="first", name="First", probability=10),)
    given = (
        scenario(PipelineApplication)
        .given(PRODUCT, product_defined())
        .given("other", product_defined())
        .after(
            DefineSalesProcess(process_id="north", name="N", stages=first, unit_ids=("north",)),
            DefineSalesProcess(process_id="pumps", name="P", stages=first, product_ids=(PRODUCT,)),
        )
    )
    given.when(OpenOpportunity(name="A", process_id="north", unit_id="south")).then_refused(
        ProcessIsForOthers, unit_ids=["north"]
    )
    given.when(OpenOpportunity(name="A", process_id="pumps", product_ids=("other",))).then_refused(
        ProcessIsForOthers, product_ids=[PRODUCT]
    )
    for fitting in (
        OpenOpportunity(name="A", process_id="north", unit_id="north"),
        OpenOpportunity(name="A", process_id="pumps", product_ids=("other", PRODUCT)),
        OpenOpportunity(name="A", process_id="pumps"),
    ):
        given.when(fitting).then_kinds(OpportunityOpened)


def test_a_deal_is_entered_once() -> None:
    once = OpenOpportunity(opportunity_id=DEAL, name="A", source="maven", external_id="1")
    given = scenario(PipelineApplication).after(once)
    given.when(once.model_copy(update={"opportunity_id": "deal-2"})).then_refused(Taken)
    given.when(OpenOpportunity(opportunity_id=DEAL, name="A")).then_refused(Taken)


@pytest.mark.capability("PIP-02")
def test_a_change_says_the_whole_deal_and_what_differs() -> None:
    given = with_a_deal(expected_close_on=date(2026, 6, 1)).given(PRODUCT, product_defined())
    change = ChangeOpportunity(
        opportunity_id=DEAL,
        amount=Money.of(50_000, "CNY"),
        product_ids=(PRODUCT,),
        contacts=(DealRole(contact_id="contact-1", role="decides"),),
        next_step="报价",
        clear=("expected_close_on",),
    )
    given.when(change).then(
        OpportunityChanged(
            account_id=ACCOUNT,
            owner_id="lin",
            name="五十台打印机",
            amount=Money.of(50_000, "CNY"),
            product_ids=(PRODUCT,),
            contacts=(DealRole(contact_id="contact-1", role="decides"),),
            next_step="报价",
            changed=("amount", "product_ids", "expected_close_on", "contacts", "next_step"),
        )
    )
    given.when(change).then_nothing()


@pytest.mark.parametrize("clear", ["name", "account_id", "nonsense", "amount"])
def test_only_what_may_be_empty_is_cleared(clear: str) -> None:
    with_a_deal().when(
        ChangeOpportunity(opportunity_id=DEAL, amount=Money.of(1, "CNY"), clear=(clear,))
    ).then_refused(Invalid)


def test_a_deal_finds_its_customer_and_keeps_it() -> None:
    given = with_a_deal(account_id=None)
    given.when(ChangeOpportunity(opportunity_id=DEAL, account_id=ACCOUNT)).then(
        OpportunityChanged(
            account_id=ACCOUNT, owner_id="lin", name="五十台打印机", changed=("account_id",)
        )
    )
    given.when(ChangeOpportunity(opportunity_id=DEAL, account_id="other")).then_refused(
        TheCustomerStays, account_id=ACCOUNT
    )


def test_a_deal_changes_hands() -> None:
    given = with_a_deal()
    assign = AssignOpportunityOwner(opportunity_id=DEAL, owner_id="mei", unit_id="north")
    given.when(assign).then(
        OpportunityOwnerChanged(
            account_id=ACCOUNT, owner_id="mei", unit_id="north", previous_owner_id="lin"
        )
    )
    given.when(assign).then_nothing()


@pytest.mark.capability("PIP-03")
def test_a_move_tells_exactly_how_long_the_deal_stood() -> None:
    given = with_a_deal()
    move = MoveOpportunity(opportunity_id=DEAL, to_stage="needs")
    given.when(move, at=LATER).then(
        stage_moved(
            days_in_stage=Decimal("10.2500"),
            entered_at=LATER,
            stalls_at=LATER + timedelta(days=21),
        )
    )
    given.when(move, at=LATER).then_nothing()


@pytest.mark.capability("PIP-03")
def test_skipping_and_going_back_follow_the_process() -> None:
    given = with_a_deal()
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="negotiation")).then_refused(
        MoveIsNotAllowed, from_stage="qualification", allowed=["needs", "proposal"]
    )
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="proposal")).then_kinds(StageMoved)
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="needs")).then_kinds(StageMoved)
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="nowhere")).then_refused(
        StageIsNotInTheProcess, stage="nowhere"
    )


@pytest.mark.capability("PIP-01")
def test_a_stage_is_entered_with_its_fields_filled_and_its_checklist_confirmed() -> None:
    strict = DefineSalesProcess(
        process_id="strict",
        name="Strict",
        stages=(
            StageWish(stage="first", name="First", probability=10),
            StageWish(
                stage="second",
                name="Second",
                probability=50,
                required_fields=("amount", "contacts", "account_id"),
                checklist=("budget confirmed", "needs agreed"),
            ),
        ),
    )
    given = scenario(PipelineApplication).after(
        strict, OpenOpportunity(opportunity_id=DEAL, name="A", process_id="strict")
    )
    move = MoveOpportunity(opportunity_id=DEAL, to_stage="second", confirmed=("needs agreed",))
    given.when(move, at=LATER).then_refused(
        StageAsksForMore,
        missing_fields=["amount", "contacts", "account_id"],
        unconfirmed=["budget confirmed"],
    )
    given.after(
        ChangeOpportunity(
            opportunity_id=DEAL,
            account_id=ACCOUNT,
            amount=Money.of(1, "CNY"),
            contacts=(DealRole(contact_id="c", role="decides"),),
        )
    )
    done = given.when(
        move.model_copy(update={"confirmed": ("needs agreed", "budget confirmed", "noise")}),
        at=LATER,
    )
    done.then_kinds(StageMoved)
    (moved,) = (fact.event for fact in done.news)
    assert isinstance(moved, StageMoved)
    assert moved.confirmed == ("budget confirmed", "needs agreed")
    assert moved.stalls_at is None


@pytest.mark.capability("PIP-01")
def test_a_running_deal_keeps_its_version_until_it_moves() -> None:
    stages = (
        StageWish(stage="qualification", name="Q", probability=20),
        StageWish(stage="proposal", name="P", probability=60),
        StageWish(stage="legal", name="L", probability=90),
    )
    given = with_a_deal()
    given.when(DefineSalesProcess(process_id="standard", name="S", stages=stages)).then_kinds(
        SalesProcessDefined
    )
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="needs")).then_refused(
        StageIsNotInTheProcess
    )
    done = given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="proposal"))
    done.then_kinds(StageMoved)
    (moved,) = (fact.event for fact in done.news)
    assert isinstance(moved, StageMoved)
    assert (moved.process_version, moved.probability) == (1, 60)


@pytest.mark.capability("PIP-01")
def test_a_stage_the_new_version_dropped_is_left_by_the_rules_of_the_old() -> None:
    only = (StageWish(stage="proposal", name="P", probability=60),)
    given = with_a_deal().after(DefineSalesProcess(process_id="standard", name="S", stages=only))
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="proposal")).then_kinds(StageMoved)


@pytest.mark.capability("PIP-01")
def test_a_deal_whose_way_on_is_gone_enters_the_new_versions_first_stage() -> None:
    stages = (
        StageWish(stage="intake", name="I", probability=5, required_fields=("amount",)),
        StageWish(stage="bid", name="B", probability=60),
    )
    given = with_a_deal().after(DefineSalesProcess(process_id="standard", name="S", stages=stages))
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="bid")).then_refused(
        MoveIsNotAllowed, allowed=["intake"]
    )
    into = MoveOpportunity(opportunity_id=DEAL, to_stage="intake")
    given.when(into).then_refused(StageAsksForMore, missing_fields=["amount"])
    given.after(ChangeOpportunity(opportunity_id=DEAL, amount=Money.of(1, "CNY")))
    given.when(into).then_kinds(StageMoved)


def test_nothing_happens_to_a_deal_before_it_entered_its_stage() -> None:
    earlier = NOON - timedelta(days=1)
    given = with_a_deal()
    for command in (
        MoveOpportunity(opportunity_id=DEAL, to_stage="needs"),
        WinOpportunity(opportunity_id=DEAL),
        LoseOpportunity(opportunity_id=DEAL, reason="price"),
    ):
        given.when(command, at=earlier).then_refused(DealsMoveForwardInTime)


@pytest.mark.capability("PIP-08")
def test_winning_says_how_much_and_how_long_it_took() -> None:
    given = with_a_deal(amount=Money.of(50_000, "CNY"))
    win = WinOpportunity(opportunity_id=DEAL, competitor="Acme", review="服务好")
    given.when(win, at=LATER).then(
        opportunity_won(
            amount=Money.of(50_000, "CNY"),
            days_in_stage=Decimal("10.2500"),
            days_open=Decimal("10.2500"),
            competitor="Acme",
            review="服务好",
        )
    )
    given.when(win, at=LATER).then_nothing()


@pytest.mark.capability("PIP-02", "PIP-08")
def test_what_a_deal_was_won_for_stays_whatever_is_changed_later() -> None:
    given = with_a_deal(amount=Money.of(100_000, "CNY")).after(
        WinOpportunity(opportunity_id=DEAL, amount=Money.of(90_000, "CNY"))
    )
    given.when(ChangeOpportunity(opportunity_id=DEAL, next_step="kick-off")).then(
        OpportunityChanged(
            account_id=ACCOUNT,
            owner_id="lin",
            name="五十台打印机",
            amount=Money.of(90_000, "CNY"),
            next_step="kick-off",
            changed=("next_step",),
        )
    )
    given.after(ReopenOpportunity(opportunity_id=DEAL, reason="customer is back"))
    given.when(LoseOpportunity(opportunity_id=DEAL, reason="price")).then(
        opportunity_lost(amount=Money.of(90_000, "CNY"))
    )


@pytest.mark.capability("PIP-08")
@pytest.mark.parametrize("end", [opportunity_won(), opportunity_lost()])
def test_the_amount_of_a_closed_deal_is_changed_once_it_is_reopened(end: Any) -> None:
    given = with_a_deal(end)
    dearer = ChangeOpportunity(opportunity_id=DEAL, amount=Money.of(1, "CNY"))
    given.when(dearer).then_refused(OpportunityIsClosed)
    given.after(ReopenOpportunity(opportunity_id=DEAL, reason="customer is back"))
    given.when(dearer).then_kinds(OpportunityChanged)


@pytest.mark.capability("PIP-08")
def test_losing_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        LoseOpportunity.model_validate({"opportunity_id": DEAL})
    with pytest.raises(ValueError, match="reason"):
        LoseOpportunity(opportunity_id=DEAL, reason="  ")
    given = with_a_deal()
    lose = LoseOpportunity(opportunity_id=DEAL, reason="price", competitor="Acme")
    given.when(lose).then(opportunity_lost(competitor="Acme"))
    given.when(lose).then_nothing()


@pytest.mark.capability("PIP-08")
@pytest.mark.parametrize("end", [opportunity_won(), opportunity_lost()])
def test_a_closed_deal_is_reopened_before_anything_else_happens(end: Any) -> None:
    given = with_a_deal(end)
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="needs")).then_refused(
        OpportunityIsClosed
    )
    given.when(ReopenOpportunity(opportunity_id=DEAL, reason="customer is back"), at=LATER).then(
        OpportunityReopened(
            account_id=ACCOUNT,
            owner_id="lin",
            to_stage="qualification",
            entered_at=LATER,
            stalls_at=LATER + TO_QUALIFY,
            probability=10,
            forecast=ForecastCategory.PIPELINE,
            reason="customer is back",
        )
    )
    given.when(MoveOpportunity(opportunity_id=DEAL, to_stage="needs"), at=LATER).then_kinds(
        StageMoved
    )


@pytest.mark.capability("PIP-01", "PIP-03")
def test_a_deal_reopens_where_it_stood_or_where_it_may_move_from_there() -> None:
    given = scenario(PipelineApplication).after(
        DefineSalesProcess(
            process_id="strict",
            name="Strict",
            stages=(
                StageWish(stage="first", name="First", probability=10),
                StageWish(
                    stage="second",
                    name="Second",
                    probability=50,
                    required_fields=("amount",),
                    checklist=("budget confirmed",),
                ),
                StageWish(stage="third", name="Third", probability=90),
            ),
        ),
        OpenOpportunity(opportunity_id=DEAL, name="A", process_id="strict"),
        LoseOpportunity(opportunity_id=DEAL, reason="price"),
    )
    back = ReopenOpportunity(opportunity_id=DEAL, reason="customer is back", to_stage="third")
    given.when(back, at=LATER).then_refused(
        MoveIsNotAllowed, from_stage="first", allowed=["second"]
    )
    to_second = back.model_copy(update={"to_stage": "second"})
    given.when(to_second, at=LATER).then_refused(
        StageAsksForMore, missing_fields=["amount"], unconfirmed=["budget confirmed"]
    )
    given.after(
        ReopenOpportunity(opportunity_id=DEAL, reason="customer is back"),
        ChangeOpportunity(opportunity_id=DEAL, amount=Money.of(1, "CNY")),
        LoseOpportunity(opportunity_id=DEAL, reason="price"),
        at=LATER,
    )
    done = given.when(
        to_second.model_copy(update={"confirmed": ("budget confirmed", "noise")}),
        at=LATER + timedelta(days=1),
    )
    done.then_kinds(OpportunityReopened)
    (reopened,) = (fact.event for fact in done.news)
    assert isinstance(reopened, OpportunityReopened)
    assert (reopened.to_stage, reopened.confirmed) == ("second", ("budget confirmed",))


def test_won_is_not_lost_and_lost_is_not_won() -> None:
    with_a_deal(opportunity_won()).when(
        LoseOpportunity(opportunity_id=DEAL, reason="price")
    ).then_refused(OpportunityIsClosed, status="won")
    with_a_deal(opportunity_lost()).when(WinOpportunity(opportunity_id=DEAL)).then_refused(
        OpportunityIsClosed, status="lost"
    )


def test_an_open_deal_is_not_reopened_and_a_stage_must_exist() -> None:
    with_a_deal().when(ReopenOpportunity(opportunity_id=DEAL, reason="why")).then_refused(
        OpportunityIsOpen
    )
    with_a_deal(opportunity_won()).when(
        ReopenOpportunity(opportunity_id=DEAL, reason="why", to_stage="nowhere")
    ).then_refused(StageIsNotInTheProcess)


@pytest.mark.parametrize(
    "wish",
    [
        ChangeOpportunity(opportunity_id=DEAL, name="B"),
        AssignOpportunityOwner(opportunity_id=DEAL, owner_id="mei"),
        MoveOpportunity(opportunity_id=DEAL, to_stage="needs"),
        WinOpportunity(opportunity_id=DEAL),
        LoseOpportunity(opportunity_id=DEAL, reason="price"),
        ReopenOpportunity(opportunity_id=DEAL, reason="why"),
    ],
)
def test_nothing_happens_to_a_withdrawn_deal(wish: Command) -> None:
    with_a_deal(WITHDRAWN).when(wish).then_refused(OpportunityIsWithdrawn)


@pytest.mark.parametrize(
    "wish",
    [
        ChangeOpportunity(opportunity_id="none", name="B"),
        MoveOpportunity(opportunity_id="none", to_stage="needs"),
        WinOpportunity(opportunity_id="none"),
    ],
)
def test_an_unknown_deal_is_not_found(wish: Command) -> None:
    scenario(PipelineApplication).when(wish).then_refused(NotFound)


@pytest.mark.capability("PIP-03")
def test_a_deal_that_stands_for_half_as_long_again_is_stalled() -> None:
    note = NoteStall(opportunity_id=DEAL, stage="qualification", entered_at=NOON)
    given = with_a_deal()
    given.when(note, at=NOON + TO_QUALIFY - timedelta(seconds=1)).then_nothing()
    given.when(note, at=NOON + TO_QUALIFY).then(
        OpportunityStalled(
            account_id=ACCOUNT, owner_id="lin", stage="qualification", entered_at=NOON
        )
    )
    given.when(note, at=NOON + TO_QUALIFY).then_nothing()


@pytest.mark.capability("PIP-03")
@pytest.mark.parametrize("meanwhile", [stage_moved(), opportunity_won(), opportunity_lost()])
def test_a_deal_that_moved_on_is_not_stalled(meanwhile: Any) -> None:
    with_a_deal(meanwhile).when(
        NoteStall(opportunity_id=DEAL, stage="qualification", entered_at=NOON),
        at=NOON + timedelta(days=100),
    ).then_nothing()


@pytest.mark.capability("PIP-03")
def test_entering_a_stage_sets_the_clock_and_the_end_stops_it() -> None:
    (waiting,) = note_stall(recorded(opportunity_opened(), DEAL))
    assert waiting == Later(
        NOON + TO_QUALIFY,
        NoteStall(opportunity_id=DEAL, stage="qualification", entered_at=NOON),
        DEAL,
    )
    (moved,) = note_stall(recorded(stage_moved(), DEAL))
    assert isinstance(moved, Later)
    assert moved.key == waiting.key
    for end in (opportunity_won(), opportunity_lost(), WITHDRAWN, stage_moved(stalls_at=None)):
        assert note_stall(recorded(end, DEAL)) == [Cancel(DEAL)]


@pytest.mark.capability("LEA-16", "PIP-02")
def test_a_conversion_opens_exactly_one_deal() -> None:
    (command,) = open_converted_opportunity(recorded(lead_converted(), LEAD))
    assert isinstance(command, OpenConvertedOpportunity)
    given = scenario(PipelineApplication).given("standard", BUILT_IN)
    given.when(command, command_id="reaction-1").then(
        opportunity_opened(
            lead_id=LEAD,
            amount=Money.of(50_000, "CNY"),
            contacts=(DealRole(contact_id="contact-1", role="lead"),),
            channel="web form",
        )
    )
    given.when(command, command_id="reaction-1").then_nothing()
    assert open_converted_opportunity(recorded(lead_converted(opportunity_id=None), LEAD)) == []


def test_a_conversion_into_an_unknown_process_uses_the_standard_one() -> None:
    (command,) = open_converted_opportunity(recorded(lead_converted(process_id="gone"), LEAD))
    assert isinstance(command, OpenConvertedOpportunity)
    scenario(PipelineApplication).when(command).then_kinds(SalesProcessDefined, OpportunityOpened)


@pytest.mark.capability("LEA-16")
def test_a_reverted_conversion_withdraws_the_deal_it_opened() -> None:
    (command,) = withdraw_reverted_opportunity(recorded(conversion_reverted(), LEAD))
    assert isinstance(command, WithdrawOpportunity)
    given = with_a_deal(lead_id=LEAD)
    given.when(command).then(
        OpportunityWithdrawn(
            account_id=ACCOUNT, lead_id=LEAD, owner_id="lin", reason="wrong company"
        )
    )
    given.when(command).then_nothing()
    scenario(PipelineApplication).when(command).then_nothing()
    without = recorded(conversion_reverted(opportunity_id=None), LEAD)
    assert withdraw_reverted_opportunity(without) == []


@pytest.mark.capability("LEA-16")
@pytest.mark.parametrize("lead_id", [None, "lead-of-another"])
def test_a_reverted_conversion_leaves_a_deal_it_did_not_open(lead_id: str | None) -> None:
    (opening,) = open_converted_opportunity(recorded(lead_converted(), LEAD))
    (withdrawing,) = withdraw_reverted_opportunity(recorded(conversion_reverted(), LEAD))
    assert isinstance(opening, OpenConvertedOpportunity)
    assert isinstance(withdrawing, WithdrawOpportunity)
    given = with_a_deal(lead_id=lead_id)
    given.when(opening).then_refused(Taken)
    given.when(withdrawing).then_nothing()
