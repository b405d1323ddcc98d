"""What mappings can make of cells."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from annals.imports.cells import Unreadable
from annals.imports.compiler import compile_mapping
from annals.imports.mapping import Mapping

NINE = datetime(2024, 3, 1, 9)  # noqa: DTZ001 - workbooks know no zones
NAMES = ("id", "a", "b", "c")


def read(target: str, expression: Any, *cells: Any, kind: str = "leads", **mapping: Any) -> Any:
    """Return what the expression gives to a field of the kind, from a row with these cells."""
    fields = {target: expression}
    if kind == "leads":
        fields.setdefault("channel", {"constant": "x"})
    else:
        fields.setdefault("name", {"constant": "x"})
    made = Mapping.model_validate(
        {"kind": kind, "source": "s", "external_id": "id", "fields": fields, **mapping}
    )
    recipes, _ = compile_mapping(made, NAMES, lookups={}, zone=UTC, find=lambda _kind, id: id)
    row = ("1", *cells, *[""] * (3 - len(cells)))
    return dict(recipes[-1].fields)[target.partition(".")[0]]([row])


@pytest.mark.parametrize(
    ("cell", "mapping", "moment"),
    [
        ("2024-03-01", {}, datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T08:00:00+08:00", {}, datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T00:00:00Z", {"time_zone": "Asia/Tokyo"}, datetime(2024, 3, 1, tzinfo=UTC)),
        ("01/03/2024 09:00", {"formats": "%d/%m/%Y %H:%M"}, datetime(2024, 3, 1, 9, tzinfo=UTC)),
        (
            "2024/03/01",
            {"formats": ["%d.%m.%Y", "%Y/%m/%d"], "time_zone": "Asia/Shanghai"},
            datetime(2024, 2, 29, 16, tzinfo=UTC),
        ),
        (NINE, {"formats": "%d/%m/%Y"}, datetime(2024, 3, 1, 9, tzinfo=UTC)),
        # Clocks in São Paulo went from midnight to one that night.
        ("2017-10-15", {"time_zone": "America/Sao_Paulo"}, datetime(2017, 10, 15, 3, tzinfo=UTC)),
    ],
)
def test_moments_are_read_by_format_and_zone(cell: Any, mapping: Any, moment: datetime) -> None:
    assert read("qualified_at", "a", cell, **mapping) == moment


def test_an_expression_may_have_its_own_format_and_zone() -> None:
    expression = {"column": "a", "formats": "%d%m%y", "time_zone": "Asia/Tokyo"}
    found = read("qualified_at", expression, "010324", formats="%Y")
    assert found == datetime(2024, 2, 29, 15, tzinfo=UTC)


def test_dates_and_numbers_are_read_as_the_field_needs_them() -> None:
    assert read("expected_purchase_on", "a", "2024-03-01") == date(2024, 3, 1)
    assert read("budget.amount", "a", "1.250,50", decimal_mark=",", thousands_mark=".") == {
        "amount": Decimal("1250.50")
    }
    assert read("win_probability", "a", "40.0") == 40
    assert read("employees", "a", "1 200", kind="accounts", thousands_mark=" ") == 1200


@pytest.mark.parametrize(
    ("target", "cell"),
    [
        ("win_probability", "4.5"),
        ("win_probability", "1_000"),
        ("win_probability", "٣"),
        ("budget.amount", "NaN"),
        ("budget.amount", "1,5"),
        ("budget.amount", "12 USD"),
        ("expected_purchase_on", "2024-02-30"),
    ],
)
def test_what_is_no_number_or_date_is_told(target: str, cell: str) -> None:
    with pytest.raises(Unreadable, match="is no "):
        read(target, "a", cell)


def test_nothing_has_many_names() -> None:
    assert read("title", "a", "  ") is None
    assert read("title", "a", "?", nulls=["?"]) is None
    assert read("title", {"column": "a", "nulls": ["-", "n/a"]}, "n/a") is None
    assert read("title", {"column": "a", "default": "unknown"}, "") == "unknown"
    assert read("title", {"first": ["a", "b", {"constant": "c"}]}, "", "B") == "B"
    assert read("title", {"first": ["a", "b", {"constant": "c"}]}) == "c"


def test_words_stand_for_words() -> None:
    values = {"column": "a", "values": {"hot": "high", "cold": "low"}}
    assert read("demand_level", values, "hot") == "high"
    assert read("demand_level", values, "warm") == "warm"
    assert read("demand_level", values | {"others": "drop"}, "warm") is None
    assert read("demand_level", values | {"others": "drop", "default": "medium"}, "") == "medium"
    with pytest.raises(Unreadable, match="'warm' is none of hot, cold"):
        read("demand_level", values | {"others": "refuse"}, "warm")


def test_texts_are_joined_and_cut() -> None:
    assert read("name", {"join": ["a", "b"]}, "Ada", "Okafor") == "Ada Okafor"
    assert read("name", {"join": ["a", "b", "c"], "separator": "-"}, "x", "", "z") == "x-z"
    assert read("name", {"join": ["a", "b"]}) is None
    assert read("phones", {"column": "a", "split": ";"}, "1; 2;;") == ["1", "2"]


def test_a_single_value_fills_a_list() -> None:
    assert read("phones", "a", "123") == ["123"]
    assert read("phones", {"list": ["a", "b"]}, "", "123") == ["123"]
    assert read("phones", {"list": ["a", "b"]}) is None


def test_an_object_needs_more_than_constants() -> None:
    fields = {"budget.currency": {"constant": "EUR"}, "channel": {"constant": "x"}}
    mapping = {"kind": "leads", "source": "s", "external_id": "id"}
    made = Mapping.model_validate({**mapping, "fields": {"budget.amount": "a", **fields}})
    recipes, _ = compile_mapping(made, NAMES, lookups={}, zone=UTC, find=lambda _kind, id: id)
    budget = dict(recipes[0].fields)["budget"]
    assert budget([("1", "5", "", "")]) == {"amount": Decimal(5), "currency": "EUR"}
    assert budget([("1", "", "", "")]) is None


def test_cells_can_be_kept_as_they_are() -> None:
    assert read("raw", {"columns": "all"}, "x", "", "z") == {"id": "1", "a": "x", "c": "z"}
    assert read("custom", {"columns": ["b"]}, "x", "y") == {"b": "y"}


def test_ids_can_be_made_of_names() -> None:
    slug = {"column": "a", "as": "slug"}
    assert read("owner_id", slug, " Moses  O'Frase ") == "moses-o-frase"
    with pytest.raises(Unreadable, match="no id can be made of"):
        read("owner_id", slug, "王小明")
    one = read("owner_id", {"id_of": "accounts", "of": "a"}, "7")
    assert one == read("owner_id", {"id_of": "accounts", "of": "b"}, "", "7")
    assert one != read("owner_id", {"id_of": "accounts", "of": "a", "source": "t"}, "7")
    assert read("owner_id", {"id_of": "accounts", "of": "a"}, "") is None
