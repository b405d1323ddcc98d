from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from prometheus_client import REGISTRY

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.service import OpenService
from tests.api.conftest import SECRET
from tests.gateway.conftest import serving

Fold = Callable[[], None]
PROBLEM = "application/problem+json"


def add(client: httpx.Client, **fields: Any) -> str:
    answer = client.post("/v1/books", json={"title": "Atlas"} | fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def violations(response: Any) -> dict[str, str]:
    assert response.headers["content-type"] == PROBLEM
    return {v["field"]: v["description"] for v in response.json()["violations"]}


def test_a_command_answers_id_version_and_position(
    client: httpx.Client, opened: OpenService
) -> None:
    answer = client.post("/v1/books", json={"title": "红楼梦", "price": {"amount": "12.50"}})
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "id": body["id"],
        "version": 1,
        "position": opened.log.tip(),
        "outcome": {"title": "红楼梦"},
    }
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Annals-Position"] == f"toy:{opened.log.tip()}"
    assert "administrator" in answer.headers["Annals-Warning"]


def test_a_record_is_read_back_whole(client: httpx.Client, opened: OpenService, fold: Fold) -> None:
    book = add(client)
    fold()
    view = client.get(f"/v1/books/{book}", params={"min_position": f"toy:{opened.log.tip()}"})
    assert view.status_code == 200
    body = view.json()
    assert datetime.fromisoformat(body.pop("changed_at")).tzinfo is not None
    assert body == {
        "book_id": book,
        "title": "Atlas",
        "reader": None,
        "version": 1,
        "price": None,
    }
    assert view.headers["ETag"] == '"1"'
    assert client.head(f"/v1/books/{book}").status_code == 200


def test_a_list_takes_its_fields_from_the_query(client: httpx.Client, fold: Fold) -> None:
    book = add(client, title="Lent")
    add(client, title="At home")
    client.post(f"/v1/books/{book}:lend", json={"reader": "wang"})
    fold()
    page = client.get("/v1/books?only_lent=true&page_size=10&genres=novel&genres=atlas").json()
    titles = [item["title"] for item in page["items"]]
    assert "Lent" in titles
    assert "At home" not in titles
    assert page["next_page_token"] is None


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"title": "A", "colour": "red"}, "colour", "not a known field"),
        ({"title": 7}, "title", "must be text"),
        ({"title": "A", "copies": "3"}, "copies", "whole number"),
        ({"title": "A", "copies": 2**63}, "copies", "range"),
        ({"title": "A", "copies": True}, "copies", "whole number"),
        ({"title": "A", "weight": "heavy"}, "weight", "number"),
        ({"title": "A", "price": {"amount": 12.5}}, "price.amount", "must be text"),
        ({"title": "A", "price": {"amount": "NaN"}}, "price.amount", "finite"),
        ({"title": "A", "price": {"sum": "1"}}, "price.sum", "not a known field"),
        ({"title": "A", "bought_at": "2026-02-30T00:00:00Z"}, "bought_at", "no possible date"),
        ({"title": "A", "bought_at": "2026-02-03T00:00:00"}, "bought_at", "offset"),
        ({"title": "A", "printed_on": "2026-13-01"}, "printed_on", "date"),
        ({"title": "A", "chapters": [{"title": "I"}, {"name": "II"}]}, "chapters.1.name", "known"),
        ({"title": "A", "tags": ["x", None]}, "tags.1", "null"),
        ({"title": "A", "tags": "x"}, "tags", "list"),
        ({"title": "A", "translations": {"zh": 1}}, "translations.zh", "text"),
        ({"title": "A", "custom": {"a": [2**60]}}, "custom.a.0", "range"),
        ({}, "title", "required"),
        ({"title": None}, "title", "required"),
        ([1], "", "object"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    client: httpx.Client, body: Any, field: str, says: str
) -> None:
    answer = client.post("/v1/books", json=body)
    assert answer.status_code == 422
    assert says in violations(answer)[field].lower()


def test_all_fields_that_do_not_fit_are_named_at_once(client: httpx.Client) -> None:
    answer = client.post("/v1/books", json={"title": 1, "colour": 2, "tags": [3, 4]})
    assert violations(answer).keys() == {"title", "colour", "tags.0", "tags.1"}


def test_values_nested_without_end_are_refused(client: httpx.Client) -> None:
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"in": deep}
    assert client.post("/v1/books", json={"title": "A", "custom": deep}).status_code == 422
    chapters: dict[str, Any] = {"title": "end"}
    for _ in range(60):
        chapters = {"title": "c", "parts": [chapters]}
    assert client.post("/v1/books", json={"title": "A", "chapters": [chapters]}).status_code == 422


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"title": "\xff"}', 400),
        (b'{"title": "A"', 400),
        (b'{"title": NaN}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b"[" * 3000, 400),
        (b'{"title": "' + b"x" * 5000 + b'"}', 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(
    client: httpx.Client, content: bytes, status: int
) -> None:
    answer = client.post("/v1/books", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status


def test_a_long_body_without_declared_length_is_cut_off(client: httpx.Client) -> None:
    chunks = (b"x" * 1000 for _ in range(10))
    answer = client.post("/v1/books", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_body_of_another_kind_is_refused(client: httpx.Client) -> None:
    assert client.post("/v1/books", data={"title": "A"}).status_code == 415


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=many", "page_size"),
        ("page_size=0", "page_size"),
        ("page_size=1&page_size=2", "page_size"),
        ("only_lent=maybe", "only_lent"),
        ("colour=red", "colour"),
        ("genres=poem", "genres.0"),
        ("min_position=1", "min_position"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(client: httpx.Client, query: str, field: str) -> None:
    answer = client.get(f"/v1/books?{query}")
    assert answer.status_code == 422
    assert field in violations(answer)


def test_a_query_that_is_not_text_is_refused(client: httpx.Client) -> None:
    assert client.get("/v1/books?filter=%FF%FE").status_code == 400


def test_unknown_paths_ids_and_verbs_are_problems(client: httpx.Client) -> None:
    for method, path, status in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/books/", 404),
        ("GET", "/v1/books/nobody", 404),
        ("DELETE", "/v1/books", 405),
        ("DELETE", "/v1/books/x:lend", 405),
        ("POST", "/v1/books/nobody:lend", 422),
    ]:
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), path
        assert answer.json()["status"] == status
    assert client.delete("/v1/books").headers["Allow"] == "GET, HEAD, POST"
    assert client.delete("/v1/books/x:lend").headers["Allow"] == "POST"


def test_an_unknown_id_is_not_found(client: httpx.Client) -> None:
    answer = client.post("/v1/books/nobody:lend", json={"reader": "wang"})
    assert answer.status_code == 404
    assert answer.json()["rule"] == "NotFound"


def test_an_id_that_ends_like_an_act_is_looked_up_and_acted_on(client: httpx.Client) -> None:
    for path, book in [("x:lend", "x:lend"), ("x:lend:return", "x:lend:return")]:
        answer = client.get(f"/v1/books/{path}")
        assert (answer.status_code, answer.json()["details"]["id"]) == (404, book)
    answer = client.post("/v1/books/x:lend:return")
    assert (answer.status_code, answer.json()["details"]["id"]) == (404, "x:lend")


def test_a_broken_rule_is_named(client: httpx.Client) -> None:
    book = add(client)
    client.post(f"/v1/books/{book}:lend", json={"reader": "wang"})
    answer = client.post(f"/v1/books/{book}:lend", json={"reader": "li"})
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:annals:problem:BookIsLent",
        "title": "A rule forbids it",
        "status": 409,
        "detail": "a book that is lent cannot be lent again",
        "rule": "BookIsLent",
        "details": {"reader": "li", "since": "2026-01-02"},
    }


def test_a_limit_of_the_business_does_not_say_when_to_come_again(client: httpx.Client) -> None:
    limit = client.post(f"/v1/books/{add(client)}:lend", json={"reader": "greedy"})
    assert (limit.status_code, limit.json()["rule"]) == (429, "TooManyBooks")
    assert "Retry-After" not in limit.headers


def test_a_field_in_path_and_body_must_agree(client: httpx.Client) -> None:
    book = add(client)
    body = {"reader": "wang", "book_id": "another"}
    assert "book_id" in violations(client.post(f"/v1/books/{book}:lend", json=body))
    assert client.post(f"/v1/books/{book}:lend", json=body | {"book_id": book}).is_success


def test_an_idempotency_key_acts_once_per_method_and_person(
    client: httpx.Client, opened: OpenService
) -> None:
    before = opened.log.tip()
    once = {"Idempotency-Key": "k-1"}
    first = client.post("/v1/books", json={"title": "A"}, headers=once)
    again = client.post("/v1/books", json={"title": "A"}, headers=once)
    assert first.json() == again.json()
    assert opened.log.tip() == before + 1
    book = first.json()["id"]
    other_method = client.post(f"/v1/books/{book}:lend", json={"reader": "wang"}, headers=once)
    assert other_method.json()["version"] == 2
    token = issue_token(SECRET, "boss", roles=["administrator"])
    other_person = client.post(
        "/v1/books",
        json={"title": "A"},
        headers=once | {"Authorization": f"Bearer {token}"},
    )
    assert other_person.json()["id"] != book
    assert "Annals-Warning" not in other_person.headers


def test_an_idempotency_key_acts_once_on_each_thing(client: httpx.Client) -> None:
    books = [add(client), add(client)]
    once = {"Idempotency-Key": "k-2"}

    def lend(book: str) -> httpx.Response:
        return client.post(f"/v1/books/{book}:lend", json={"reader": "wang"}, headers=once)

    assert [lend(book).json()["id"] for book in books] == books
    assert [lend(book).json()["version"] for book in books] == [2, 2]


def test_a_repeat_is_told_by_its_key_and_not_by_its_body(
    client: httpx.Client, opened: OpenService
) -> None:
    once = {"Idempotency-Key": "k-3"}
    first = client.post("/v1/books", json={"title": "A"}, headers=once)
    tip = opened.log.tip()
    assert client.post("/v1/books", json={"title": "B"}, headers=once).json() == first.json()
    assert opened.log.tip() == tip


def test_if_match_refuses_a_stale_version(client: httpx.Client) -> None:
    book = add(client)
    assert client.post(
        f"/v1/books/{book}:lend", json={"reader": "wang"}, headers={"If-Match": '"1"'}
    ).is_success
    stale = client.post(f"/v1/books/{book}:return", headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["details"] == {"current_version": 2}
    assert client.post(f"/v1/books/{book}:return", headers={"If-Match": "*"}).is_success
    unclear = client.post(f"/v1/books/{book}:return", headers={"If-Match": '"1", "2"'})
    assert "If-Match" in violations(unclear)


def test_late_entry_and_correlation_reach_the_fact(
    client: httpx.Client, opened: OpenService
) -> None:
    headers = {"Annals-Occurred-At": "2020-01-01T00:00:00Z", "Annals-Correlation-Id": "c-1"}
    client.post("/v1/books", json={"title": "A"}, headers=headers)
    (fact,) = opened.log.read(opened.log.tip() - 1)
    assert (fact.occurred_at.year, fact.correlation_id) == (2020, "c-1")
    bad = client.post("/v1/books", json={"title": "A"}, headers={"Idempotency-Key": "a b"})
    assert "Idempotency-Key" in violations(bad)


def test_who_is_asking_is_the_services_to_judge(client: httpx.Client) -> None:
    unknown = client.get("/v1/books", headers={"Authorization": "Bearer nonsense"})
    assert (unknown.status_code, unknown.headers["WWW-Authenticate"]) == (401, "Bearer")
    token = issue_token(SECRET, "wang", roles=["visitor"])
    forbidden = client.get("/v1/books", headers={"Authorization": f"Bearer {token}"})
    assert forbidden.status_code == 403
    assert forbidden.json()["details"] == {"right": "toy.ListBooks"}


def test_an_unforeseen_error_tells_only_its_incident(client: httpx.Client) -> None:
    answer = client.post("/v1/books/b:burn")
    assert answer.status_code == 500
    assert answer.json()["rule"] == "ServerFailed"
    assert "secret" not in answer.text


def test_a_service_that_is_away_is_a_problem(opened: OpenService, proto: Path) -> None:
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    app = create_app({"toy": server.address}, proto=proto, timeout=0.5)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        server.stop(grace=0)
        answer = client.get("/v1/books")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "the toy service cannot be reached"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_what_a_service_answers_is_not_asked_again(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.service._PATIENCE", 0)

    def asked() -> float:
        labels = {"context": "toy", "rpc": "GetBook", "code": "UNAVAILABLE"}
        return REGISTRY.get_sample_value("annals_query_seconds_count", labels) or 0

    before = asked()
    answer = client.get("/v1/books/b?min_position=toy:99999999")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert asked() == before + 1


def test_what_only_a_newer_release_can_read_is_asked_for_again(client: httpx.Client) -> None:
    def asked() -> float:
        labels = {"context": "toy", "rpc": "BurnBook", "code": "UNAVAILABLE"}
        return REGISTRY.get_sample_value("annals_command_seconds_count", labels) or 0

    before = asked()
    answer = client.post("/v1/books/newer:burn")
    assert answer.status_code == 503
    assert "newer release" in answer.json()["detail"]
    assert asked() == before + 5  # together with others, then alone as often as gRPC tries


def test_the_document_describes_every_route(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    OpenAPI.model_validate(document)
    assert document["paths"].keys() == {
        "/v1/books",
        "/v1/books/{book_id}",
        "/v1/books/{book_id}:lend",
        "/v1/books/{book_id}:return",
        "/v1/books/{book_id}:burn",
    }
    schema = document["components"]["schemas"]["toy.AddBook"]
    assert schema["required"] == ["title"]
    assert schema["properties"]["title"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "examples": ["红楼梦"],
    }
    assert schema["properties"]["isbn"]["description"] == "Unique among the books on the shelf."
    assert schema["additionalProperties"] is False
    lend = document["components"]["schemas"]["toy.LendBook"]
    assert lend["properties"].keys() == {"reader"}


def test_every_reference_in_the_document_leads_somewhere(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                target = document
                for step in reference.removeprefix("#/").split("/"):
                    target = target[step]
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(document)


def test_the_reference_page_needs_no_network(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    assert client.get("/docs/static/swagger-ui-bundle.js").is_success


def test_metrics_count_by_route(client: httpx.Client) -> None:
    client.get("/v1/books/nobody-knows-this-one")
    text = client.get("/metrics").text
    assert 'route="/v1/books/{book_id}",status="404"' in text
    assert "nobody-knows-this-one" not in text


def test_routes_that_cannot_be_told_apart_are_refused(proto: Path) -> None:
    with pytest.raises(ValueError, match="two methods answer"):
        create_app({"toy": "x", "toy2": "y"}, proto=_twin(proto))


def _twin(proto: Path) -> Path:
    folder = proto / "annals" / "toy2" / "v1"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (proto / "annals" / "toy" / "v1").iterdir():
        (folder / file.name.replace("toy", "toy2")).write_bytes(file.read_bytes())
    return proto
