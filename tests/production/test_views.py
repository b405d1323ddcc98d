"""Read models on PostgreSQL: every screen says what it says on SQLite, and can be proved."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from annals.demo.conductor import Conductor
from annals.demo.journal import Journal, Plan
from annals.demo.story import tell
from annals.installation import service_names
from services.leads.commands import AssignLead, CaptureLead, PlanFollowUp
from shared.chassis.messaging.deadlines import due
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import OpenService
from shared.chassis.shapes import ListQuery, PastQuery, Projection, Query, Question, Refused
from shared.chassis.testing import NOON, TESTER
from tests.analytics.life import DAY, Company, company
from tests.analytics.test_random_lives import PATH, Life
from tests.demo.house import House
from tests.servers.found import Servers, fresh_database
from tests.servers.ground import Ground

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.capability("PLT-03")]

PLAN = Plan(seed=7, leads=60, days=365, until=date(2026, 7, 1))
FAR = NOON + 900 * DAY
STEPS = [
    *PATH,
    *((name, n) for n in (2, 3) for name in (
        "capture", "assign", "follow up", "qualify", "disqualify", "reopen", "convert", "settle",
        "tag", "owner", "move", "quote", "lose", "again", "ticket", "settle", "resolve", "rate",
    )),
    ("wait", 0), ("bounce", 0), ("void", 0), ("revert", 1), ("wait", 0),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(servers: Servers) -> Iterator[Ground]:
    with fresh_database(servers.postgres) as url:
        yield Ground(url)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A company on SQLite in which a year has passed."""
    house = House()
    acts = tell(seed=PLAN.seed, leads=PLAN.leads, days=PLAN.days, until=PLAN.until)
    with closing(Journal.begin(tmp_path_factory.mktemp("year") / "journal", PLAN)) as journal:
        Conductor(house, journal).play(acts, PLAN.ends)
    return house


@pytest.fixture(scope="module")
def told(embedded: House, server: Ground) -> Iterator[Company]:
    """A company on PostgreSQL to which the same happened."""
    firm = company(server.database)
    firm.clock.moment = embedded.clock.moment
    for name, opened in embedded.services.items():
        facts = opened.log.read(0, 100_000)
        if facts:
            firm.services[name].log.append(facts)
    for delivery in firm.deliveries:
        if delivery.views is not None:
            delivery.views.catch_up()
    yield firm
    firm.close()


@pytest.fixture(scope="module")
def lived(server: Ground) -> Iterator[Company]:
    """A company that lives on PostgreSQL: its commands, policies and deadlines too."""
    firm = company(server.database)
    Life(firm).live(STEPS)
    yield firm
    firm.close()


def rows(opened: OpenService, projection: type[Projection]) -> list[dict[str, Any]]:
    keys = list(projection.table.primary_key.columns)
    with opened.views_database.read() as connection:
        found = connection.execute(select(projection.table).order_by(*keys)).mappings()
        return [dict(row) for row in found]


def questions(firm: House, opened: OpenService) -> Iterator[Query]:
    """Ask everything, of one in so many, by every dimension, now and as of an earlier day."""
    logs = [service.log.read(0, 100_000) for service in firm.services.values()]
    ids = sorted({fact.stream_id for facts in logs for fact in facts})[::23]
    for question in opened.service.asked.values():
        query = question.query
        wanted = [name for name, field in query.model_fields.items() if field.is_required()]
        if len(wanted) > 1:
            continue
        for one in ids if wanted else [""]:
            given: dict[str, Any] = {wanted[0]: one} if wanted else {}
            asked = [given]
            if issubclass(query, PastQuery):
                then = {"as_of": firm.clock.moment - 90 * DAY}
                asked += [{**given, **then, "time": time} for time in ("occurred", "recorded")]
            for one_way in asked:
                with suppress(ValueError):  # not everybody's id has the form of a role's
                    yield query.model_validate(one_way)
            if "by" in query.model_fields and not wanted:
                for by in ("month", "won_month", "product", "owner", "channel", "campaign"):
                    with suppress(ValueError):
                        yield query.model_validate({"by": by})


def lists(opened: OpenService) -> Iterator[tuple[Question, type[ListQuery]]]:
    """Give the questions for lists that can be asked without knowing an id."""
    for question in opened.service.asked.values():
        query = question.query
        needs = any(field.is_required() for field in query.model_fields.values())
        if issubclass(query, ListQuery) and not needs:
            yield question, query


def leafed(opened: OpenService, query: Query) -> list[Any]:
    """Return every page of an answer, or the refusal."""
    question = opened.service.asked[type(query).__name__]
    pages: list[Any] = []
    while True:
        try:
            answer = opened.ask(question, query, TESTER)
        except Refused as refused:
            return [*pages, type(refused).__name__, refused.message]
        pages.append(answer.model_dump())
        token = getattr(answer, "next_page_token", None)
        if token is None:
            return pages
        query = query.model_copy(update={"page_token": token})


@pytest.mark.parametrize("name", service_names())
def test_the_same_facts_make_the_same_rows(embedded: House, told: Company, name: str) -> None:
    here, there = embedded.services[name], told.services[name]
    for projection in here.service.projections:
        assert rows(there, projection) == rows(here, projection), projection.name


@pytest.mark.parametrize("name", service_names())
def test_every_screen_gives_the_same_answer(embedded: House, told: Company, name: str) -> None:
    here, there = embedded.services[name], told.services[name]
    asked = 0
    for query in questions(embedded, here):
        answer = leafed(here, query)
        assert leafed(there, query) == answer, query
        asked += not isinstance(answer[-1], str)
    assert asked > len(here.service.asked) / 2


@pytest.mark.parametrize("name", service_names())
def test_every_list_is_ordered_and_cut_into_the_same_pages(
    embedded: House, told: Company, name: str
) -> None:
    here, there = embedded.services[name], told.services[name]
    for _, query in lists(here):
        tables = {p.table for p in here.service.projections}
        for column in sorted({column.name for table in tables for column in table.columns}):
            for asked in (
                query(order_by=column, page_size=25),
                query(order_by=f"{column} desc", page_size=25, filter=f"{column} != null"),
                query(filter=f'{column} : "e" OR {column} : "王"'),
            ):
                assert leafed(there, asked) == leafed(here, asked), asked


@pytest.mark.parametrize("name", service_names())
def test_every_list_is_told_whole_and_in_part(told: Company, name: str) -> None:
    opened = told.services[name]
    in_text = []
    for question, query in lists(opened):
        page = opened.ask(question, query(), TESTER).model_dump(mode="json")
        for wanted in ([], [*page["items"][0]][::3] if page["items"] else []):
            answer = opened.ask(question, query(fields=",".join(wanted)), TESTER, as_text=True)
            cut = [{n: item[n] for n in wanted or item} for item in page["items"]]
            if isinstance(answer, bytes):  # others are cut when they are told
                assert orjson.loads(answer) == {**page, "items": cut}, (query, wanted)
                in_text.append(query)
    assert len(in_text) >= len(list(lists(opened)))  # most, whole and in part


@pytest.mark.parametrize("name", service_names())
def test_a_rebuild_on_the_server_proves_the_rows_that_grew(lived: Company, name: str) -> None:
    logs = {other: opened.log for other, opened in lived.services.items()}
    opened = lived.services[name]
    for report in rebuild(
        opened.views_database,
        opened.service.projections,
        logs,
        subscription=f"{name}.views",
        check=True,
    ):
        assert report.equal, report
    before = [rows(opened, projection) for projection in opened.service.projections]
    rebuild(opened.views_database, opened.service.projections, logs, subscription=f"{name}.views")
    assert [rows(opened, projection) for projection in opened.service.projections] == before


def test_nothing_is_parked_in_a_life_on_the_server(lived: Company) -> None:
    assert [letter for delivery in lived.deliveries for letter in delivery.parked()] == []


def test_deadlines_that_several_pollers_see_are_kept_once(server: Ground) -> None:
    firm = company(server.database)
    for number in range(30):
        lead_id = f"lead-{number}"
        phone = f"+86139000001{number:02}"
        firm.do("leads", CaptureLead(lead_id=lead_id, phones=(phone,), channel="phone"))
        firm.do("leads", AssignLead(lead_id=lead_id, owner_id="mei"))
        firm.do("leads", PlanFollowUp(lead_id=lead_id, next_step="报价", due_at=NOON + 9 * DAY))
    firm.settle()
    waiting = {d.opened.name: due(d.opened.log_database, FAR) for d in firm.deliveries}
    (busiest,) = [d for d in firm.deliveries if waiting[d.opened.name] == max(waiting.values())]
    keeper, log = busiest.deadlines, busiest.opened.log
    assert keeper is not None
    assert waiting[busiest.opened.name] >= 30
    after = log.tip()
    with ThreadPoolExecutor(4) as pollers:
        kept = sum(pollers.map(lambda _: sum(iter(lambda: keeper.keep(FAR), 0)), range(4)))
    assert kept == waiting[busiest.opened.name]
    told = [(fact.stream_id, fact.topic) for fact in log.read(after, 10_000)]
    assert len(told) == len(set(told)) == kept
    firm.close()
