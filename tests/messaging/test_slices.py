"""Slices carry facts unharmed, within bounds, and say so when they are broken."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.eventstore import RawFact
from shared.chassis.messaging.slices import (
    MAX_BYTES,
    MAX_EVENTS,
    CorruptSlice,
    cut,
    decode,
)
from shared.chassis.testing import NOON, recorded
from shared.events.base import Recorded, UnknownTopic
from tests.messaging.toys import OrderCancelled, OrderPlaced


def raw(fact: Recorded[Any]) -> RawFact:
    """The fact as its log would keep it."""
    return RawFact(
        fact.context,
        fact.position,
        fact.stream_id,
        fact.version,
        fact.topic,
        fact.event.model_dump(mode="json", exclude_none=True),
        fact.occurred_at.isoformat(),
        fact.recorded_at.isoformat(),
        *fact[7:],
    )


def encode(facts: list[Recorded[Any]]) -> bytes:
    (parcel,) = cut(map(raw, facts))
    return parcel.body


def placed(position: int, dish: str = "soup") -> Recorded[Any]:
    return recorded(
        OrderPlaced(table=1, dish=dish, guest="王小明"), f"order-{position}", position=position
    )


facts = st.builds(
    Recorded,
    context=st.just("dining"),
    position=st.just(7),
    stream_id=st.text(min_size=1),
    version=st.integers(1, 10**6),
    event=st.builds(OrderPlaced, table=st.integers(-(2**53), 2**53), dish=st.text()),
    occurred_at=st.just(NOON),
    recorded_at=st.timedeltas(timedelta(), timedelta(days=9)).map(lambda later: NOON + later),
    actor=st.text(),
    command_id=st.text(),
    correlation_id=st.text(),
    causation_id=st.none() | st.text(),
    import_id=st.none() | st.text(),
    rule=st.none() | st.text(),
    erased=st.booleans(),
)


@given(facts)
def test_a_fact_arrives_as_it_left(fact: Recorded[Any]) -> None:
    received = decode(encode([fact]))
    assert received.facts == [fact]
    assert (received.context, received.first, received.last) == ("dining", 7, 7)


def test_the_body_is_a_cloudevents_batch() -> None:
    (event,) = orjson.loads(encode([placed(3)]))
    assert event["specversion"] == "1.0"
    assert event["id"] == placed(3).event_id
    assert event["source"] == "/annals/dining"
    assert event["type"] == "dining.OrderPlaced.v1"
    assert event["subject"] == "order-3"
    assert event["time"] == "2026-03-02T12:00:00+00:00"
    assert event["datacontenttype"] == "application/json"
    assert event["data"] == {"table": 1, "dish": "soup", "guest": "王小明"}
    assert "causationid" not in event


def test_a_long_run_is_cut_by_number() -> None:
    parcels = list(cut(raw(placed(n)) for n in range(1, MAX_EVENTS + 3)))
    assert [(p.first, p.last) for p in parcels] == [(1, MAX_EVENTS), (MAX_EVENTS + 1, 258)]
    assert [fact.position for fact in decode(parcels[1].body).facts] == [257, 258]


def test_a_heavy_run_is_cut_by_size_and_a_huge_event_travels_alone() -> None:
    third, huge = "x" * (MAX_BYTES // 3), "x" * (2 * MAX_BYTES)
    dishes = [third, third, third, huge, "soup"]
    parcels = list(cut(raw(placed(n, dish)) for n, dish in enumerate(dishes, 1)))
    assert [(p.first, p.last) for p in parcels] == [(1, 2), (3, 3), (4, 4), (5, 5)]


def test_unwanted_facts_count_without_being_read() -> None:
    broken = recorded(OrderCancelled(table=1), position=2)
    batch = orjson.loads(encode([placed(1), broken, placed(3)]))
    batch[1]["data"] = {"table": "not a number"}
    received = decode(orjson.dumps(batch), {OrderPlaced.topic})
    assert [fact.position for fact in received.facts] == [1, 3]
    assert (received.first, received.last) == (1, 3)


def test_a_topic_nobody_knows_is_passed_over() -> None:
    batch = orjson.loads(encode([placed(1)]))
    batch[0]["type"] = "dining.TableLaid.v1"
    assert decode(orjson.dumps(batch), {OrderPlaced.topic}).facts == []


def test_a_newer_version_of_a_wanted_fact_waits_for_the_upgrade() -> None:
    batch = orjson.loads(encode([placed(1)]))
    batch[0]["type"] = "dining.OrderPlaced.v2"
    with pytest.raises(UnknownTopic):
        decode(orjson.dumps(batch), {OrderPlaced.topic})


def _without(name: str) -> bytes:
    batch = orjson.loads(encode([placed(1)]))
    del batch[0][name]
    return orjson.dumps(batch)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[1]",
        encode([placed(1)])[:-5],
        encode([placed(1), placed(3)]),
        encode([placed(1)]).replace(b'"table":1', b'"table":"one"'),
        encode([placed(1)]).replace(b"2026-03-02", b"2026-13-99"),
        encode([placed(1), placed(2)]).replace(b"/annals/dining", b"/annals/cellar", 1),
        *(_without(name) for name in ("source", "type", "subject", "position", "data", "time")),
    ],
)
def test_a_broken_body_is_told_from_a_slice(body: bytes) -> None:
    with pytest.raises(CorruptSlice):
        decode(body)
