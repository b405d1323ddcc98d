"""A log that stands elsewhere reads like one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.api.binder import ApiServer
from shared.chassis.api.distant import Distant
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.rights import SERVICE as SERVICE_ROLE
from shared.chassis.messaging.lag import Beyond
from shared.chassis.service import OpenService
from shared.chassis.shapes import Unavailable
from shared.chassis.testing import issue
from tests.api.conftest import SECRET
from tests.api.toy import AddBook, BookAdded, LendBook, ReturnBook

TOKEN = issue_token(SECRET, "service:other", roles=[SERVICE_ROLE])


@pytest.fixture
def served(opened: OpenService, proto: Path) -> Iterator[str]:
    """Serve a log of seven facts: a book, lent and returned three times."""
    assert opened.application is not None
    book = opened.application.handle(issue(AddBook(title="Atlas", translations={}, custom={}))).id
    for _ in range(3):
        opened.application.handle(issue(LendBook(book_id=book, reader="wang")))
        opened.application.handle(issue(ReturnBook(book_id=book)))
    server = ApiServer([opened], identity=DevelopmentIdentity(SECRET), proto=proto)
    server.start()
    yield server.address
    server.stop(grace=0)


@pytest.fixture
def distant(served: str) -> Iterator[Distant]:
    distant = Distant(lambda _context: served, lambda: TOKEN)
    yield distant
    distant.close()


@pytest.mark.parametrize("topics", [(), (BookAdded.topic,)])
@pytest.mark.parametrize(("after", "limit", "upto"), [(0, 100, None), (1, 2, None), (2, 9, 5)])
def test_it_reads_like_ones_own(
    opened: OpenService,
    distant: Distant,
    after: int,
    limit: int,
    upto: int | None,
    topics: tuple[str, ...],
) -> None:
    there = distant.log("toy")
    assert there.tip() == opened.log.tip() == 7
    said = there.read(after, limit, upto=upto, topics=topics)
    assert said == opened.log.read(after, limit, upto=upto, topics=topics)


def test_what_lies_ahead_is_told(distant: Distant, opened: OpenService) -> None:
    assert distant.ahead("toy", 7) == Beyond(7, None)
    assert distant.ahead("toy", 3) == Beyond(7, opened.log.since(3))


def test_a_log_that_is_not_given_is_not_taken_for_an_empty_one(served: str) -> None:
    stranger = Distant(lambda _context: served, lambda: "no token")
    with pytest.raises(Unavailable, match="UNAUTHENTICATED"):
        stranger.log("toy").tip()
    assert stranger.ahead("toy", 0) is None
    stranger.close()
