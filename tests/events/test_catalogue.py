from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.chassis.catalogue import (
    CONTEXTS,
    asyncapi,
    listeners,
    main,
    markdown,
    published,
    services,
)
from shared.chassis.service import Service
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded, read_event
from shared.events.leads import LeadConverted
from tests.events.samples import golden

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(asyncapi())
    return loaded


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(item) for item in node))
    return set()


def found(document: dict[str, Any], reference: str) -> bool:
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        if step not in node:
            return False
        node = node[step]
    return True


def test_the_written_catalogue_is_that_of_the_source() -> None:
    stale = "run `make docs`"
    written = (DOCS / "events.md").read_text(encoding="utf-8")
    assert written == markdown(listeners(services())), stale
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == asyncapi(), stale


def test_the_page_shows_every_fact_with_every_field() -> None:
    page = markdown({})
    for event in published():
        section = page.partition(f"### {event.__name__}\n")[2].partition("\n### ")[0]
        assert f"`{event.topic}`" in section
        for name in event.model_fields:
            assert f"| {name} |" in section or f"| **{name}** |" in section, event.topic


def test_the_page_says_who_listens() -> None:
    @whenever(LeadConverted)
    def open_the_books(recorded: Recorded[LeadConverted]) -> list[Reaction]:
        return []

    waiting = listeners([Service(name="accounts", policies=(open_the_books,))])
    assert waiting[LeadConverted.topic] == ["accounts policy `open_the_books`"]
    assert "Heard by: accounts policy `open_the_books`." in markdown(waiting)


def test_every_reference_in_the_machine_catalogue_leads_somewhere(document: dict[str, Any]) -> None:
    lost = {name for name in references(document) if not found(document, name)}
    assert lost == set()


def test_each_context_publishes_its_facts_on_its_own_channel(document: dict[str, Any]) -> None:
    for context in CONTEXTS:
        message = document["components"]["messages"][context]
        shown = {item["$ref"] for item in message["payload"]["items"]["oneOf"]}
        assert shown == {f"#/components/schemas/{event.topic}" for event in published(context)}


def test_the_machine_catalogue_marks_personal_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for event in published():
        fields = schemas[event.__name__].get("properties", {})
        marked = {name for name, schema in fields.items() if "x-personal" in schema}
        assert marked == event.personal_fields, event.topic


def test_what_a_schema_requires_travels_with_every_fact(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for event in published():
        whole, least = (sample["stored"] for sample in golden(event)["samples"])
        for stored in (whole, least):
            said = read_event(event.topic, stored).model_dump(exclude_none=True)
            travels = said.keys() - event.personal_fields
            assert travels >= set(schemas[event.__name__].get("required", ())), event.topic


def test_the_command_writes_both_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.chassis.catalogue.DOCS", tmp_path)
    main()
    assert {path.name for path in tmp_path.iterdir()} == {"events.md", "asyncapi.yaml"}
