"""What a feed takes from its queue, and when it takes more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from shared.chassis.worker import feed
from shared.chassis.worker.broker import Broker
from tests.messaging.conftest import House, open_house

pytestmark = pytest.mark.capability("PLT-02")

RABBIT = Broker.amqp("amqp://nowhere//")


class Message:
    def __init__(self, context: Any = "dining") -> None:
        self.headers = {"context": context}
        self.is_taken = False

    def ack(self) -> None:
        self.is_taken = True


class Fed(feed.Feed):
    """A feed whose queue holds so many messages at each look, and ends after the last."""

    def __init__(self, house: House, broker: Broker, name: str, come: list[int]) -> None:
        (subscription,) = [s for s in house.delivery().subscriptions if s.name.endswith(name)]
        super().__init__(broker, subscription, lambda _: None)
        self._come = iter(come)
        self.rests: list[float] = []
        self._patience.rest = self.rests.append  # type: ignore[method-assign, assignment]

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any]]:
        yield _Connection(), None

    def _catch_up(self) -> None:
        self.behind = {}

    def _drain(self, transport: Any, connected: Any, came: Any) -> None:
        number = next(self._come, None)
        if number is None:
            self.stop()
        came.extend(Message() for _ in range(number or 0))


class _Connection:
    default_channel = transport = None


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    monkeypatch.setattr(feed, "Consumer", lambda *_, **__: nullcontext())
    monkeypatch.setattr(Broker, "declare", lambda *_: None)
    house = open_house(None)

    def run(broker: Broker, name: str, *come: int) -> list[float]:
        one = Fed(house, broker, name, list(come))
        one.run()
        return one.rests

    return run


def test_policies_leave_time_for_more_to_come_while_little_does(
    fed: Callable[..., list[float]],
) -> None:
    assert fed(RABBIT, ".policies", 1, 31) == [0.03, 0.03]


def test_a_queue_that_is_full_or_empty_is_read_again_at_once(
    fed: Callable[..., list[float]],
) -> None:
    assert fed(RABBIT, ".policies", 0, 32, 32) == []


def test_rows_and_embedded_installations_never_wait(fed: Callable[..., list[float]]) -> None:
    assert fed(RABBIT, ".views", 1) == fed(Broker.embedded(), ".policies", 1) == []


def test_a_message_whose_context_is_no_text_is_handed_over() -> None:
    came: list[Any] = []
    (subscription,) = [s for s in open_house(None).delivery().subscriptions if ".views" in s.name]
    reader = feed.Feed(RABBIT, subscription, came.extend)
    odd = Message(["dining"])
    reader._take([odd])
    assert came == [odd]
    assert odd.is_taken
