"""Rows do not depend on which context's log was read first, and a rebuild gives the live rows."""

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analytics.service import SERVICE
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.testing import folded
from shared.events.base import Event, Recorded
from tests.analytics.life import Company, company, converted_lead

FIRM = company()
for number in range(3):
    converted_lead(FIRM, f"+86139000000{number:02}")


def logs(firm: Company) -> dict[str, list[Recorded[Event]]]:
    """Return every context's log."""
    return {name: opened.log.read(0, 10_000) for name, opened in firm.services.items()}


@pytest.mark.capability("PLT-03")
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_any_interleaving_of_contexts_folds_to_the_same_rows(seed: int) -> None:
    chance = random.Random(seed)
    waiting = {name: list(facts) for name, facts in logs(FIRM).items() if facts}
    mixed = []
    while waiting:
        name = chance.choice(sorted(waiting))
        run = chance.randint(1, 4)
        mixed += waiting[name][:run]
        waiting[name] = waiting[name][run:]
        if not waiting[name]:
            del waiting[name]
    straight = [fact for facts in logs(FIRM).values() for fact in facts]
    by_name: dict[str, object] = defaultdict(object)
    for projection in SERVICE.projections:
        by_name[projection.name] = folded(projection, straight)
        assert folded(projection, mixed) == by_name[projection.name], projection.name


@pytest.mark.capability("PLT-03")
@pytest.mark.parametrize("name", sorted(FIRM.services))
def test_rebuilt_read_models_equal_the_live_ones(name: str) -> None:
    opened = FIRM.services[name]
    sources = {n: s.log for n, s in FIRM.services.items()}
    for report in rebuild(opened.views_database, opened.service.projections, sources, check=True):
        assert report.equal, report
