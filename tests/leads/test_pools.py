"""Leads wait in pools, are claimed by one, given back, and recycled when nobody follows up."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.leads.application import LeadsApplication
from services.leads.commands import (
    AssignLead,
    CaptureLead,
    ChangePool,
    ChangePoolMembers,
    ClaimLead,
    ClaimManyLeads,
    ConfigurePoolRules,
    ConvertLead,
    DisqualifyLead,
    LockLead,
    MoveLeadToPool,
    NurtureLead,
    OpenPool,
    PlanFollowUp,
    QualifyLead,
    RecordFollowUp,
    RecycleLead,
    ReleaseLead,
    ReleaseManyLeads,
    ReopenLead,
    UnlockLead,
    WarnOfRecycling,
)
from services.leads.domain.claim_book import ClaimBook, book_id
from services.leads.domain.lead import Lead
from services.leads.domain.refusals import (
    ClaimLimitReached,
    HoldingCapacityReached,
    LeadHasNoOwner,
    LeadHasOwner,
    LeadIsInNoPool,
    LeadIsProtected,
    LeadIsSettled,
    LeadWaitsInPool,
    NoPoolToReturnTo,
    NotTheOwner,
    NotThePoolsMember,
    PreviousOwnerCoolsDown,
)
from services.leads.policies.recycle_idle_lead import recycle_idle_lead
from services.leads.policies.warn_of_recycling import warn_of_recycling
from services.leads.projections.follow_up_list import FollowUpList
from shared.chassis.application import Work
from shared.chassis.shapes import Actor, Cancel, Command, Conflict, Invalid, Later, NotFound, Taken
from shared.chassis.testing import NOON, Scenario, folded, issue, recorded, scenario
from shared.events.base import Event
from shared.events.leads import (
    FollowUpCancelled,
    FollowUpPlanned,
    FollowUpRecorded,
    HoldingEnd,
    HoldingEnded,
    HoldingStarted,
    HoldingWay,
    LeadAssigned,
    LeadClaimed,
    LeadConverted,
    LeadDisqualified,
    LeadLocked,
    LeadNurtured,
    LeadPooled,
    LeadQualified,
    LeadRecycled,
    LeadReleased,
    LeadUnlocked,
    MemberKind,
    PoolChanged,
    PoolEntry,
    PoolMember,
    PoolMembersChanged,
    PoolOpened,
    PoolRulesConfigured,
    RecycleScheduled,
    RecycleWarned,
)
from tests.leads.builders import (
    ANNA,
    BEN,
    DAY,
    LEAD,
    POOL,
    follow_up_planned,
    holding_started,
    lead_assigned,
    lead_captured,
    lead_claimed,
    lead_disqualified,
    lead_nurtured,
    lead_pooled,
    pool_opened,
    pool_rules_configured,
    recycle_scheduled,
)

HOUR = timedelta(hours=1)
CLAIM = ClaimLead(lead_id=LEAD)
RELEASE = ReleaseLead(lead_id=LEAD, reason="no time")


def pooled(*more: str, **rules: Any) -> Scenario[LeadsApplication]:
    """One lead, or more, in a pool with these rules."""
    given = scenario(LeadsApplication).given(POOL, pool_opened(), pool_rules_configured(**rules))
    for lead_id in (LEAD, *more):
        given.given(lead_id, lead_captured(), lead_pooled())
    return given


def held(**rules: Any) -> Scenario[LeadsApplication]:
    """A lead that Anna claimed, with seven days until it is recycled."""
    given = scenario(LeadsApplication).given(POOL, pool_opened(), pool_rules_configured(**rules))
    given.given(LEAD, lead_captured(), lead_pooled(), lead_claimed(), recycle_scheduled())
    return given.given(book_id("anna"), holding_started())


@pytest.mark.capability("LEA-11")
def test_a_pool_is_opened_with_members_administrators_and_hidden_fields() -> None:
    members = (PoolMember(kind=MemberKind.UNIT, id="east"),)
    command = OpenPool(
        pool_id=POOL, name="East", members=members, admin_ids=("ben",), hidden_fields=("phones",)
    )
    done = scenario(LeadsApplication).when(command)
    done.then(
        PoolOpened(name="East", members=members, admin_ids=("ben",), hidden_fields=("phones",))
    )
    done.when(command).then_refused(Taken, holder=POOL)
    done.when(ChangePool(pool_id=POOL, name="East coast")).then(
        PoolChanged(name="East coast", hidden_fields=("phones",))
    )
    done.when(ChangePool(pool_id=POOL, hidden_fields=("phones",))).then_nothing()
    change = ChangePoolMembers(pool_id=POOL, members=(), admin_ids=("anna",))
    done.when(change).then(PoolMembersChanged(members=(), admin_ids=("anna",)))
    done.when(change).then_nothing()


@pytest.mark.capability("LEA-11")
def test_only_profile_fields_can_be_hidden() -> None:
    odd = OpenPool(name="East", hidden_fields=("owner_id",))
    scenario(LeadsApplication).when(odd).then_refused(Invalid)
    given = scenario(LeadsApplication).given(POOL, pool_opened())
    given.when(ChangePool(pool_id=POOL, hidden_fields=("status",))).then_refused(Invalid)
    given.when(ChangePool(pool_id="pool-9", name="x")).then_refused(NotFound)


@pytest.mark.capability("LEA-11")
def test_rules_are_versioned_and_must_make_sense() -> None:
    given = scenario(LeadsApplication).given(POOL, pool_opened())
    rules = ConfigurePoolRules(pool_id=POOL, claims_per_day=5, time_zone="Asia/Shanghai")
    given.when(rules).then(
        PoolRulesConfigured(rules_version=1, claims_per_day=5, time_zone="Asia/Shanghai")
    )
    given.when(rules).then_nothing()
    late = ConfigurePoolRules(pool_id=POOL, recycle_after_days=3, warn_before_days=3)
    given.when(late).then_refused(Invalid)
    given.when(ConfigurePoolRules(pool_id=POOL, warn_before_days=3)).then_refused(Invalid)
    given.when(ConfigurePoolRules(pool_id=POOL, time_zone="Moon/Crater")).then_refused(Invalid)


@pytest.mark.capability("LEA-11")
@pytest.mark.parametrize(
    ("member", "admitted"),
    [
        (PoolMember(kind=MemberKind.EMPLOYEE, id="anna"), True),
        (PoolMember(kind=MemberKind.UNIT, id="hq"), True),
        (PoolMember(kind=MemberKind.UNIT, id="east"), True),
        (PoolMember(kind=MemberKind.ROLE, id="sales"), True),
        (PoolMember(kind=MemberKind.EMPLOYEE, id="ben"), False),
        (PoolMember(kind=MemberKind.UNIT, id="west"), False),
        (PoolMember(kind=MemberKind.ROLE, id="support"), False),
    ],
)
def test_only_members_claim(member: PoolMember, admitted: bool) -> None:
    given = scenario(LeadsApplication).given(POOL, pool_opened(members=(member,)))
    given.given(LEAD, lead_captured(), lead_pooled()).when(CLAIM, by=ANNA)
    if admitted:
        given.then_kinds(LeadClaimed, HoldingStarted)
    else:
        given.then_refused(NotThePoolsMember, pool_id=POOL)


@pytest.mark.capability("LEA-12")
def test_a_claim_gives_the_lead_and_counts_against_the_day() -> None:
    pooled().when(CLAIM, by=ANNA).then(
        LeadClaimed(pool_id=POOL, owner_id="anna", unit_id="east", at=NOON),
        HoldingStarted(
            employee_id="anna",
            lead_id=LEAD,
            pool_id=POOL,
            way=HoldingWay.CLAIMED,
            day=NOON.date(),
        ),
    )


@pytest.mark.capability("LEA-12")
def test_a_claim_has_one_winner() -> None:
    done = pooled().when(CLAIM, by=ANNA)
    done.when(CLAIM, by=BEN).then_refused(LeadHasOwner, owner_id="anna")
    done.when(CLAIM, by=ANNA).then_nothing()


@pytest.mark.capability("LEA-12")
def test_two_claims_that_race_are_decided_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = pooled()
    original = Work.load
    raced: list[bool] = []

    def load_and_be_overtaken(work: Work, kind: Any, stream_id: str) -> Any:
        state = original(work, kind, stream_id)
        if kind is Lead and not raced:
            raced.append(True)
            done.application.handle(issue(CLAIM, by=BEN))
        return state

    monkeypatch.setattr(Work, "load", load_and_be_overtaken)
    done.when(CLAIM, by=ANNA)
    assert isinstance(done.refusal, LeadHasOwner)
    assert [type(fact.event) for fact in done.news] == [LeadClaimed, HoldingStarted]
    assert done.refusal.details == {"owner_id": "ben"}


@pytest.mark.capability("LEA-12")
def test_a_claim_of_an_outdated_version_is_refused() -> None:
    pooled().when(CLAIM, by=ANNA, expected_version=1).then_refused(Conflict)


@pytest.mark.capability("LEA-12")
def test_what_cannot_be_claimed() -> None:
    pooled().when(ClaimLead(lead_id="lead-9")).then_refused(NotFound)
    loose = scenario(LeadsApplication).given(LEAD, lead_captured())
    loose.when(CLAIM, by=ANNA).then_refused(LeadIsInNoPool)
    given_up = pooled().given(LEAD, lead_disqualified(owner_id=None))
    given_up.when(CLAIM, by=ANNA).then_refused(LeadIsSettled, status="disqualified")


@pytest.mark.capability("LEA-12")
def test_giving_back_does_not_refund_the_days_claims() -> None:
    done = pooled("lead-2", "lead-3", claims_per_day=2)
    done.after(CLAIM, RELEASE, ClaimLead(lead_id="lead-2"), by=ANNA)
    third = ClaimLead(lead_id="lead-3")
    done.when(third, by=ANNA).then_refused(ClaimLimitReached, limit=2, day="2026-03-02")
    done.when(third, by=BEN).then_kinds(LeadClaimed, HoldingStarted)


@pytest.mark.capability("LEA-12")
def test_the_day_turns_at_midnight_in_the_pools_time_zone() -> None:
    done = pooled("lead-2", claims_per_day=1, time_zone="Asia/Shanghai")
    done.after(CLAIM, by=ANNA)
    second = ClaimLead(lead_id="lead-2")
    done.when(second, by=ANNA, at=NOON + 3 * HOUR).then_refused(ClaimLimitReached)
    done.when(second, by=ANNA, at=NOON + 4 * HOUR).then_kinds(LeadClaimed, HoldingStarted)


@pytest.mark.capability("LEA-12")
def test_holding_capacity_counts_open_leads_and_giving_back_frees_it() -> None:
    done = pooled("lead-2", holding_capacity=1).after(CLAIM, by=ANNA)
    second = ClaimLead(lead_id="lead-2")
    done.when(second, by=ANNA).then_refused(HoldingCapacityReached, limit=1)
    assign = AssignLead(lead_id="lead-2", owner_id="anna")
    done.when(assign, by=BEN).then_refused(HoldingCapacityReached, employee_id="anna")
    done.after(DisqualifyLead(lead_id=LEAD, reason="spam"), by=ANNA)
    done.when(second, by=ANNA).then_kinds(LeadClaimed, HoldingStarted)


@pytest.mark.capability("LEA-12")
def test_whoever_gave_a_lead_back_has_to_wait_before_claiming_it_again() -> None:
    done = pooled(cool_down_hours=48).after(CLAIM, RELEASE, by=ANNA)
    done.when(CLAIM, by=ANNA, at=NOON + 47 * HOUR).then_refused(PreviousOwnerCoolsDown)
    done.when(CLAIM, by=ANNA, at=NOON + 49 * HOUR).then_kinds(LeadClaimed, HoldingStarted)
    pooled(cool_down_hours=48).after(CLAIM, RELEASE, by=ANNA).when(CLAIM, by=BEN).then_kinds(
        LeadClaimed, HoldingStarted
    )


@pytest.mark.capability("LEA-12")
def test_a_new_lead_is_protected_from_the_moment_it_entered() -> None:
    done = scenario(LeadsApplication)
    done.given(POOL, pool_opened(), pool_rules_configured(protection_hours=24))
    done.after(CaptureLead(lead_id=LEAD, name="李娜", channel="chat", pool_id=POOL))
    done.when(CLAIM, by=ANNA, at=NOON + 23 * HOUR).then_refused(LeadIsProtected)
    done.when(CLAIM, by=ANNA, at=NOON + 24 * HOUR).then_kinds(LeadClaimed, HoldingStarted)


@pytest.mark.capability("LEA-12")
def test_a_release_needs_the_owner_and_says_why() -> None:
    done = held(cool_down_hours=2)
    done.when(RELEASE, by=BEN).then_refused(NotTheOwner, owner_id="anna")
    done.when(RELEASE, by=ANNA).then(
        LeadReleased(
            pool_id=POOL,
            owner_id="anna",
            reason="no time",
            cool_down_until=NOON + 2 * HOUR,
        ),
        HoldingEnded(employee_id="anna", lead_id=LEAD, pool_id=POOL, end=HoldingEnd.RELEASED),
    )
    done.when(RELEASE, by=ANNA).then_nothing()


@pytest.mark.capability("LEA-12")
def test_an_administrator_of_the_pool_may_take_a_lead_back() -> None:
    done = scenario(LeadsApplication).given(POOL, pool_opened(admin_ids=("ben",)))
    done.given(LEAD, lead_captured(), lead_pooled(), lead_claimed())
    done.when(RELEASE, by=BEN).then_kinds(LeadReleased)


@pytest.mark.capability("LEA-12")
def test_a_release_needs_a_pool_to_go_to() -> None:
    loose = scenario(LeadsApplication).given(LEAD, lead_captured(), lead_assigned())
    loose.when(RELEASE, by=ANNA).then_refused(NoPoolToReturnTo)
    loose.given("pool-public", pool_opened()).when(RELEASE, by=ANNA).then_kinds(LeadReleased)
    nobodys = scenario(LeadsApplication).given(LEAD, lead_captured())
    nobodys.when(RELEASE, by=ANNA).then_refused(LeadHasNoOwner)


@pytest.mark.capability("LEA-12")
def test_a_release_drops_what_was_planned() -> None:
    done = held().given(LEAD, follow_up_planned())
    done.when(RELEASE, by=ANNA).then_kinds(LeadReleased, FollowUpCancelled, HoldingEnded)


@pytest.mark.capability("LEA-12")
def test_many_claims_are_done_skipped_or_refused_one_by_one() -> None:
    done = pooled("lead-2", "lead-3", claims_per_day=2).after(CLAIM, by=ANNA)
    answer = done.when(
        ClaimManyLeads(lead_ids=(LEAD, "lead-2", "lead-3", "lead-9")), by=ANNA
    ).answer
    assert answer is not None
    assert answer.outcome[LEAD] == "skipped"
    assert answer.outcome["lead-2"] == "done"
    assert answer.outcome["lead-3"].startswith("refused: ClaimLimitReached")
    assert answer.outcome["lead-9"].startswith("refused: NotFound")
    done.then_kinds(LeadClaimed, HoldingStarted)
    back = ReleaseManyLeads(lead_ids=(LEAD, "lead-2", "lead-3"), reason="leaving")
    answer = done.when(back, by=ANNA).answer
    assert answer is not None
    assert list(answer.outcome.values()) == ["done", "done", "skipped"]


@pytest.mark.capability("LEA-12")
def test_a_claim_starts_the_clock_for_recycling() -> None:
    done = pooled(recycle_after_days=7, warn_before_days=2).when(CLAIM, by=ANNA)
    done.then_kinds(LeadClaimed, RecycleScheduled, HoldingStarted)
    assert done.news[1].event == recycle_scheduled()


@pytest.mark.capability("LEA-12")
def test_a_follow_up_starts_the_clock_anew_and_other_edits_do_not() -> None:
    done = held(recycle_after_days=7)
    later = NOON + 3 * DAY
    call = RecordFollowUp(lead_id=LEAD, method="call")
    done.when(call, by=ANNA, at=later).then_kinds(FollowUpRecorded, RecycleScheduled)
    scheduled = done.news[1].event
    assert isinstance(scheduled, RecycleScheduled)
    assert scheduled.recycle_at == later + 7 * DAY
    done.when(call, by=ANNA, at=NOON + DAY).then_kinds(FollowUpRecorded)


@pytest.mark.capability("LEA-12")
def test_the_owner_is_warned_and_then_loses_the_idle_lead() -> None:
    done = held(cool_down_hours=24)
    warn = WarnOfRecycling(lead_id=LEAD, idle_since=NOON)
    done.when(warn, at=NOON + 5 * DAY).then(
        RecycleWarned(pool_id=POOL, owner_id="anna", recycle_at=NOON + 7 * DAY, idle_days=5)
    )
    done.when(warn, at=NOON + 5 * DAY).then_nothing()
    done.when(RecycleLead(lead_id=LEAD, idle_since=NOON), at=NOON + 7 * DAY).then(
        LeadRecycled(
            pool_id=POOL,
            owner_id="anna",
            idle_days=7,
            idle_since=NOON,
            cool_down_until=NOON + 8 * DAY,
        ),
        HoldingEnded(employee_id="anna", lead_id=LEAD, pool_id=POOL, end=HoldingEnd.RECYCLED),
    )
    assert done.news[0].rule == f"{POOL}@1"
    done.when(RecycleLead(lead_id=LEAD, idle_since=NOON), at=NOON + 7 * DAY).then_nothing()


@pytest.mark.capability("LEA-12")
@pytest.mark.parametrize(
    "exemption",
    [
        LockLead(lead_id=LEAD, reason="key prospect"),
        NurtureLead(lead_id=LEAD),
        DisqualifyLead(lead_id=LEAD, reason="spam"),
        RecordFollowUp(lead_id=LEAD, method="call"),
        AssignLead(lead_id=LEAD, owner_id="ben"),
    ],
)
def test_what_was_locked_settled_or_followed_up_meanwhile_is_not_recycled(
    exemption: LockLead,
) -> None:
    done = held(recycle_after_days=7).after(exemption, at=NOON + DAY, by=ANNA)
    due = NOON + 7 * DAY
    done.when(WarnOfRecycling(lead_id=LEAD, idle_since=NOON), at=due).then_nothing()
    done.when(RecycleLead(lead_id=LEAD, idle_since=NOON), at=due).then_nothing()


@pytest.mark.capability("LEA-12")
def test_protection_postpones_recycling() -> None:
    done = scenario(LeadsApplication).given(POOL, pool_opened())
    done.given(POOL, pool_rules_configured(recycle_after_days=1, protection_hours=72))
    done.given(LEAD, lead_captured(), lead_pooled(protected_until=NOON + 3 * DAY))
    done.when(AssignLead(lead_id=LEAD, owner_id="anna"))
    scheduled = done.news[2].event
    assert isinstance(scheduled, RecycleScheduled)
    assert scheduled.recycle_at == NOON + 3 * DAY


@pytest.mark.capability("LEA-12")
def test_unlocking_takes_the_clock_up_where_it_was() -> None:
    done = held(recycle_after_days=7).after(LockLead(lead_id=LEAD, reason="key"))
    done.when(LockLead(lead_id=LEAD, reason="key")).then_nothing()
    done.when(UnlockLead(lead_id=LEAD), at=NOON + 30 * DAY).then_kinds(
        LeadUnlocked, RecycleScheduled
    )
    assert done.news[1].event == recycle_scheduled(warn_at=None)
    done.when(UnlockLead(lead_id=LEAD)).then_nothing()


@pytest.mark.capability("LEA-12")
def test_a_follow_up_counts_although_the_lead_was_locked() -> None:
    done = held(recycle_after_days=7).after(LockLead(lead_id=LEAD, reason="key"))
    call = RecordFollowUp(lead_id=LEAD, method="call")
    done.when(call, by=ANNA, at=NOON + 20 * DAY).then_kinds(FollowUpRecorded)
    done.when(UnlockLead(lead_id=LEAD), at=NOON + 21 * DAY).then(
        LeadUnlocked(), recycle_scheduled(NOON + 20 * DAY, warn_at=None)
    )


@pytest.mark.capability("LEA-12")
def test_the_clock_of_a_lead_that_was_locked_when_claimed_starts_at_the_claim() -> None:
    lock = LockLead(lead_id=LEAD, reason="key")
    done = pooled(recycle_after_days=7).after(lock).after(CLAIM, by=ANNA, at=NOON + DAY)
    done.when(UnlockLead(lead_id=LEAD), at=NOON + 2 * DAY).then(
        LeadUnlocked(), recycle_scheduled(NOON + DAY, warn_at=None)
    )


@pytest.mark.capability("LEA-12")
def test_a_lead_taken_up_again_while_locked_is_idle_from_the_unlocking() -> None:
    lock = LockLead(lead_id=LEAD, reason="key")
    done = held(recycle_after_days=7).after(NurtureLead(lead_id=LEAD), lock, by=ANNA)
    done.after(QualifyLead(lead_id=LEAD), by=ANNA, at=NOON + 20 * DAY)
    done.when(UnlockLead(lead_id=LEAD), at=NOON + 21 * DAY).then(
        LeadUnlocked(), recycle_scheduled(NOON + 21 * DAY, warn_at=None)
    )


@pytest.mark.capability("LEA-12")
def test_a_nurtured_lead_is_exempt_until_it_is_qualified() -> None:
    done = held(recycle_after_days=7).given(LEAD, lead_nurtured())
    done.when(AssignLead(lead_id=LEAD, owner_id="ben"))
    done.then_kinds(HoldingStarted, LeadAssigned, HoldingEnded)
    done.when(QualifyLead(lead_id=LEAD), by=BEN, at=NOON + 20 * DAY).then(
        LeadQualified(owner_id="ben"),
        recycle_scheduled(NOON + 20 * DAY, owner_id="ben", warn_at=None),
    )


@pytest.mark.capability("LEA-12")
def test_qualifying_moves_no_clock() -> None:
    held(recycle_after_days=7).when(QualifyLead(lead_id=LEAD), by=ANNA).then_kinds(LeadQualified)


@pytest.mark.capability("LEA-12")
def test_recycling_and_its_warning_are_deadlines_that_exemptions_cancel() -> None:
    due = recorded(recycle_scheduled(), LEAD)
    assert recycle_idle_lead(due) == [
        Later(NOON + 7 * DAY, RecycleLead(lead_id=LEAD, idle_since=NOON), key=LEAD)
    ]
    assert warn_of_recycling(due) == [
        Later(NOON + 5 * DAY, WarnOfRecycling(lead_id=LEAD, idle_since=NOON), key=LEAD)
    ]
    assert warn_of_recycling(recorded(recycle_scheduled(warn_at=None), LEAD)) == [Cancel(LEAD)]
    for event in (LeadLocked(reason="key"), LeadNurtured(), LeadDisqualified(reason="spam")):
        assert recycle_idle_lead(recorded(event, LEAD)) == [Cancel(LEAD)]
        assert warn_of_recycling(recorded(event, LEAD)) == [Cancel(LEAD)]


@pytest.mark.capability("LEA-12")
def test_reassigning_moves_the_lead_from_one_book_to_the_other() -> None:
    done = held()
    done.when(AssignLead(lead_id=LEAD, owner_id="ben"), by=BEN)
    done.then_kinds(HoldingStarted, LeadAssigned, HoldingEnded)
    ended = done.news[2].event
    assert isinstance(ended, HoldingEnded)
    assert (ended.employee_id, ended.end) == ("anna", HoldingEnd.REASSIGNED)


@pytest.mark.capability("LEA-11", "LEA-12")
@pytest.mark.parametrize(
    ("settle", "outcome"),
    [
        (ConvertLead(lead_id=LEAD, owner_id="anna"), LeadConverted),
        (DisqualifyLead(lead_id=LEAD, reason="spam"), LeadDisqualified),
    ],
)
def test_a_lead_that_waits_in_a_pool_is_claimed_before_it_is_settled(
    settle: Command, outcome: type[Event]
) -> None:
    done = scenario(LeadsApplication).given(POOL, pool_opened(admin_ids=("ben",)))
    done.given(LEAD, lead_captured(), lead_pooled())
    done.when(settle, by=ANNA).then_refused(LeadWaitsInPool, pool_id=POOL)
    done.after(CLAIM, by=ANNA).when(settle, by=ANNA)
    assert [type(fact.event) for fact in done.news] == [outcome, HoldingEnded]


@pytest.mark.capability("LEA-11")
def test_an_administrator_settles_what_waits_in_the_pool() -> None:
    done = scenario(LeadsApplication).given(POOL, pool_opened(admin_ids=("ben",)))
    for lead_id in (LEAD, "lead-2"):
        done.given(lead_id, lead_captured(), lead_pooled())
    done.when(DisqualifyLead(lead_id=LEAD, reason="spam"), by=BEN).then_kinds(LeadDisqualified)
    convert = ConvertLead(lead_id="lead-2", owner_id="anna")
    done.when(convert, by=BEN).then_kinds(LeadAssigned, LeadConverted)


@pytest.mark.capability("LEA-10", "LEA-13", "LEA-14")
def test_reassigning_passes_on_what_the_owner_planned() -> None:
    done = held()
    done.after(
        PlanFollowUp(lead_id=LEAD, follow_up_id="plan-1", due_at=NOON + DAY, next_step="演示"),
        PlanFollowUp(lead_id=LEAD, follow_up_id="plan-2", due_at=NOON + DAY, employee_id="cai"),
        by=ANNA,
    )
    done.when(AssignLead(lead_id=LEAD, owner_id="ben"), at=NOON + 2 * DAY)
    handed = [fact.event for fact in done.news if isinstance(fact.event, FollowUpPlanned)]
    assert handed == [follow_up_planned(employee_id="ben", next_step="演示")]
    rows = folded(FollowUpList, done.log.read(0, 100))
    assert {key: row["employee_id"] for (key,), row in rows.items()} == {
        "plan-1": "ben",
        "plan-2": "cai",
    }


@pytest.mark.capability("LEA-11")
def test_a_manager_moves_a_lead_into_another_pool() -> None:
    done = held().given("pool-2", pool_opened())
    done.when(MoveLeadToPool(lead_id=LEAD, pool_id="pool-2")).then(
        LeadPooled(pool_id="pool-2", entry=PoolEntry.MOVED, previous_owner_id="anna"),
        HoldingEnded(employee_id="anna", lead_id=LEAD, pool_id=POOL, end=HoldingEnd.REASSIGNED),
    )
    done.when(MoveLeadToPool(lead_id=LEAD, pool_id="pool-2")).then_nothing()
    done.when(MoveLeadToPool(lead_id=LEAD, pool_id="pool-9")).then_refused(NotFound)


@pytest.mark.capability("LEA-12")
def test_a_reopened_lead_counts_again_even_over_capacity() -> None:
    done = pooled("lead-2", holding_capacity=1).after(
        CLAIM, DisqualifyLead(lead_id=LEAD, reason="x"), ClaimLead(lead_id="lead-2"), by=ANNA
    )
    done.when(ReopenLead(lead_id=LEAD, reason="called back"), by=ANNA)
    book = Work(done.log, done.application.cache, issue(CLAIM).envelope).load(
        ClaimBook, book_id("anna")
    )
    assert set(book.holds) == {LEAD, "lead-2"}


class Holding(RuleBasedStateMachine):
    """Whatever people do, nobody holds more than allowed and no lead has two owners."""

    CAPACITY, PER_DAY = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.scenario = pooled(
            "lead-2", "lead-3", holding_capacity=self.CAPACITY, claims_per_day=self.PER_DAY
        )
        self.claims: dict[str, int] = {}

    @rule(who=st.sampled_from([ANNA, BEN]), lead=st.sampled_from([LEAD, "lead-2", "lead-3"]))
    def claim(self, who: Actor, lead: str) -> None:
        self.scenario.when(ClaimLead(lead_id=lead), by=who)
        if self.scenario.refusal is None and self.scenario.news:
            self.claims[who.id] = self.claims.get(who.id, 0) + 1

    @rule(who=st.sampled_from([ANNA, BEN]), lead=st.sampled_from([LEAD, "lead-2", "lead-3"]))
    def release(self, who: Actor, lead: str) -> None:
        self.scenario.when(ReleaseLead(lead_id=lead, reason="enough"), by=who)

    @rule(who=st.sampled_from(["anna", "ben"]), lead=st.sampled_from([LEAD, "lead-2", "lead-3"]))
    def assign(self, who: str, lead: str) -> None:
        self.scenario.when(AssignLead(lead_id=lead, owner_id=who))

    @rule(lead=st.sampled_from([LEAD, "lead-2", "lead-3"]))
    def disqualify(self, lead: str) -> None:
        self.scenario.when(DisqualifyLead(lead_id=lead, reason="spam"))

    @invariant()
    def limits_hold(self) -> None:
        application = self.scenario.application
        work = Work(self.scenario.log, application.cache, issue(CLAIM).envelope)
        holders: dict[str, str] = {}
        for who in ("anna", "ben"):
            book = work.find(ClaimBook, book_id(who)) or ClaimBook()
            assert len(book.holds) <= self.CAPACITY
            assert sum(book.claims.values()) == self.claims.get(who, 0) <= self.PER_DAY
            for lead_id in book.holds:
                assert lead_id not in holders
                holders[lead_id] = who
        for lead_id in (LEAD, "lead-2", "lead-3"):
            lead = work.load(Lead, lead_id)
            assert holders.get(lead_id) == (None if lead.is_settled else lead.owner_id)


TestHolding = pytest.mark.capability("LEA-12")(Holding.TestCase)
TestHolding.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
