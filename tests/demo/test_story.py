from collections import Counter
from datetime import date, timedelta
from random import Random

import phonenumbers
import pytest

from annals.demo.act import Act
from annals.demo.cast import Cast
from annals.demo.company import REGIONS, STAFF, Region
from annals.demo.story import tell

UNTIL = date(2026, 7, 1)


@pytest.fixture(scope="module")
def acts() -> list[Act]:
    return tell(seed=7, leads=500, days=365, until=UNTIL)


def test_the_same_seed_tells_the_same_story(acts: list[Act]) -> None:
    assert tell(seed=7, leads=500, days=365, until=UNTIL) == acts


def test_another_seed_tells_another_story(acts: list[Act]) -> None:
    other = tell(seed=8, leads=500, days=365, until=UNTIL)
    assert not {act.id for act in other} & {act.id for act in acts}


def test_acts_come_in_order_within_the_span_each_with_its_own_id(acts: list[Act]) -> None:
    assert acts == sorted(acts, key=lambda act: act.at)
    assert acts[0].at.date() >= UNTIL - timedelta(days=365)
    assert acts[-1].at.date() < UNTIL
    assert len({act.id for act in acts}) == len(acts)


def test_as_many_prospects_as_wanted_state_an_interest(acts: list[Act]) -> None:
    new = [act for act in acts if act.rpc == "CaptureLead" and "lead_id" in act.request]
    assert len(new) == 500


def test_every_kind_of_outcome_occurs(acts: list[Act]) -> None:
    done = Counter(act.rpc for act in acts if act.refused is None)
    wanted = {
        "ReleaseLead", "NurtureLead", "DisqualifyLead", "ReopenLead", "LockLead", "ConvertLead",
        "RevertConversion", "LoseOpportunity", "ReopenOpportunity", "WinOpportunity",
        "ReviseQuote", "RejectQuote", "ReturnContract", "WithdrawContract", "TerminateContract",
        "FulfilContract", "ReachMilestone", "DeclineInvoice", "VoidInvoice", "CreditInvoice",
        "ReversePayment", "PendTicket", "MergeTicket", "ReopenTicket", "RateTicket",
        "CancelActivity", "OpenOpportunity",
    }  # fmt: skip
    assert wanted - done.keys() == set()


def test_every_kind_of_refusal_is_provoked(acts: list[Act]) -> None:
    assert {act.refused for act in acts if act.refused} == {
        "AlreadyCustomer", "ClaimLimitReached", "ContractIsNotPaid", "DuplicateLead",
        "HoldingCapacityReached", "InvoiceIsPaid", "InvoicedBeyondContract", "LeadHasOwner",
        "LeadIsProtected", "MoneyHasMoved", "MoveIsNotAllowed", "PreviousOwnerCoolsDown",
        "QuoteHasExpired", "QuoteIsSettled", "ReopeningTimeIsOver", "SurveyIsAnswered",
        "TicketIsNotResolved",
    }  # fmt: skip


def test_offers_are_made_in_three_currencies(acts: list[Act]) -> None:
    offered = {act.request["currency"] for act in acts if act.rpc == "DraftQuote"}
    assert offered == {"CNY", "EUR", "USD"}


def test_staff_work_in_their_office_hours_and_not_on_holidays(acts: list[Act]) -> None:
    reps = {rep for region in REGIONS for rep in region.reps}
    for act in acts:
        if act.by in reps and act.rpc in {"ConvertLead", "MoveOpportunity"}:
            local = STAFF[act.by].place.local(act.at)
            assert 9 <= local.hour < 21, act
            assert STAFF[act.by].place.works_on(local.date()), act


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.key)
def test_prospects_have_numbers_of_their_country_and_addresses_of_their_own(region: Region) -> None:
    cast = Cast(Random(1))
    prospects = [cast.prospect(region) for _ in range(200)]
    assert len({prospect.phone for prospect in prospects}) == 200
    assert len({prospect.email for prospect in prospects}) == 200
    for prospect in prospects:
        number = phonenumbers.parse(prospect.phone)
        assert phonenumbers.is_valid_number(number), prospect
