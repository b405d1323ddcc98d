from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.events.values import MINOR_UNITS, Currency, CurrencyMismatch, LeadId, Money, Phone

currencies = st.sampled_from(sorted(MINOR_UNITS))
amounts = st.decimals(-(10**9), 10**9, places=4)


def yuan(amount: str) -> Money:
    return Money.of(amount, "CNY")


def test_money_adds_and_compares_exactly() -> None:
    assert yuan("0.10") + yuan("0.20") == yuan("0.30")
    assert yuan("1") - yuan("1.0001") == yuan("-0.0001")
    assert -yuan("5") < yuan("-4.99") <= yuan("-4.99")
    assert str(yuan("12.50")) == "12.50 CNY"


def test_money_of_two_currencies_does_not_mix() -> None:
    for operation in (Money.__add__, Money.__sub__, Money.__lt__, Money.__ge__):
        with pytest.raises(CurrencyMismatch, match="CNY and EUR"):
            operation(yuan("1"), Money.of(1, "EUR"))


def test_a_total_needs_no_amounts_but_one_currency() -> None:
    assert Money.total([], "CNY") == Money.zero("CNY")
    assert Money.total([yuan("1.5"), yuan("2")], "CNY") == yuan("3.5")
    with pytest.raises(CurrencyMismatch):
        Money.total([yuan("1")], "EUR")


@pytest.mark.parametrize("amount", ["1.00001", "NaN", "Infinity", "123456789012345.1234", "ten"])
def test_money_refuses_what_cannot_be_booked(amount: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "CNY"})


@pytest.mark.parametrize("code", ["cny", "XXQ", "", "CN", "CNYX"])
def test_a_currency_is_one_in_circulation(code: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Currency).validate_python(code)


def test_a_product_is_rounded_to_the_smallest_unit() -> None:
    assert yuan("0.35").times(Decimal("0.5")) == yuan("0.18")
    assert Money.of(101, "JPY").times(Decimal("0.5")) == Money.of(51, "JPY")
    assert Money.of(1, "KWD").times(Decimal("0.0005")) == Money.of("0.001", "KWD")


@given(amounts, currencies, st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
def test_shares_add_up_to_the_whole(amount: Decimal, currency: str, weights: list[int]) -> None:
    whole = Money.of(amount, currency)
    assert Money.total(whole.split(weights), currency) == whole


@given(st.integers(1, 10**9), st.lists(st.integers(1, 1000), min_size=1, max_size=12))
def test_a_share_is_within_a_unit_of_its_due(amount: int, weights: list[int]) -> None:
    shares = Money.of(Decimal(amount) / 100, "CNY").split(weights)
    for share, weight in zip(shares, weights, strict=True):
        due = Decimal(amount) / 100 * weight / sum(weights)
        assert abs(share.amount - due) < Decimal("0.01")


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_nothing_can_be_split_by_no_weight(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        yuan("1").split(weights)


@pytest.mark.parametrize("number", ["13912345678", "+0123", "+86 139", "+1234567890123456", "+"])
def test_a_phone_is_kept_in_international_form(number: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Phone).validate_python(number)


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, "线索", "a/b"])
def test_an_id_is_short_and_plain(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(LeadId).validate_python(text)
