from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.api.codec import full_reader, reader, texts_writer, writer
from shared.chassis.api.contract import Contract
from shared.chassis.shapes import Invalid

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
whole = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
books = st.fixed_dictionaries(
    {"title": texts},
    optional={
        "copies": whole,
        "weight": st.floats(allow_nan=False, allow_infinity=False),
        "loanable": st.booleans(),
        "tags": st.lists(texts, min_size=1),
        "translations": st.dictionaries(texts, texts, min_size=1),
        "custom": st.dictionaries(texts, json_values, min_size=1),
        "chapters": st.lists(
            st.fixed_dictionaries({"title": texts, "pages": whole}), min_size=1, max_size=3
        ),
        "price": st.fixed_dictionaries({"amount": texts}),
    },
)


@pytest.fixture(scope="module")
def add_book(contract: Contract) -> Any:
    return contract.rpcs["AddBook"].request


@given(values=books)
def test_what_is_written_is_read_back(add_book: Any, values: dict[str, Any]) -> None:
    message = add_book.FromString(writer(add_book)(values).SerializeToString())
    assert reader(add_book)(message) == values


@given(
    moment=st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis asks for it
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.timezones(),
    )
)
def test_moments_keep_their_microseconds(add_book: Any, moment: datetime) -> None:
    moment = moment.astimezone(UTC)
    message = writer(add_book)({"title": "A", "bought_at": moment.isoformat()})
    assert reader(add_book)(message)["bought_at"] == moment


def test_absent_and_empty_are_told_apart(add_book: Any) -> None:
    write, read = writer(add_book), reader(add_book)
    assert read(write({"title": "", "copies": 0, "loanable": False, "isbn": None})) == {
        "title": "",
        "copies": 0,
        "loanable": False,
    }


def test_a_full_reading_has_every_field(add_book: Any) -> None:
    assert full_reader(add_book)(writer(add_book)({"title": "A"})) == {
        "title": "A",
        "isbn": None,
        "genre": None,
        "price": None,
        "printed_on": None,
        "bought_at": None,
        "copies": None,
        "weight": None,
        "loanable": None,
        "chapters": [],
        "tags": [],
        "translations": {},
        "custom": None,
    }


@given(values=st.dictionaries(texts, json_values, max_size=4))
def test_nothing_from_outside_does_more_than_be_refused(
    add_book: Any, values: dict[str, Any]
) -> None:
    with suppress(Invalid):
        writer(add_book)(values)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30T00:00:00Z",
        "2026-02-03",
        "2026-02-03T24:30:00Z",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "２026-02-03T00:00:00Z",
        "now",
        "",
        7,
    ],
)
def test_an_impossible_moment_is_refused(add_book: Any, moment: Any) -> None:
    with pytest.raises(Invalid) as caught:
        writer(add_book)({"bought_at": moment})
    assert caught.value.violations[0].field == "bought_at"


def test_a_timestamp_out_of_range_is_refused_on_reading(add_book: Any) -> None:
    message = add_book(title="A", bought_at={"seconds": 2**62})
    with pytest.raises(Invalid):
        reader(add_book)(message)


def test_pairs_of_a_query_string_take_the_types_of_their_fields(contract: Contract) -> None:
    request = contract.rpcs["ListBooks"].request
    message = texts_writer(request)(
        [("page_size", "20"), ("only_lent", "true"), ("genres", "novel"), ("genres", "atlas")]
    )
    assert reader(request)(message) == {
        "page_size": 20,
        "only_lent": True,
        "genres": ["novel", "atlas"],
    }
    for name, text in [("page_size", "1e3"), ("page_size", "٣"), ("only_lent", "yes")]:
        with pytest.raises(Invalid):
            texts_writer(request)([(name, text)])
