"""Pages of a list give every row once, in order, while rows come and go."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.shapes import Invalid
from tests.chassis.shelf import BOOKS, Shelf, books
from tests.servers.ground import Ground

TITLES = ["", "a", "A", "é", "红", '"', "null"]
VALUES: Mapping[str, Any] = {
    "title": st.sampled_from(TITLES),
    "pages": st.sampled_from([0, 1, -1, 2**62]),
    "price": st.sampled_from([Decimal("0.1"), Decimal("-0.0001"), Decimal("99999999999999.9999")]),
    "weight": st.sampled_from([0.1, 0.30000000000000004, -2.5, 1e300]),
    "lent": st.booleans(),
    "bought_on": st.sampled_from([date(1999, 12, 31), date(2024, 2, 29)]),
    "read_at": st.sampled_from(
        [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]
    ),
}
Order = Sequence[tuple[str, bool]]

rows = st.lists(
    st.fixed_dictionaries(
        {"id": st.text("abcdé红", min_size=1, max_size=3)},
        optional={name: st.none() | values for name, values in VALUES.items()},
    ),
    unique_by=lambda row: row["id"],
    max_size=12,
)
orders = st.lists(
    st.tuples(st.sampled_from([*VALUES, "id"]), st.booleans()),
    max_size=4,
    unique_by=lambda key: key[0],
)


@pytest.fixture(scope="module")
def shelf(ground: Ground) -> Iterator[Shelf]:
    with books(BOOKS, ground.database()) as opened:
        yield opened


def in_words(order: Order) -> str:
    return ", ".join(f"{name} {'desc' if falling else 'asc'}" for name, falling in order)


def in_order(some: Sequence[Mapping[str, Any]], order: Order) -> list[str]:
    """Return the ids as Python sorts the rows: empty values last, ties by id."""
    falling_last = order[-1][1] if order else False

    def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
        for name, falling in [*order, ("id", falling_last)]:
            a, b = one.get(name), other.get(name)
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return 1 if (a > b) != falling else -1
        return 0

    return [row["id"] for row in sorted(some, key=cmp_to_key(compare))]


def leafed_through(shelf: Shelf, order: Order, size: int, *, removing: bool) -> list[str]:
    """Return the ids on all pages; what was seen may be removed meanwhile."""
    seen: list[str] = []
    token = None
    while True:
        page = shelf.page(order_by=in_words(order), page_size=size, page_token=token)
        seen += [book.id for book in page.items]
        assert len(seen) == len(set(seen)), "a row came twice"
        if removing:
            shelf.remove([book.id for book in page.items])
        token = page.next_page_token
        if token is None:
            return seen
        assert len(page.items) == size


@given(rows, orders, st.integers(1, 4), st.booleans())
def test_any_order_gives_every_row_once_as_python_sorts_it(
    ground: Ground, some: Sequence[Mapping[str, Any]], order: Order, size: int, removing: bool
) -> None:
    with books(some, ground.database()) as shelf:
        seen = leafed_through(shelf, order, size, removing=removing)
        assert seen == in_order(some, order)


@pytest.mark.parametrize("falling", [True, False])
@pytest.mark.parametrize("name", [*VALUES, "id"])
def test_a_list_can_be_leafed_through_by_every_column(
    ground: Ground, name: str, *, falling: bool
) -> None:
    with books(BOOKS, ground.database()) as shelf:
        order = [(name, falling)]
        assert leafed_through(shelf, order, 1, removing=False) == in_order(BOOKS, order)


def test_a_row_that_appears_behind_the_cursor_moves_nothing(ground: Ground) -> None:
    with books([{"id": name} for name in "bdfh"], ground.database()) as shelf:
        first = shelf.page(page_size=2)
        shelf.add([{"id": "a"}, {"id": "e"}])
        rest = shelf.page(page_size=10, page_token=first.next_page_token)
        assert [book.id for book in rest.items] == ["e", "f", "h"]


def test_the_last_page_has_no_token(ground: Ground) -> None:
    with books([{"id": name} for name in "abcd"], ground.database()) as shelf:
        first = shelf.page(page_size=2)
        last = shelf.page(page_size=2, page_token=first.next_page_token)
        assert [book.id for book in last.items] == ["c", "d"]
        assert last.next_page_token is None


def test_a_lists_own_order_holds_when_none_is_asked_for(ground: Ground) -> None:
    with books(BOOKS, ground.database()) as shelf:
        page = shelf.page(own_order="pages", page_size=3)
        assert [book.id for book in page.items] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "other",
    [
        {"order_by": "pages"},
        {"order_by": "price desc"},
        {"filter": "pages > 0"},
        {"order_by": "pages, id"},
    ],
)
def test_a_token_belongs_to_its_filter_and_order(shelf: Shelf, other: Mapping[str, str]) -> None:
    token = shelf.page(order_by="pages desc", page_size=1).next_page_token
    with pytest.raises(Invalid) as refused:
        shelf.page(**other, page_size=1, page_token=token)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


values: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([])
)


@given(
    st.text(max_size=30).map(lambda text: text.replace("\0", ""))
    | (values | st.lists(values, max_size=4)).map(
        lambda made: base64.urlsafe_b64encode(json.dumps(made).encode()).decode()
    ),
    orders,
)
def test_a_token_nobody_gave_is_refused(shelf: Shelf, token: str, order: Order) -> None:
    if not token.strip():
        return
    with pytest.raises(Invalid) as refused:
        shelf.page(order_by=in_words(order), page_token=token)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


@given(orders.filter(bool), st.lists(values, min_size=5, max_size=5))
def test_a_token_that_somebody_changed_is_refused_or_is_another_place(
    shelf: Shelf, order: Order, forged: list[Any]
) -> None:
    query: dict[str, Any] = {"order_by": in_words(order), "page_size": 1}
    token = shelf.page(**query).next_page_token
    assert token is not None
    shape, *rest = json.loads(base64.urlsafe_b64decode(token))
    made = json.dumps([shape, *forged[: len(rest)]]).encode()
    try:
        page = shelf.page(**query, page_token=base64.urlsafe_b64encode(made).decode())
    except Invalid as refused:
        fields = [violation.field for violation in refused.violations]
    else:
        assert {book.id for book in page.items} <= set("abcd")
        return
    assert fields == ["page_token"]
