"""On PostgreSQL, too, whoever may not see everything is told what they may know."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from annals.installation import service_values
from shared.chassis.api.form import has_text
from shared.chassis.database import Database
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor, Refused
from shared.chassis.shapes.guard import EVERYTHING, Sight
from shared.events.workplace import FieldAccess
from tests.servers.found import Servers, fresh_database
from tests.trust.company import JUNIOR, MATE, ME, STRANGER, answer, opened, queries

pytestmark = [pytest.mark.servers, pytest.mark.capability("WRK-03")]

SERVICES = {service.name: service for service in service_values()}
SIGHTS = {
    "own": Sight(frozenset({ME})),
    "below": Sight(frozenset({ME, MATE, JUNIOR})),
    "masked": Sight(
        frozenset({ME, MATE}),
        frozenset(
            {
                ("lead", "phones", FieldAccess.MASKED),
                ("lead", "captured_at", FieldAccess.NONE),
                ("account", "name", FieldAccess.MASKED),
                ("opportunity", "amount", FieldAccess.NONE),
                ("contract", "total", FieldAccess.NONE),
                ("contract", "starts_on", FieldAccess.NONE),
                ("ticket", "rating", FieldAccess.NONE),
                ("activity", "contact_ids", FieldAccess.NONE),
            }
        ),
    ),
}


@pytest.fixture(scope="module", params=SERVICES)
def pair(
    request: pytest.FixtureRequest, servers: Servers
) -> Iterator[tuple[OpenService, OpenService]]:
    """The same rows on PostgreSQL and in memory."""
    service = SERVICES[request.param]
    with fresh_database(servers.postgres) as url:
        there = opened(service, database=Database.postgres(url, pool=2))
        here = opened(service)
        yield there, here
        there.close()
        here.close()


@pytest.mark.parametrize("sight", SIGHTS)
def test_both_databases_tell_the_same(pair: tuple[OpenService, OpenService], sight: str) -> None:
    there, here = pair
    for question in here.service.asked.values():
        for query in queries(question.query):
            told = answer(there, query, SIGHTS[sight])
            assert told == answer(here, query, SIGHTS[sight]), question.name


@pytest.mark.parametrize("sight", ["whole", *SIGHTS])
def test_an_answer_as_text_tells_no_more(pair: tuple[OpenService, OpenService], sight: str) -> None:
    there, here = pair
    sees = SIGHTS.get(sight, EVERYTHING)
    told = 0
    for question in here.service.asked.values():
        for query in queries(question.query) if has_text(question.view) else ():
            try:
                view = here.ask(question, query, Actor(id=STRANGER), sees)
            except Refused as refusal:
                with pytest.raises(type(refusal)):
                    there.ask(question, query, Actor(id=STRANGER), sees, as_text=True)
                continue
            text = there.ask(question, query, Actor(id=STRANGER), sees, as_text=True)
            if isinstance(text, bytes):
                told += 1
                assert without_token(text) == without_token(view.model_dump_json()), question.name
    assert (told > 0) is (not sees.hides and here.name != "analytics")


def without_token(text: str | bytes) -> Any:
    """Return what an answer says; where the next page begins is written differently."""
    said = orjson.loads(text)
    said.pop("next_page_token", None)
    return said


@pytest.mark.parametrize(
    "name", ["王芳", 'say "hi"', "back\\slash", "a,b", "{}", "two\nlines", "NULL"]
)
def test_people_with_any_name_see_their_own(servers: Servers, name: str) -> None:
    with fresh_database(servers.postgres) as url:
        for database in (Database.postgres(url, pool=2), None):
            service = opened(SERVICES["leads"], (ME,), database, leads__owner_id=name)
            question = service.service.asked["ListLeads"]
            for seen, count in ((name, 1), (f"{name}'", 0)):
                sight = Sight(frozenset({seen, "somebody else"}))
                page = service.ask(question, question.query(), Actor(id=STRANGER), sight)
                assert len(page.items) == count
            service.close()
