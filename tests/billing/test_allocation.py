from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.allocation import Book, Debt, cover
from services.billing.domain.pricing import priced
from shared.events.billing import Allocation
from shared.events.values import Money
from tests.billing.builders import TODAY, cny, line

pytestmark = pytest.mark.capability("BIL-05")

cents = st.integers(1, 100_000).map(lambda n: cny(Decimal(n) / 100))
days = st.one_of(st.none(), st.integers(0, 60).map(lambda n: TODAY + timedelta(days=n)))


def debts(kind: str) -> st.SearchStrategy[tuple[Debt, ...]]:
    return st.lists(st.tuples(cents, days), max_size=5).map(
        lambda some: tuple(
            Debt(id=f"{kind}{number}", outstanding=amount, due_on=due_on)
            for number, (amount, due_on) in enumerate(some)
        )
    )


books = st.lists(st.tuples(debts("i"), debts("v")), max_size=3).map(
    lambda some: [
        Book(contract_id=f"c{number}", plan_id=f"p{number}", instalments=one, invoices=other)
        for number, (one, other) in enumerate(some)
    ]
)


def total(parts: list[Allocation] | tuple[Allocation, ...]) -> Money:
    return Money.total((part.amount for part in parts), "CNY")


@given(amount=cents, open_books=books)
def test_nothing_is_paid_twice_lost_or_exceeded(amount: Money, open_books: list[Book]) -> None:
    parts = cover(amount, open_books)
    assert total(parts) <= amount
    assert all(part.amount.amount > 0 for part in parts)
    for book in open_books:
        mine = [part for part in parts if part.contract_id == book.contract_id]
        for debt in book.instalments:
            paid = total([part for part in mine if part.instalment_id == debt.id])
            assert paid <= debt.outstanding
        for debt in book.invoices:
            paid = total([part for part in mine if part.invoice_id == debt.id])
            assert paid <= debt.outstanding
    owed = sum(
        (
            max(
                sum((debt.outstanding.amount for debt in book.instalments), Decimal(0)),
                sum((debt.outstanding.amount for debt in book.invoices), Decimal(0)),
            )
            for book in open_books
        ),
        Decimal(0),
    )
    assert total(parts).amount == min(amount.amount, owed)


@given(amount=cents, open_books=books)
def test_a_later_debt_gets_nothing_while_an_earlier_one_is_open(
    amount: Money, open_books: list[Book]
) -> None:
    parts = cover(amount, open_books)
    due: dict[tuple[str | None, str | None], date] = {}
    left_since = date.max
    for book in open_books:
        for debt in (*book.instalments, *book.invoices):
            place = book.contract_id, debt.id
            due[place] = debt.due_on or date.max
            on_it = [
                part
                for part in parts
                if part.contract_id == book.contract_id
                and debt.id in {part.instalment_id, part.invoice_id}
            ]
            if total(on_it) < debt.outstanding:
                left_since = min(left_since, due[place])
    for part in parts:
        claims = [part.instalment_id, part.invoice_id]
        assert min(due[part.contract_id, one] for one in claims if one) <= left_since


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1_000_000),
            st.integers(1, 5000),
            st.integers(0, 100),
            st.sampled_from((0, 6, 9, 13)),
        ),
        max_size=20,
    )
)
def test_a_price_is_the_sum_of_its_lines(lines: list[tuple[int, int, int, int]]) -> None:
    price = priced(
        [
            line(
                str(Decimal(cost) / 100),
                str(Decimal(quantity) / 10),
                discount_percent=Decimal(discount),
                tax_percent=Decimal(tax),
            )
            for cost, quantity, discount, tax in lines
        ],
        "CNY",
    )
    assert price.net + price.tax == price.total
    assert price.total.amount == sum((item.total for item in price.lines), Decimal(0))
    assert all(item.net == item.net.quantize(Decimal("0.01")) for item in price.lines)
