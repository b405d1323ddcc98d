"""Leads are scored with an explanation and given to whose turn it is."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.application import LeadsApplication
from services.leads.commands import (
    AssignLead,
    AssignNext,
    ClaimLead,
    ConfigureAssignmentRules,
    ConfigureScoringRules,
    ScoreLead,
)
from services.leads.domain.assignment import ASSIGNMENT_RULES, Rota
from services.leads.domain.conditions import all_hold
from services.leads.domain.scoring import SCORING_RULES, ScoringRules
from services.leads.policies.assign_new_lead import assign_new_lead
from services.leads.policies.let_score_fade import let_score_fade
from services.leads.policies.score_lead import score_lead
from shared.chassis.shapes import Cancel, Invalid, Later, NotFound
from shared.chassis.testing import NOON, Scenario, recorded, scenario
from shared.events.leads import (
    AssignmentRule,
    AssignmentRulesConfigured,
    ConversionReverted,
    DemandLevel,
    GradeThreshold,
    HoldingStarted,
    LeadAssigned,
    LeadPooled,
    LeadReopened,
    LeadScored,
    PoolEntry,
    ScorePart,
    ScoringRule,
    ScoringRulesConfigured,
    TurnTaken,
)
from shared.events.values import Attitude, Condition, Money, Operator
from tests.leads.builders import (
    ANNA,
    DAY,
    LEAD,
    POOL,
    follow_up_recorded,
    lead_assigned,
    lead_captured,
    lead_disqualified,
    lead_pooled,
    pool_opened,
    pool_rules_configured,
)

SCORE = ScoreLead(lead_id=LEAD)


def when(field: str, operator: Operator, value: Any = None) -> Condition:
    return Condition(field=field, operator=operator, value=value)


@pytest.mark.capability("LEA-08")
def test_a_score_says_which_rule_gave_what() -> None:
    done = scenario(LeadsApplication).given(
        LEAD, lead_captured(demand_level=DemandLevel.HIGH, budget=Money.of(1, "CNY"))
    )
    done.when(SCORE).then(
        LeadScored(
            score=65,
            grade="b",
            parts=(
                ScorePart(rule="reachable_by_phone", points=15, reason="has a phone number"),
                ScorePart(rule="reachable_by_mail", points=5, reason="has a mail address"),
                ScorePart(rule="for_a_company", points=10, reason="speaks for a company"),
                ScorePart(rule="strong_need", points=20, reason="the need is urgent"),
                ScorePart(rule="has_budget", points=15, reason="a budget is known"),
            ),
            rules_version=0,
        )
    )
    assert done.news[0].rule == "leads.scoring@0"
    done.when(SCORE).then_nothing()


@pytest.mark.capability("LEA-08")
def test_behaviour_fades_by_half_in_each_half_life() -> None:
    rule = ScoringRule(
        rule="warm",
        reason="liked the call",
        conditions=(when("attitude", Operator.EQUALS, "positive"),),
        points=40,
        half_life_days=10,
    )
    done = scenario(LeadsApplication).given(
        SCORING_RULES,
        ScoringRulesConfigured(
            rules_version=3, rules=(rule,), grades=(GradeThreshold(grade="d", at_least=0),)
        ),
    )
    done.given(
        LEAD, lead_captured(), lead_assigned(), follow_up_recorded(attitude=Attitude.POSITIVE)
    )
    for days, points in ((0, 40), (10, 20), (20, 10), (200, 0)):
        done.when(SCORE, at=NOON + days * DAY)
        [fact] = done.news
        assert isinstance(fact.event, LeadScored)
        assert fact.event.score == points
        assert (fact.event.rescore_at is not None) is (points > 0)


@pytest.mark.capability("LEA-08")
@given(st.integers(0, 400), st.integers(1, 60), st.integers(-100, 100))
def test_no_score_changes_before_the_moment_it_says(days: int, half_life: int, points: int) -> None:
    rule = ScoringRule(rule="r", reason="r", conditions=(), points=points, half_life_days=half_life)
    rules = ScoringRules(rules=(rule,), grades=(GradeThreshold(grade="d", at_least=0),))
    now = NOON + days * DAY
    scored = rules.score({}, NOON, now)
    assert 0 <= scored.score <= 100
    if scored.rescore_at is None:
        assert rules.score({}, NOON, now + 1000 * DAY).score == 0
    else:
        assert scored.rescore_at >= now + 7 * DAY


@pytest.mark.capability("LEA-08")
def test_a_score_that_is_due_is_laid_down_anew_though_nothing_changed() -> None:
    talk = follow_up_recorded(attitude=Attitude.POSITIVE)
    done = scenario(LeadsApplication).given(LEAD, lead_captured(), lead_assigned(), talk)
    done.after(SCORE)
    again = talk.model_copy(update={"follow_up_id": "talk-2", "at": NOON + 6 * DAY})
    done.given(LEAD, again).when(SCORE, at=NOON + 6 * DAY).then_nothing()
    [fact] = done.when(SCORE, at=NOON + 7 * DAY).then_kinds(LeadScored).news
    assert isinstance(fact.event, LeadScored)
    assert fact.event.rescore_at == NOON + 14 * DAY


@pytest.mark.capability("LEA-08")
def test_settled_leads_keep_their_last_score() -> None:
    done = scenario(LeadsApplication).given(LEAD, lead_captured(), lead_disqualified())
    done.when(SCORE).then_nothing()


@pytest.mark.capability("LEA-08")
def test_scoring_follows_what_is_learnt_and_what_fades() -> None:
    captured = recorded(lead_captured(), LEAD)
    assert score_lead(captured) == [SCORE]
    assert score_lead(recorded(follow_up_recorded(), LEAD)) == [SCORE]
    fading = LeadScored(score=1, grade="d", parts=(), rules_version=0, rescore_at=NOON + DAY)
    assert let_score_fade(recorded(fading, LEAD)) == [Later(NOON + DAY, SCORE, key=LEAD)]
    lasting = fading.model_copy(update={"rescore_at": None})
    assert let_score_fade(recorded(lasting, LEAD)) == [Cancel(LEAD)]


@pytest.mark.capability("LEA-08")
def test_a_lead_taken_up_again_goes_on_fading() -> None:
    talk = follow_up_recorded(attitude=Attitude.POSITIVE)
    done = scenario(LeadsApplication).given(LEAD, lead_captured(), lead_assigned(), talk)
    due = done.after(SCORE).given(LEAD, lead_disqualified()).when(SCORE, at=NOON + 7 * DAY)
    due.then_nothing()
    assert not let_score_fade(recorded(lead_disqualified(), LEAD))
    reopened = LeadReopened(owner_id="anna", reason="called back")
    assert score_lead(recorded(reopened, LEAD)) == [SCORE]
    done.given(LEAD, reopened).when(SCORE, at=NOON + 8 * DAY).then_kinds(LeadScored)
    reverted = ConversionReverted(account_id="account-1", withdraws_account=True, reason="mistake")
    assert score_lead(recorded(reverted, LEAD)) == [SCORE]


@pytest.mark.capability("LEA-08")
def test_scoring_rules_are_versioned_and_checked() -> None:
    grades = (GradeThreshold(grade="a", at_least=50), GradeThreshold(grade="b", at_least=0))
    rule = ScoringRule(
        rule="vip", reason="r", conditions=(when("custom.vip", Operator.EQUALS, value=True),),
        points=60,
    )  # fmt: skip
    done = scenario(LeadsApplication)
    configure = ConfigureScoringRules(rules=(rule,), grades=grades)
    done.when(configure).then(ScoringRulesConfigured(rules_version=1, rules=(rule,), grades=grades))
    done.when(configure).then_nothing()
    done.given(LEAD, lead_captured(custom={"vip": True})).when(SCORE)
    [fact] = done.news
    assert isinstance(fact.event, LeadScored)
    assert (fact.event.score, fact.event.grade, fact.rule) == (60, "a", "leads.scoring@1")
    odd = rule.model_copy(
        update={"conditions": (when("shoe_size", Operator.PRESENT),), "points": 101}
    )
    bad = ConfigureScoringRules(rules=(odd, odd), grades=grades[:1])
    refusal = done.when(bad).then_refused(Invalid).refusal
    assert isinstance(refusal, Invalid)
    assert len(refusal.violations) == 6


@pytest.mark.capability("LEA-08")
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (when("industry", Operator.EQUALS, "SOFTWARE"), True),
        (when("industry", Operator.DIFFERS, "software"), False),
        (when("industry", Operator.IN, ["retail", "software"]), True),
        (when("industry", Operator.IN, "software"), False),
        (when("industry", Operator.CONTAINS, "soft"), True),
        (when("industry", Operator.AT_LEAST, 3), False),
        (when("phones", Operator.PRESENT), True),
        (when("emails", Operator.PRESENT), False),
        (when("emails", Operator.ABSENT), True),
        (when("phones", Operator.CONTAINS, "+1"), True),
        (when("budget", Operator.AT_LEAST, "99.5"), True),
        (when("budget", Operator.AT_MOST, 99), False),
        (when("buys_on", Operator.AT_MOST, "2026-12-31"), True),
        (when("buys_on", Operator.AT_LEAST, "soon"), False),
        (when("custom.vip", Operator.EQUALS, value=True), True),
        (when("custom.vip", Operator.EQUALS, 1), False),
        (when("custom.none", Operator.DIFFERS, 1), True),
        (when("statements", Operator.EQUALS, 2), True),
        (when("statements", Operator.CONTAINS, 2), False),
    ],
)
def test_conditions_compare_by_the_kind_of_field(condition: Condition, holds: bool) -> None:
    known = {
        "industry": "Software",
        "phones": ("+1",),
        "emails": (),
        "budget": Money.of(Decimal("99.5"), "CNY"),
        "buys_on": date(2026, 6, 30),
        "custom": {"vip": True},
        "statements": 2,
    }
    assert all_hold([condition], known) is holds


def with_rules(*rules: AssignmentRule) -> Scenario[LeadsApplication]:
    done = scenario(LeadsApplication).given(POOL, pool_opened())
    configured = AssignmentRulesConfigured(rules_version=2, rules=rules)
    return done.given(ASSIGNMENT_RULES, configured)


ROTA = AssignmentRule(rule="everyone", candidate_ids=("anna", "ben", "chen"))


def place(done: Scenario[LeadsApplication], number: int, **profile: Any) -> str | None:
    lead_id = f"lead-{number}"
    done.given(lead_id, lead_captured(**profile)).when(AssignNext(lead_id=lead_id))
    owners = [f.event.owner_id for f in done.news if isinstance(f.event, LeadAssigned)]
    return owners[0] if owners else None


@pytest.mark.capability("LEA-10")
def test_new_leads_go_round_and_nobody_gets_two_in_a_row() -> None:
    done = with_rules(ROTA)
    assert [place(done, n) for n in range(5)] == ["anna", "ben", "chen", "anna", "ben"]
    turn = done.news[0]
    assert turn.event == TurnTaken(
        turn=5, employee_id="ben", lead_id="lead-4", candidate_ids=("anna", "ben", "chen")
    )
    assert turn.rule == "leads.assignment@2"


@pytest.mark.capability("LEA-10")
@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True).map(tuple), max_size=20)
)
def test_turns_count_up_and_pass_to_the_next_whatever_the_list(
    lists: list[tuple[str, ...]],
) -> None:
    rota = Rota()
    for number, candidates in enumerate(lists, 1):
        [turn] = rota.take("lead", candidates, lambda _: True)
        assert turn.turn == number
        if rota.last_id in candidates:
            after = candidates.index(rota.last_id) + 1
            assert turn.employee_id == candidates[after % len(candidates)]
        rota = Rota.evolve(rota, turn) or rota


@pytest.mark.capability("LEA-10")
def test_the_first_rule_that_fits_decides() -> None:
    big = AssignmentRule(
        rule="big",
        conditions=(when("budget", Operator.AT_LEAST, 1000),),
        candidate_ids=("chen",),
    )
    rest = AssignmentRule(rule="rest", pool_id=POOL)
    done = with_rules(big, rest)
    assert place(done, 1, budget=Money.of(5000, "CNY")) == "chen"
    assert place(done, 2) is None
    done.then(LeadPooled(pool_id=POOL, entry=PoolEntry.CAPTURED))
    assert done.news[0].rule == "leads.assignment@2"


@pytest.mark.capability("LEA-10")
def test_whoever_is_full_is_passed_over_and_when_all_are_the_lead_waits() -> None:
    rule = AssignmentRule(rule="few", candidate_ids=("anna", "ben"), pool_id=POOL)
    done = with_rules(rule).given(POOL, pool_rules_configured(holding_capacity=1))
    assert [place(done, n) for n in range(2)] == ["anna", "ben"]
    done.then_kinds(TurnTaken, HoldingStarted, LeadAssigned)
    assert place(done, 3) is None
    done.then_kinds(LeadPooled)


@pytest.mark.capability("LEA-10")
def test_without_rules_a_lead_goes_to_the_public_pool_if_there_is_one() -> None:
    done = scenario(LeadsApplication).given(LEAD, lead_captured())
    done.when(AssignNext(lead_id=LEAD)).then_nothing()
    done.given("pool-public", pool_opened()).when(AssignNext(lead_id=LEAD))
    done.then(LeadPooled(pool_id="pool-public", entry=PoolEntry.CAPTURED))
    done.when(AssignNext(lead_id=LEAD)).then_nothing()
    done.when(ClaimLead(lead_id=LEAD), by=ANNA).then_kinds(*map(type, [f.event for f in done.news]))


@pytest.mark.capability("LEA-10")
@pytest.mark.parametrize("placed", [lead_assigned(), lead_pooled(), lead_disqualified()])
def test_what_has_its_place_already_is_left_there(placed: LeadAssigned) -> None:
    done = with_rules(ROTA).given(LEAD, lead_captured(), placed)
    done.when(AssignNext(lead_id=LEAD)).then_nothing()


@pytest.mark.capability("LEA-10")
def test_a_manager_assigns_by_hand_and_history_is_not_assigned_anew() -> None:
    done = scenario(LeadsApplication).given(LEAD, lead_captured())
    assign = AssignLead(lead_id=LEAD, owner_id="anna", unit_id="east")
    done.when(assign).then(lead_assigned(unit_id="east", at=NOON))
    done.when(assign).then_nothing()
    done.when(AssignLead(lead_id="lead-9", owner_id="anna")).then_refused(NotFound)
    captured = recorded(lead_captured(), LEAD)
    assert assign_new_lead(captured) == [AssignNext(lead_id=LEAD)]
    assert assign_new_lead(captured._replace(import_id="import-1")) == []


@pytest.mark.capability("LEA-10")
def test_assignment_rules_are_versioned_and_checked() -> None:
    done = scenario(LeadsApplication).given(POOL, pool_opened())
    configure = ConfigureAssignmentRules(rules=(ROTA,))
    done.when(configure).then(AssignmentRulesConfigured(rules_version=1, rules=(ROTA,)))
    done.when(configure).then_nothing()
    odd = AssignmentRule(
        rule="odd",
        conditions=(when("shoe_size", Operator.PRESENT),),
        candidate_ids=("anna", "anna"),
        pool_id="pool-9",
    )
    empty = AssignmentRule(rule="odd")
    refusal = done.when(ConfigureAssignmentRules(rules=(odd, empty))).refusal
    assert isinstance(refusal, Invalid)
    assert len(refusal.violations) == 5
