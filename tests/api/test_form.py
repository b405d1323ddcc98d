from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import orjson
import pytest
from grpc_status import rpc_status

from services.leads.projections.lead_list import LeadView
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.contract import Contract
from shared.chassis.api.form import AS_JSON, has_text, is_text
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Page, View
from shared.chassis.shapes.guard import Guard
from shared.chassis.testing import issue
from shared.events.base import Recorded
from shared.events.workplace import FieldAccess, FieldRight, RoleDefined
from tests.api.conftest import SECRET, catch_up
from tests.api.toy import SERVICE, AddBook, books

GUARDED = replace(SERVICE, guards=(Guard(table=books, record="book", everyone=True),))


class Vague(View):
    names: list[str] | None = None


class Around(View):
    inner: Vague


class VagueMap(View):
    names: dict[str, str] | None = None


def test_a_view_that_may_lack_a_list_has_no_text() -> None:
    assert has_text(Page[LeadView])
    assert not has_text(Vague)
    assert not has_text(VagueMap)
    assert not has_text(Page[Around])


@pytest.fixture
def opened() -> Iterator[OpenService]:
    opened = open_service(GUARDED)
    yield opened
    opened.close()


def asked(
    opened: OpenService, proto: Path, *metadata: tuple[str, str], fields: str | None = None
) -> bytes:
    """List the books; return the bytes of the answer."""
    rpc = Contract.load("toy", proto).rpcs["ListBooks"]
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    try:
        with grpc.insecure_channel(server.address) as channel:
            method = channel.unary_unary(rpc.path, rpc.request.SerializeToString)
            answer: bytes = method(rpc.request(fields=fields), metadata=metadata, timeout=10)
            return answer
    finally:
        server.stop(grace=0)


def put_a_book_on_the_shelf(opened: OpenService) -> None:
    assert opened.application is not None
    opened.application.handle(issue(AddBook(title="红楼梦", translations={}, custom={})))
    catch_up(opened)


def test_an_answer_is_a_message_unless_its_text_is_asked_for(
    opened: OpenService, proto: Path
) -> None:
    put_a_book_on_the_shelf(opened)
    assert not is_text(asked(opened, proto))
    text = asked(opened, proto, AS_JSON)
    assert is_text(text)
    assert [book["title"] for book in orjson.loads(text)["items"]] == ["红楼梦"]


def as_a_guest(opened: OpenService) -> tuple[str, str]:
    """Return what shows somebody who may not know who reads a book."""
    right = FieldRight(record="book", field="reader", access=FieldAccess.NONE)
    role = RoleDefined(
        role="guest", role_version=1, title="guest", rights=("toy.*",), fields=(right,)
    )
    now = datetime.now(UTC)
    fact = Recorded("workplace", 1, "guest", 1, role, now, now, "administrator", "c", "c")
    (rows,) = [p for p in GUARDED.projections if p.name == "role_rights"]
    with opened.views_database.transaction() as connection:
        opened.projector.apply(connection, rows, [fact])
    token = issue_token(SECRET, "wang", roles=["guest"])
    return ("authorization", f"Bearer {token}")


def test_who_may_not_know_all_fields_gets_a_message(opened: OpenService, proto: Path) -> None:
    put_a_book_on_the_shelf(opened)
    assert not is_text(asked(opened, proto, AS_JSON, as_a_guest(opened)))


def test_a_list_answers_the_fields_it_is_asked_for(opened: OpenService, proto: Path) -> None:
    put_a_book_on_the_shelf(opened)
    text = orjson.loads(asked(opened, proto, AS_JSON, fields="title, reader"))
    assert text == {"items": [{"title": "红楼梦", "reader": None}], "next_page_token": None}
    message = Contract.load("toy", proto).rpcs["ListBooks"].response
    (book,) = message.FromString(asked(opened, proto, fields="title,title")).items
    assert [field.name for field, _ in book.ListFields()] == ["title"]
    (whole,) = message.FromString(asked(opened, proto, fields=" ,")).items
    assert {"book_id", "title", "version"} <= {field.name for field, _ in whole.ListFields()}


def test_who_may_not_know_all_fields_gets_some_as_text(opened: OpenService, proto: Path) -> None:
    put_a_book_on_the_shelf(opened)
    told = asked(opened, proto, AS_JSON, as_a_guest(opened), fields="title,reader")
    assert orjson.loads(told)["items"] == [{"title": "红楼梦", "reader": None}]


def test_a_field_that_rows_do_not_have_cannot_be_asked_for(
    opened: OpenService, proto: Path
) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        asked(opened, proto, fields="title,colour")
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "colour" in str(rpc_status.from_call(refusal.value))
