"""What a list's filter, order and hidden columns mean, and what they refuse."""

from collections.abc import Iterator

import pytest

from shared.chassis.shapes import Invalid
from tests.chassis.shelf import BOOKS, Shelf, books
from tests.servers.ground import Ground


@pytest.fixture(scope="module")
def shelf(ground: Ground) -> Iterator[Shelf]:
    with books(BOOKS, ground.database()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("", "abcd"),
        ("pages = 80", "b"),
        ("pages != 80", "acd"),
        ("pages < 80", "c"),
        ("pages <= 80", "bc"),
        ("pages > 80", "a"),
        ("pages >= 80", "ab"),
        ("pages=80", "b"),
        ("pages = -1", ""),
        ("price = 19.9", "a"),
        ('price = "19.9000"', "a"),
        ("price > 5", "ab"),
        ("price < 5.0002", "b"),
        ("weight >= 1.5", "b"),
        ("weight < 1e0", "a"),
        ("lent = true", "a"),
        ("lent = False", "b"),
        ("lent != true", "bcd"),
        ("lent < true", "b"),
        ("bought_on = 2024-03-15", "a"),
        ("bought_on < 2024-01-01", "b"),
        ('read_at = "2024-05-01T12:00:00Z"', "a"),
        ('read_at = "2024-05-01T20:00:00+08:00"', "a"),
        ('read_at < "2024-05-01T19:59:59+08:00"', "b"),
        ("title = 红楼梦", "a"),
        ('title = "红楼梦"', "a"),
        ('title > "红"', "a"),
        ('title : "楼"', "a"),
        ("title : ODD", "b"),
        ('title = ""', ""),
        ("title = null", "d"),
        ("title != null", "abc"),
        ('title = "null"', ""),
        ("pages = null", "d"),
        ("pages = 0", "c"),
        ("tags = null", "d"),
        ("tags != null", "abc"),
        ("tags : 经典", "a"),
        ("tags : nov", ""),
        ("tags : NOVEL", "a"),
        ('tags : "say \\"hi\\""', "b"),
        ("pages > 50 AND lent = true", "a"),
        ("pages = 120 OR pages = 80", "ab"),
        ("pages = 120 OR pages = 80 AND lent = true", "a"),
        ("(pages = 120 OR pages = 80) AND lent = false", "b"),
        ("NOT pages = 80", "acd"),
        ("NOT pages > 80", "bcd"),
        ("NOT NOT pages > 80", "a"),
        ("NOT (pages = 80 OR title = null)", "ac"),
        ("NOT title : Odd AND NOT pages = 0", "ad"),
        ("NOT title = null", "abc"),
        ("((((pages = 80))))", "b"),
    ],
)
def test_a_filter_finds_what_it_says(shelf: Shelf, wanted: str, ids: str) -> None:
    assert "".join(shelf.ids(filter=wanted)) == ids


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ('title : "%"', "b"),
        ('title : "_"', "b"),
        ('title : "/"', "b"),
        ('title : "\\\\"', "b"),
        ('title : "\\"odd\\""', "b"),
        ('title : "0%b"', ""),
        ('title : "\');"', "c"),
        ('title = "robert\'); DROP TABLE shelf;--"', "c"),
        ("title = \"' OR '1'='1\"", ""),
        ('title = "\\" OR 1=1 --"', ""),
        ('tags : "%"', ""),
        ('tags : "100%"', "b"),
        ('tags : "\\", \\"100%"', ""),
        ('id = ":a"', ""),
    ],
)
def test_whatever_is_asked_for_is_data(shelf: Shelf, wanted: str, ids: str) -> None:
    assert "".join(shelf.ids(filter=wanted)) == ids
    assert len(shelf.ids()) == 4


@pytest.mark.parametrize(
    "wanted",
    [
        "pages",
        "pages =",
        "pages = 80 AND",
        "pages = 80 pages = 120",
        "pages = 80 and lent = true",
        "AND pages = 80",
        "(pages = 80",
        "pages = 80)",
        "()",
        "NOT",
        "= 80",
        "pages 80",
        "pages == 80",
        "pages = (80)",
        'title = "open',
        '"title" = x',
        "nothing = 1",
        "shelf.id = a",
        "cost = 3",
        "cost > 0 OR pages = 80",
        "NOT cost = null",
        "pages = many",
        "pages = 1.5",
        "pages = 99999999999999999999",
        "pages > null",
        "title : null",
        "pages : 8",
        "price : 19",
        "lent : true",
        "read_at : 2024",
        "tags = 经典",
        "tags > 1",
        "price = much",
        "price = 1.00001",
        "price = NaN",
        "price = Infinity",
        "price = 1e40",
        "price = 1e999999999",
        "lent = maybe",
        "bought_on = 2024-02-30",
        'bought_on = "yesterday"',
        'read_at = "2024-05-01T12:00:00"',
        'read_at > "0001-01-01T00:00:00+14:00"',
        "read_at = never",
        "(" * 100 + "pages = 80" + ")" * 100,
        "NOT " * 100 + "pages = 80",
    ],
)
def test_a_filter_that_does_not_fit_is_refused_by_name(shelf: Shelf, wanted: str) -> None:
    with pytest.raises(Invalid) as refused:
        shelf.ids(filter=wanted)
    assert [violation.field for violation in refused.value.violations] == ["filter"]


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("", "abcd"),
        ("pages", "cbad"),
        ("pages desc", "abcd"),
        ("pages DESC", "abcd"),
        ("lent, pages", "bacd"),
        ("price desc,id desc", "abdc"),
        ("title", "bcad"),
        ("bought_on", "bacd"),
        ("read_at desc, pages asc, title, id", "abcd"),
    ],
)
def test_an_order_sorts_with_empty_values_last(shelf: Shelf, order: str, ids: str) -> None:
    assert "".join(shelf.ids(order_by=order)) == ids


@pytest.mark.parametrize(
    "order",
    [
        "nothing",
        "cost",
        "pages, cost desc",
        "tags",
        "pages upwards",
        "pages desc desc",
        "pages, pages desc",
        "id, title, pages, price, weight",
        "pages; DROP TABLE shelf",
        "(SELECT 1)",
    ],
)
def test_an_order_that_does_not_fit_is_refused_by_name(shelf: Shelf, order: str) -> None:
    with pytest.raises(Invalid) as refused:
        shelf.ids(order_by=order)
    assert [violation.field for violation in refused.value.violations] == ["order_by"]


def test_refusals_name_no_hidden_column(shelf: Shelf) -> None:
    for query in ({"filter": "nothing = 1"}, {"order_by": "nothing"}):
        with pytest.raises(Invalid) as refused:
            shelf.ids(**query)
        assert "cost" not in refused.value.message
        assert "pages" in refused.value.message
