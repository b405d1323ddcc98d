"""Nothing personal of any fact stands in the files of a log; with the key, all of it reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, ValidationError

from shared.chassis.catalogue import published
from shared.chassis.database import Database
from shared.chassis.eventstore import AnsweredCommand, Claim, EventLog, PersonIsErased
from shared.chassis.shapes import BrokenRule, fresh_id
from shared.events.base import Event, Recorded, read_event
from tests.events.samples import golden
from tests.eventstore.conftest import KEK
from tests.eventstore.toys import ToyMade, append

pytestmark = pytest.mark.capability("PLT-12")

WHEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Sample(NamedTuple):
    """A fact whose personal fields say what nothing else says."""

    event: Event
    secrets: Mapping[str, Sequence[str]]
    """What to look for, by personal field."""


def _secret(event: type[Event], numbers: Iterator[int]) -> Sample:
    stored = json.loads(json.dumps(golden(event)["samples"][0]["stored"]))
    secrets = {
        name: _made_secret(event, stored, stored, name, numbers)
        for name in sorted(event.personal_fields)
        if name in stored
    }
    return Sample(read_event(event.topic, stored), secrets)


def _made_secret(
    event: type[Event], whole: dict[str, Any], container: Any, place: Any, numbers: Iterator[int]
) -> list[str]:
    """Replace texts in a part of a payload by secrets where they fit; return the secrets."""
    value = container[place]
    if isinstance(value, dict | list):
        places = list(value) if isinstance(value, dict) else range(len(value))
        return [
            secret
            for inner in places
            for secret in _made_secret(event, whole, value, inner, numbers)
        ]
    if not isinstance(value, str):
        return []
    number = next(numbers)
    for secret in (
        f"geheim-{number:04} 密{number:04}",
        f"geheim-{number:04}",
        f"+861380{number:07}",
        f"s{number:04}@geheim.cn",
        str(date(1901, 1, 1) + timedelta(days=number)),
    ):
        container[place] = secret
        try:
            read_event(event.topic, dict(whole))
        except ValidationError:
            container[place] = value
        else:
            return [secret]
    return []


@pytest.fixture(scope="module")
def samples() -> Sequence[Sample]:
    numbers = count(1)
    return [_secret(event, numbers) for event in published()]


@pytest.fixture
def stored(tmp_path: Path, samples: Sequence[Sample]) -> EventLog:
    """A log on disk that holds every fact there is, and a claim on everything personal."""
    log = EventLog("all", Database.sqlite(tmp_path / "all.log.db"), KEK)
    for number, sample in enumerate(samples):
        stream_id, command_id = f"stream-{number}", fresh_id()
        log.append(
            [Recorded("all", 0, stream_id, 1, sample.event, WHEN, WHEN, "actor", command_id, "c")],
            claims=[
                Claim(f"{sample.event.topic} {name}", secret, stream_id)
                for name, secrets in sample.secrets.items()
                for secret in set(secrets)
            ],
            answers=[AnsweredCommand(command_id, stream_id, 1, 1)],
        )
    return log


def bytes_of(folder: Path) -> bytes:
    files = sorted(folder.iterdir())
    assert any(path.name.endswith("-wal") for path in files)
    return b"".join(path.read_bytes() for path in files)


def test_every_personal_field_of_every_fact_is_looked_for(samples: Sequence[Sample]) -> None:
    looked = [name for sample in samples for name, secrets in sample.secrets.items() if secrets]
    expected = [name for event in published() for name in event.personal_fields]
    assert sorted(looked) == sorted(expected)
    assert len(expected) > 50


def test_nothing_personal_is_in_the_files(
    tmp_path: Path, stored: EventLog, samples: Sequence[Sample]
) -> None:
    written = bytes_of(tmp_path)
    for sample in samples:
        assert sample.event.topic.encode() in written
        for name, secrets in sample.secrets.items():
            for secret in secrets:
                where = f"{sample.event.topic} {name}: {secret}"
                assert secret.encode() not in written, where
                assert json.dumps(secret)[1:-1].encode() not in written, where
    assert "some text, 一些文字".encode() in written


def test_every_fact_reads_as_it_was_said(
    tmp_path: Path, stored: EventLog, samples: Sequence[Sample]
) -> None:
    again = EventLog("all", Database.sqlite(tmp_path / "all.log.db"), KEK)
    for log in (stored, again):
        assert [fact.event for fact in log.read(0, 1000)] == [sample.event for sample in samples]
    assert not any(fact.erased for fact in again.read(0, 1000))


def test_every_fact_outlives_its_person(stored: EventLog, samples: Sequence[Sample]) -> None:
    for number, sample in enumerate(samples):
        named = sample.event.subject_field
        stored.erase((named and getattr(sample.event, named)) or f"stream-{number}")
    for fact, sample in zip(stored.read(0, 1000), samples, strict=True):
        personal = sample.event.personal_fields
        assert fact.erased == any(getattr(sample.event, name) is not None for name in personal)
        assert fact.event == sample.event.model_copy(update=dict.fromkeys(personal))


def test_a_destroyed_key_leaves_no_bytes_behind(tmp_path: Path) -> None:
    log = EventLog("toys", Database.sqlite(tmp_path / "toys.log.db"), KEK)
    people = [f"person-{number}" for number in range(60)]
    for person in people:
        append(log, person, ToyMade(maker="王芳"))
    keys = log.recorder.select_keys(people)  # type: ignore[attr-defined]
    assert all(key in bytes_of(tmp_path) for key in keys.values())
    for person in people[::3]:
        log.erase(person)
    written = bytes_of(tmp_path)
    assert [person for person in people if keys[person] not in written] == people[::3]


def test_values_within_facts_may_leave_empty_what_may_be_empty() -> None:
    """Empty values are not stored, so inside a fact whatever may be None must default to it."""
    wrong = [
        f"{model.__name__}.{name}"
        for model in _values_within(published())
        for name, field in model.model_fields.items()
        if field.is_required() and type(None) in getattr(field.annotation, "__args__", ())
    ]
    assert wrong == []


def _values_within(events: Iterator[type[Event]]) -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    pending: list[Any] = [field.annotation for e in events for field in e.model_fields.values()]
    while pending:
        annotation = pending.pop()
        pending += getattr(annotation, "__args__", ())
        if (
            isinstance(annotation, type)
            and issubclass(annotation, BaseModel)
            and annotation not in found
        ):
            found.add(annotation)
            pending += [field.annotation for field in annotation.model_fields.values()]
    return found


def test_another_process_learns_in_time_that_somebody_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (EventLog("toys", Database.sqlite(tmp_path / "toys.db"), KEK) for _ in range(2))
    append(here, "a", ToyMade(maker="王芳"))
    assert not there.read(0)[0].erased
    here.erase("a")
    monkeypatch.setattr("shared.chassis.eventstore.vault._KEPT_FOR", -1.0)
    assert there.read(0)[0].erased
    with pytest.raises(PersonIsErased) as refused:
        append(there, "a", ToyMade(maker="王芳"), after=1)
    assert isinstance(refused.value, BrokenRule)  # which callers are told as one
