from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline.commands import QuoteLine
from services.pipeline.domain.pricing import priced
from shared.chassis.shapes import Invalid
from shared.chassis.testing import NOON
from shared.events.values import MINOR_UNITS

pytestmark = pytest.mark.capability("PIP-06")

DAY = NOON.date()
PERCENT = st.decimals(0, 100, places=4)
LINES = st.lists(
    st.builds(
        QuoteLine,
        description=st.just("x"),
        quantity=st.decimals("0.0001", "9999", places=4),
        unit_price=st.decimals(0, 99_999, places=4),
        discount_percent=PERCENT,
        tax_percent=PERCENT,
    ),
    min_size=1,
    max_size=20,
)


@given(LINES, st.sampled_from(["CNY", "JPY", "KWD"]))
def test_totals_are_the_exact_sums_of_rounded_lines(lines: list[QuoteLine], currency: str) -> None:
    offer = priced(lines, {}, None, currency, DAY)
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    for line, item in zip(lines, offer.lines, strict=True):
        exact = (
            Fraction(line.quantity)
            * Fraction(line.unit_price or 0)
            * (100 - Fraction(line.discount_percent))
            / 100
        )
        assert abs(Fraction(item.net) - exact) <= Fraction(unit) / 2
        assert item.net == item.net.quantize(unit)
        tax = Fraction(item.net) * Fraction(line.tax_percent or 0) / 100
        assert abs(Fraction(item.tax) - tax) <= Fraction(unit) / 2
        assert item.total == item.net + item.tax
    assert offer.net.amount == sum(item.net for item in offer.lines)
    assert offer.tax.amount == sum(item.tax for item in offer.lines)
    assert offer.total == offer.net + offer.tax


def test_halves_are_rounded_up() -> None:
    half = QuoteLine(description="x", quantity=Decimal("0.5"), unit_price=Decimal("0.01"))
    (item,) = priced([half], {}, None, "CNY", DAY).lines
    assert item.net == Decimal("0.005").quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_what_is_beyond_counting_is_refused() -> None:
    huge = QuoteLine(
        description="x", quantity=Decimal("999999.9999"), unit_price=Decimal("999999999.9999")
    )
    with pytest.raises(Invalid) as refused:
        priced([huge], {}, None, "CNY", DAY)
    assert [violation.field for violation in refused.value.violations] == ["lines.0"]
    large = huge.model_copy(update={"unit_price": Decimal(60_000_000)})
    with pytest.raises(Invalid) as refused:
        priced([large, large], {}, None, "CNY", DAY)
    assert [violation.field for violation in refused.value.violations] == ["lines"]


@pytest.mark.parametrize(
    "line",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "NaN"},
        {"quantity": "1.00001"},
        {"unit_price": "-0.01"},
        {"unit_price": "Infinity"},
        {"discount_percent": "100.1"},
        {"tax_percent": "-1"},
    ],
)
def test_impossible_numbers_are_no_line(line: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(line))):
        QuoteLine.model_validate({"description": "x", **line})
