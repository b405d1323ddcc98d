"""Ids are time-ordered UUIDs; derived ones are the same whenever they are derived."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from uuid import RFC_4122, UUID

from hypothesis import example, given
from hypothesis import strategies as st

from shared.chassis.shapes import derived_id, fresh_id

moments = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001
    datetime(9999, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
names = st.lists(st.text("ab:-红", min_size=1, max_size=8), max_size=3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@example(datetime(2039, 1, 18, 10, 48, 0, 95_000, tzinfo=UTC), [])
@given(moments, names)
def test_a_derived_id_has_the_shape_of_uuid_7_and_the_moments_milliseconds(
    at: datetime, words: list[str]
) -> None:
    made = UUID(derived_id(at, *words))
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


@given(moments, names, st.integers(-12, 12))
def test_the_same_moment_and_names_give_the_same_id(
    at: datetime, words: list[str], hours: int
) -> None:
    elsewhere = at.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours / 2)))
    assert derived_id(at, *words) == derived_id(elsewhere, *words)


@given(moments, moments, names, names)
def test_derived_ids_sort_by_time(
    one: datetime, other: datetime, words: list[str], others: list[str]
) -> None:
    millisecond = timedelta(milliseconds=1)
    earlier, later = sorted([(one - EPOCH) // millisecond, (other - EPOCH) // millisecond])
    if earlier == later:
        return
    first = derived_id(EPOCH + earlier * millisecond, *words)
    assert first < derived_id(EPOCH + later * millisecond, *others)


@given(moments, st.lists(names.map(tuple), unique=True, min_size=2, max_size=5))
def test_other_names_give_other_ids(at: datetime, several: list[tuple[str, ...]]) -> None:
    assert len({derived_id(at, *words) for words in several}) == len(several)


def test_derived_ids_stay_what_they_are_in_every_release() -> None:
    at = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    assert derived_id(at, "policy", "event") == "019cae6b-667b-7040-8484-bdb4c6c1d4c5"


def test_a_moment_before_1970_has_an_id_too() -> None:
    assert UUID(derived_id(datetime(1950, 1, 1, tzinfo=UTC), "x")).version == 7


def test_fresh_ids_are_new_and_sort_by_time() -> None:
    made = [fresh_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {UUID(one).version for one in made} == {7}
    prefixes = [UUID(one).int >> 80 for one in made]
    assert all(a <= b for a, b in pairwise(prefixes))
    now = datetime.now(UTC)
    assert abs(prefixes[-1] - (now - EPOCH) // timedelta(milliseconds=1)) < 60_000
