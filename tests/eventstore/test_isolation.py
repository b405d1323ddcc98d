"""Nobody sees what is not committed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from shared.chassis.eventstore import AnsweredCommand, Claim, EventLog
from tests.eventstore.toys import ToyMade, facts

pytestmark = pytest.mark.capability("PLT-01")


@pytest.mark.parametrize(
    "look",
    [
        lambda log: log.tip(),
        lambda log: len(log.read(0)),
        lambda log: log.version("a"),
        lambda log: len(log.stream("a")),
        lambda log: log.holder("phone", "1"),
        lambda log: log.answer("one"),
        lambda log: len(log.recorder.select_keys(["a"])),
    ],
    ids=["tip", "log", "version", "stream", "claim", "answer", "keys"],
)
def test_a_transaction_that_fails_was_never_seen(
    log: EventLog, look: Callable[[EventLog], object]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InterruptedError), log.transaction():  # noqa: PT012
            log.append(
                facts("a", ToyMade(maker="王芳")),
                claims=[Claim("phone", "1", "a")],
                answers=[AnsweredCommand("one", "a", 1, 1)],
            )
            seen = pool.submit(look, log)
            wait([seen], timeout=0.05)
            assert look(log)
            raise InterruptedError
        assert not seen.result()
