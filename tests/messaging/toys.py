"""Two small contexts that exchange facts: a dining room takes orders, a kitchen cooks them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from shared.chassis.application import Application, Work
from shared.chassis.service import Service
from shared.chassis.shapes import (
    Answer,
    BrokenRule,
    Cancel,
    Command,
    Instant,
    Key,
    Later,
    Projection,
    Reaction,
    Row,
    whenever,
)
from shared.events.base import Event, Personal, Recorded

GRACE = timedelta(minutes=30)


class OrderPlaced(Event, topic="dining.OrderPlaced.v1"):
    """A guest ordered a dish."""

    table: int
    dish: str
    guest: Personal[str] = None


class OrderCancelled(Event, topic="dining.OrderCancelled.v1"):
    """The guest does not want it any more."""

    table: int


class DishCooked(Event, topic="kitchen.DishCooked.v1"):
    """It stands ready."""

    dish: str


class DishBinned(Event, topic="kitchen.DishBinned.v1"):
    """Nobody fetched it in time."""


class DishServed(Event, topic="kitchen.DishServed.v1"):
    """It left for the table."""


class PlaceOrder(Command):
    order_id: str
    table: int
    dish: str
    guest: str | None = None


class CancelOrder(Command):
    order_id: str


class CookDish(Command):
    order_id: str
    dish: str


class BinDish(Command):
    order_id: str


class ServeDish(Command):
    order_id: str


class OutOfStock(BrokenRule):
    """There is none of it left."""


class NothingToBin(BrokenRule):
    """It was never cooked."""


@dataclass(frozen=True)
class Order:
    table: int
    cancelled: bool = False

    @staticmethod
    def evolve(state: "Order | None", event: Event) -> "Order | None":
        match event:
            case OrderPlaced(table=table):
                return Order(table)
            case OrderCancelled():
                assert state is not None
                return replace(state, cancelled=True)
        return state


@dataclass(frozen=True)
class Dish:
    binned: bool = False

    @staticmethod
    def evolve(state: "Dish | None", event: Event) -> "Dish | None":
        match event:
            case DishCooked():
                return Dish()
            case DishBinned():
                return Dish(binned=True)
        return state


class Dining(Application):
    context = "dining"

    def place_order(self, command: PlaceOrder) -> Answer:
        def decide(work: Work) -> str:
            placed = OrderPlaced(table=command.table, dish=command.dish, guest=command.guest)
            work.record(command.order_id, [placed])
            return command.order_id

        return self.commit(command, decide)

    def cancel_order(self, command: CancelOrder) -> Answer:
        return self.change(
            Order,
            command.order_id,
            lambda order: [OrderCancelled(table=order.table)] if not order.cancelled else [],
            command,
        )


class Kitchen(Application):
    context = "kitchen"
    stock: ClassVar[set[str]] = set()
    """Dishes that are out of stock."""

    def cook_dish(self, command: CookDish) -> Answer:
        def decide(work: Work) -> str:
            if command.dish in self.stock:
                raise OutOfStock
            if work.find(Dish, command.order_id) is None:
                work.record(command.order_id, [DishCooked(dish=command.dish)])
            return command.order_id

        return self.commit(command, decide)

    def serve_dish(self, command: ServeDish) -> Answer:
        return self.change(Dish, command.order_id, lambda _: [DishServed()], command)

    def bin_dish(self, command: BinDish) -> Answer:
        def decide(work: Work) -> str:
            dish = work.find(Dish, command.order_id)
            if dish is None:
                raise NothingToBin
            if not dish.binned:
                work.record(command.order_id, [DishBinned()])
            return command.order_id

        return self.commit(command, decide)


@whenever(OrderPlaced, OrderCancelled, DishServed)
def cook_what_is_ordered(recorded: Recorded[Any]) -> Sequence[Reaction]:
    match recorded.event:
        case OrderPlaced(dish=dish):
            order_id = recorded.stream_id
            return [
                CookDish(order_id=order_id, dish=dish),
                Later(recorded.occurred_at + GRACE, BinDish(order_id=order_id), order_id),
            ]
        case OrderCancelled() | DishServed():
            return [Cancel(recorded.stream_id)]
    return []


metadata = MetaData()


class Tables(Projection):
    """What was ordered at each table, in order."""

    table = Table(
        "tables",
        metadata,
        Column("number", Integer, primary_key=True),
        Column("dishes", JSON, nullable=False),
        Column("last_at", Instant),
    )
    events = (OrderPlaced, OrderCancelled)
    poisonous: ClassVar[set[str]] = set()
    """Dishes that make the fold fail."""
    keyless: ClassVar[set[str]] = set()
    """Dishes that make the keys fail."""

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        if getattr(recorded.event, "dish", None) in Tables.keyless:
            raise ValueError("no key")
        return [(recorded.event.table,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        row = row or {"number": key[0], "dishes": []}
        match recorded.event:
            case OrderPlaced(dish=dish) if dish in Tables.poisonous:
                raise ZeroDivisionError(dish)
            case OrderPlaced(dish=dish):
                entry = dish
            case _:
                entry = f"-{recorded.stream_id}"
        return {**row, "dishes": [*row["dishes"], entry], "last_at": recorded.occurred_at}


class Dishes(Projection):
    """Where each order stands, as far as either room knows."""

    table = Table(
        "dishes",
        metadata,
        Column("order_id", String, primary_key=True),
        Column("ordered", String),
        Column("cooked", String),
        Column("binned", Integer, nullable=False),
    )
    events = (OrderPlaced, DishCooked, DishBinned)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        row = row or {"order_id": key[0], "ordered": None, "cooked": None, "binned": 0}
        match recorded.event:
            case OrderPlaced(dish=dish):
                return {**row, "ordered": dish}
            case DishCooked(dish=dish):
                return {**row, "cooked": dish}
            case DishBinned():
                return {**row, "binned": row["binned"] + 1}
        return row


DINING = Service(name="dining", application=Dining)
KITCHEN = Service(
    name="kitchen",
    application=Kitchen,
    policies=(cook_what_is_ordered,),
    projections=(Tables, Dishes),
)
