"""The key that wraps persons' keys can be exchanged: nothing is lost, and the old one forgotten."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.chassis.database import Database
from shared.chassis.eventstore import Claim, CorruptLog, EventLog, SealBroken, log
from tests.eventstore.conftest import KEK
from tests.eventstore.test_personal_data import bytes_of
from tests.eventstore.toys import ToyMade, append, facts

pytestmark = pytest.mark.capability("PLT-12")

NEW = b"n" * 32
Opening = Callable[..., EventLog]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Return what opens the same log, as another process would, with these keys."""
    if request.param == "sqlite":
        database = Database.sqlite(tmp_path / "toys.log.db")
    else:
        database = Database.postgres(request.getfixturevalue("postgres_database"))
    yield lambda *keys: EventLog("toys", database, keys[0], keys[1:])
    database.close()


def names(log: EventLog) -> Sequence[Any]:
    return [getattr(fact.event, "maker", None) for fact in log.read(0)]


def rotated(log: EventLog) -> tuple[int, int]:
    """Rotate; return how many keys there were and how many were wrapped anew."""
    told: list[tuple[int, int]] = []
    log.wrap_anew(lambda seen, changed: told.append((seen, changed)))
    return sum(seen for seen, _ in told), sum(changed for _, changed in told)


def test_facts_read_with_the_new_key_alone(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_KEYS", 2)
    old = opened(KEK)
    for person in ("wang", "li", "mei", "zhao"):
        append(old, person, ToyMade(maker=person))
    old.erase("li")
    both = opened(NEW, KEK)
    append(both, "chen", ToyMade(maker="chen"))
    everybody = ["wang", None, "mei", "zhao", "chen"]
    assert names(both) == names(opened(KEK, NEW)) == everybody
    assert rotated(both) == (4, 3)
    assert names(opened(NEW)) == everybody
    assert rotated(opened(NEW)) == (4, 0)
    with pytest.raises(CorruptLog, match="key-encryption key does not open"):
        names(opened(KEK))


def test_a_claim_is_known_whatever_key_there_is(opened: Opening) -> None:
    old = opened(KEK)
    old.append(facts("wang", ToyMade(maker="王芳")), claims=[Claim("phone", "138", "wang")])
    for keys in ((KEK, NEW), (NEW, KEK)):
        assert opened(*keys).holder("phone", "138") == "wang"
    rotated(opened(NEW, KEK))
    assert opened(NEW).holder("phone", "138") == "wang"
    with pytest.raises(SealBroken):
        opened(KEK).holder("phone", "138")


def test_an_interrupted_rotation_goes_on(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_KEYS", 2)
    for number in range(5):
        append(opened(KEK), f"person-{number}", ToyMade(maker=f"{number}"))

    def interrupted(_seen: int, _changed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(NEW, KEK).wrap_anew(interrupted)
    assert names(opened(KEK, NEW)) == names(opened(NEW, KEK)) == ["0", "1", "2", "3", "4"]
    assert rotated(opened(NEW, KEK)) == (5, 3)
    assert names(opened(NEW)) == ["0", "1", "2", "3", "4"]


def test_who_is_erased_meanwhile_stays_erased(opened: Opening) -> None:
    append(opened(KEK), "wang", ToyMade(maker="王芳"))
    append(opened(KEK), "li", ToyMade(maker="李"))
    rotating = opened(NEW, KEK)
    recorder: Any = rotating.recorder
    looked = recorder.keys_after

    def then_erased(after: str, limit: int) -> Any:
        found = looked(after, limit)
        opened(KEK).erase("wang")
        return found

    recorder.keys_after = then_erased
    rotated(rotating)
    assert names(opened(NEW)) == [None, "李"]


def test_a_key_that_nobody_opens_ends_the_rotation(opened: Opening) -> None:
    append(opened(KEK), "wang", ToyMade(maker="王芳"))
    with pytest.raises(SealBroken, match="key-encryption key does not open"):
        opened(NEW).wrap_anew()
    assert names(opened(KEK)) == ["王芳"]


def test_rotation_leaves_no_former_bytes_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "toys.log.db"
    people = [f"person-{number}" for number in range(60)]
    for person in people:
        append(EventLog("toys", Database.sqlite(path), KEK), person, ToyMade(maker="王芳"))
    rotating = EventLog("toys", Database.sqlite(path), NEW, [KEK])
    former = rotating.recorder.select_keys(people)  # type: ignore[attr-defined]
    assert all(key in bytes_of(tmp_path) for key in former.values())
    rotating.wrap_anew()
    assert not [person for person in people if former[person] in bytes_of(tmp_path)]
