import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.chassis.catalogue import published
from shared.events.base import Event, Personal, UnknownTopic, event_class, read_event, upcaster
from tests.events.samples import GOLDEN, golden, missing, reading

FILES = sorted(GOLDEN.glob("*.json"))


def changes(released: dict[str, Any]) -> list[str]:
    """Return what a released fact means differently today."""
    topic, event = released["topic"], event_class(released["topic"])
    found = []
    if event.topic == topic and event.subject_field != released["subject"]:
        found.append("data subject")
    if event.topic == topic and not event.personal_fields.issuperset(released["personal"]):
        found.append("personal fields")
    for sample in released["samples"]:
        now = reading(topic, sample["stored"])
        found += [name for name, value in sample["reads"].items() if now.get(name) != value]
    return found


def released_qualification() -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((GOLDEN / "leads.LeadQualified.v1.json").read_text("utf-8"))
    return sample


def test_every_fact_has_a_golden_sample() -> None:
    assert [path.name for path, _ in missing()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_released_fact_reads_as_it_always_did(path: Path) -> None:
    assert changes(json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("event", list(published()), ids=lambda event: event.topic)
def test_a_fact_still_reads_when_the_person_is_erased(event: type[Event]) -> None:
    whole = golden(event)["samples"][0]["stored"]
    redacted = {name: value for name, value in whole.items() if name not in event.personal_fields}
    read = read_event(event.topic, redacted)
    assert all(getattr(read, name) is None for name in event.personal_fields)


def test_a_changed_reading_is_noticed() -> None:
    released = released_qualification()
    released["samples"][0]["reads"]["score"] = 99
    assert changes(released) == ["score"]


def test_a_dropped_personal_mark_is_noticed() -> None:
    released = released_qualification()
    released["personal"] = ["note", "owner_id"]
    assert changes(released) == ["personal fields"]


def test_a_changed_data_subject_is_noticed() -> None:
    released = released_qualification()
    released["subject"] = "owner_id"
    assert changes(released) == ["data subject"]


def test_a_field_that_no_longer_fits_is_noticed() -> None:
    released = deepcopy(released_qualification())
    released["samples"][0]["stored"]["score"] = "high"
    with pytest.raises(ValidationError):
        changes(released)


class CupFilled(Event, topic="tearoom.CupFilled.v3"):
    millilitres: int
    guest: Personal[str] = None


@upcaster("tearoom.CupFilled.v1", CupFilled)
def _from_a_single_measure(stored: dict[str, Any]) -> dict[str, Any]:
    return {"millilitres": stored["ounces"] * 30, "guest": stored["who"]}


@upcaster("tearoom.CupPoured.v1", CupFilled)
def _from_its_earlier_name(stored: dict[str, Any]) -> dict[str, Any]:
    return {"millilitres": stored["ml"]}


def test_an_old_version_reads_as_todays_fact() -> None:
    read = read_event("tearoom.CupFilled.v1", {"ounces": 5, "who": "王小明"})
    assert read == CupFilled(millilitres=150, guest="王小明")
    assert read.topic == "tearoom.CupFilled.v3"


def test_a_renamed_fact_reads_under_its_new_name() -> None:
    assert event_class("tearoom.CupPoured.v1") is CupFilled
    assert read_event("tearoom.CupPoured.v1", {"ml": 200}) == CupFilled(millilitres=200)


def test_upcasting_leaves_the_stored_payload_alone() -> None:
    stored = {"ounces": 5, "who": "王小明"}
    read_event("tearoom.CupFilled.v1", stored)
    assert stored == {"ounces": 5, "who": "王小明"}


def test_an_unknown_topic_is_refused_by_name() -> None:
    with pytest.raises(UnknownTopic, match=r"tearoom\.CupDropped\.v1"):
        read_event("tearoom.CupDropped.v1", {})
