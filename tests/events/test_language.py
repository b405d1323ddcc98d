import importlib
import inspect
import re

import pytest

from shared.chassis.catalogue import CONTEXTS, published
from shared.events.base import Event

every_fact = pytest.mark.parametrize("event", list(published()), ids=lambda event: event.topic)


@every_fact
def test_a_topic_names_context_fact_and_version(event: type[Event]) -> None:
    context = event.__module__.rpartition(".")[2]
    assert re.fullmatch(rf"{context}\.{event.__name__}\.v[1-9][0-9]*", event.topic)


@every_fact
def test_a_fact_says_in_a_sentence_what_happened(event: type[Event]) -> None:
    sentence = (inspect.getdoc(event) or "").partition("\n")[0]
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert sentence != inspect.getdoc(Event)


@every_fact
def test_a_fact_says_whose_stream_it_stands_in(event: type[Event]) -> None:
    assert getattr(event, "stream_kind", "")


@every_fact
def test_a_field_that_ends_in_id_says_what_it_refers_to(event: type[Event]) -> None:
    foreign = {"external_id", "about_id", "platform_ids"}
    ids = {name for name in event.model_fields if name.endswith(("_id", "_ids"))} - foreign
    assert ids == {name for name, _ in event.references}


@every_fact
def test_personal_data_belongs_to_somebody(event: type[Event]) -> None:
    if event.subject_field is not None:
        assert event.personal_fields
        assert event.subject_field not in event.personal_fields


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_module_exports_every_fact_it_defines(context: str) -> None:
    module = importlib.import_module(f"shared.events.{context}")
    assert {event.__name__ for event in published(context)} <= set(module.__all__)


@pytest.mark.parametrize("context", ["pipeline", "billing"])
def test_facts_about_deals_and_money_name_the_account(context: str) -> None:
    deals = {"opportunity", "quote", "contract", "payment_plan", "payment", "invoice"}
    for event in published(context):
        if getattr(event, "stream_kind", "") in deals:
            assert "account_id" in event.model_fields, event.topic
