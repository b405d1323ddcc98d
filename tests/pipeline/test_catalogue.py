from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.pipeline.application import PipelineApplication
from services.pipeline.commands import (
    ChangeProduct,
    DefinePriceBook,
    DefineProduct,
    DefineSalesProcess,
    OpenOpportunity,
    PriceWish,
    RetireProduct,
    StageWish,
)
from services.pipeline.domain.process import BUILT_IN, ProcessVersion
from shared.chassis.shapes import Invalid, NotFound, Taken
from shared.chassis.testing import NOON, scenario
from shared.events.pipeline import (
    Price,
    PriceBookDefined,
    ProductDefined,
    ProductRetired,
    SalesProcessDefined,
    Stage,
)
from tests.pipeline.builders import BOOK, PRODUCT, price_book_defined, product_defined

PRINTER = DefineProduct(
    product_id=PRODUCT,
    name="打印机",
    sku="P-1",
    category=("硬件", "打印"),
    source="erp",
    external_id="7",
)


def two_stages(**fields: Any) -> DefineSalesProcess:
    usual = {
        "process_id": "short",
        "name": "Short",
        "stages": (
            StageWish(stage="first", name="First", probability=20, expected_days=3),
            StageWish(stage="second", name="Second", probability=80),
        ),
    }
    return DefineSalesProcess(**{**usual, **fields})


@pytest.mark.capability("PIP-01")
def test_a_process_is_laid_down_in_versions() -> None:
    first = SalesProcessDefined(
        process_version=1,
        name="Short",
        stages=(
            Stage(stage="first", name="First", probability=20, expected_days=3),
            Stage(stage="second", name="Second", probability=80),
        ),
    )
    given = scenario(PipelineApplication)
    given.when(two_stages()).then(first)
    given.when(two_stages()).then_nothing()
    given.when(two_stages(name="Shorter")).then(
        first.model_copy(update={"process_version": 2, "name": "Shorter"})
    )


@pytest.mark.capability("PIP-01")
def test_the_built_in_process_gets_a_first_version_of_the_companys_own() -> None:
    given = scenario(PipelineApplication).after(OpenOpportunity(name="A"))
    given.when(two_stages(process_id="standard")).then_kinds(SalesProcessDefined)
    (defined,) = (fact.event for fact in given.news)
    assert isinstance(defined, SalesProcessDefined)
    assert defined.process_version == 1


@pytest.mark.capability("PIP-01")
def test_without_rules_a_deal_goes_to_the_neighbours() -> None:
    stages = tuple(Stage(stage=name, name=name, probability=1) for name in "abc")
    process = ProcessVersion(
        process_id="p",
        definition=SalesProcessDefined(process_version=1, name="P", stages=stages),
    )
    assert [process.moves_from(name) for name in "abc"] == [("b",), ("a", "c"), ("b",)]


@pytest.mark.capability("PIP-03")
def test_a_deal_stalls_at_one_and_a_half_times_the_days_expected() -> None:
    process = ProcessVersion(process_id="standard", definition=BUILT_IN)
    days = Stage(stage="x", name="X", probability=1, expected_days=3)
    assert process.stalls_at(days, NOON) == NOON + timedelta(days=4, hours=12)


@pytest.mark.parametrize(
    ("stages", "field"),
    [
        (
            (
                StageWish(stage="a", name="A", probability=1),
                StageWish(stage="a", name="B", probability=1),
            ),
            "stages.1.stage",
        ),
        (
            (StageWish(stage="a", name="A", probability=1, moves_to=("b",)),),
            "stages.0.moves_to.0",
        ),
        (
            (StageWish(stage="a", name="A", probability=1, moves_to=("a",)),),
            "stages.0.moves_to.0",
        ),
        (
            (StageWish(stage="a", name="A", probability=1, required_fields=("colour",)),),
            "stages.0.required_fields.0",
        ),
    ],
)
def test_a_process_that_makes_no_sense_is_refused(
    stages: tuple[StageWish, ...], field: str
) -> None:
    given = scenario(PipelineApplication).when(two_stages(stages=stages))
    given.then_refused(Invalid)
    assert isinstance(given.refusal, Invalid)
    assert [violation.field for violation in given.refusal.violations] == [field]


@pytest.mark.capability("PIP-05")
def test_a_product_is_put_on_offer_described_anew_and_retired() -> None:
    given = scenario(PipelineApplication)
    printer = ProductDefined(
        name="打印机", sku="P-1", category=("硬件", "打印"), source="erp", external_id="7"
    )
    given.when(PRINTER).then(printer)
    given.when(ChangeProduct(product_id=PRODUCT, unit="box", tax_percent=Decimal(13))).then(
        printer.model_copy(update={"unit": "box", "tax_percent": Decimal(13)})
    )
    given.when(ChangeProduct(product_id=PRODUCT, unit="box")).then_nothing()
    given.when(RetireProduct(product_id=PRODUCT, reason="old")).then(ProductRetired(reason="old"))
    given.when(RetireProduct(product_id=PRODUCT)).then_nothing()
    given.when(ChangeProduct(product_id=PRODUCT)).then_kinds(ProductDefined)


@pytest.mark.parametrize(
    "again",
    [
        DefineProduct(product_id=PRODUCT, name="B"),
        DefineProduct(name="B", sku="P-1"),
        DefineProduct(name="B", source="erp", external_id="7"),
    ],
)
def test_products_are_entered_once(again: DefineProduct) -> None:
    scenario(PipelineApplication).after(PRINTER).when(again).then_refused(Taken, holder=PRODUCT)


def test_a_number_given_up_is_free_again() -> None:
    given = scenario(PipelineApplication).after(
        PRINTER, ChangeProduct(product_id=PRODUCT, sku="P-2")
    )
    given.when(DefineProduct(name="B", sku="P-1")).then_kinds(ProductDefined)
    given.when(DefineProduct(name="C", sku="P-2")).then_refused(Taken)


@pytest.mark.capability("PIP-05")
def test_a_price_book_is_put_in_force_in_versions() -> None:
    given = scenario(PipelineApplication).given(PRODUCT, product_defined())
    define = DefinePriceBook(
        name="Standard",
        currency="CNY",
        prices=(PriceWish(product_id=PRODUCT, unit_price=Decimal("999.90")),),
    )
    given.when(define).then(price_book_defined())
    assert given.news[0].stream_id == BOOK
    given.when(define).then_nothing()
    dearer = (PriceWish(product_id=PRODUCT, unit_price=Decimal(1200)),)
    given.when(define.model_copy(update={"prices": dearer})).then(
        PriceBookDefined(
            book_version=2,
            name="Standard",
            currency="CNY",
            prices=(Price(product_id=PRODUCT, unit_price=Decimal(1200)),),
        )
    )


def test_a_price_book_names_known_products_once_and_ends_after_it_begins() -> None:
    given = scenario(PipelineApplication).given(PRODUCT, product_defined())
    price = PriceWish(product_id=PRODUCT, unit_price=Decimal(1))
    book = DefinePriceBook(name="S", currency="CNY", prices=(price,))
    given.when(
        book.model_copy(update={"prices": (price.model_copy(update={"product_id": "none"}),)})
    ).then_refused(NotFound)
    given.when(book.model_copy(update={"prices": (price, price)})).then_refused(Invalid)
    term = {"valid_from": NOON.date(), "valid_until": NOON.date() - timedelta(days=1)}
    given.when(book.model_copy(update=term)).then_refused(Invalid)


def test_an_id_belongs_to_one_kind_of_thing() -> None:
    given = scenario(PipelineApplication).given(PRODUCT, product_defined())
    given.when(two_stages(process_id=PRODUCT)).then_refused(Taken)
    given.when(
        DefinePriceBook(price_book_id=PRODUCT, name="S", currency="CNY", prices=())
    ).then_refused(Taken)
