"""Two releases of one service side by side: what only the newer can read waits for it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.capability("PLT-11", "PLT-15")]

ROOT = Path(__file__).parents[2]
UNKNOWN = "UnknownTopic: unknown event topic 'harbour.ShipArrived.v2'"


class Release:
    """A running release of the harbour."""

    def __init__(self, number: int, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.production.harbour", str(number), url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def __call__(self, line: str) -> str:
        """Have it do something; return what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        self._process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def release(postgres_database: str) -> Iterator[Callable[[int], Release]]:
    """Start releases of the harbour on one database."""
    started: list[Release] = []

    def start(number: int) -> Release:
        started.append(Release(number, postgres_database))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_both_releases_write_one_stream_and_the_newer_reads_it_all(
    release: Callable[[int], Release],
) -> None:
    old, new = release(1), release(2)
    assert [old("arrive ada"), new("arrive bea"), old("arrive cid")] == ["1", "1", "1"]
    assert new("arrive ada") == "2"
    assert new("consume") == "4"
    assert old("ships") == new("ships") == "['ada', 'bea', 'cid']"
    assert old("consume") == "0"


def test_a_consumer_waits_visibly_for_the_release_that_knows_a_version(
    release: Callable[[int], Release],
) -> None:
    old, new = release(1), release(2)
    old("arrive ada")
    assert (old("consume"), old("lag")) == ("1", "0")
    new("arrive bea")
    old("arrive cid")
    for _ in range(2):
        assert old("consume") == UNKNOWN
        assert (old("lag"), old("ships")) == ("2", "['ada']")
    upgraded = release(2)
    assert upgraded("consume") == "2"
    assert (old("lag"), old("ships")) == ("0", "['ada', 'bea', 'cid']")


def test_an_older_leader_passes_on_what_only_the_newer_release_knows(
    release: Callable[[int], Release],
) -> None:
    old, new = release(1), release(2)
    old("arrive ada")
    new("arrive bea")
    new("leave ada")
    messages = old("relay")
    assert old(f"receive {messages}") == UNKNOWN
    assert new(f"receive {messages}") == "received"
    assert (new("lag"), new("ships")) == ("0", "['ada', 'bea']")


def test_a_newer_leader_passes_on_older_facts_so_that_the_older_release_reads_them(
    release: Callable[[int], Release],
) -> None:
    old, new = release(1), release(2)
    old("arrive ada")
    assert old(f"receive {new('relay')}") == "received"
    assert (old("lag"), old("ships")) == ("0", "['ada']")


def test_what_a_release_does_not_ask_for_it_passes_over(release: Callable[[int], Release]) -> None:
    old, new = release(1), release(2)
    old("arrive ada")
    assert new("leave ada") == "2"
    assert (old("consume"), old("lag"), old("ships")) == ("2", "0", "['ada']")


def test_a_command_on_what_only_the_newer_release_can_read_is_left_to_it(
    release: Callable[[int], Release],
) -> None:
    old, new = release(1), release(2)
    assert new("arrive ada") == "1"
    assert old("arrive ada") == UNKNOWN
    assert new("arrive ada") == "2"


def test_rows_are_only_changed_by_the_version_that_made_them(
    release: Callable[[int], Release],
) -> None:
    old = release(1)
    old("arrive ada")
    old("consume")
    new = release(2)
    old("arrive bea")
    new("consume")
    assert new("ships") == "['ada', 'bea']"  # whose fold is the same in both
    assert new("notes") == "{'ada': '1 by release 1'}"
    assert new("outdated") == "['notes']"
    old("consume")
    assert old("notes") == "{'ada': '1 by release 1', 'bea': '1 by release 1'}"

    assert new("renew") == "renewed"
    assert (new("outdated"), old("outdated")) == ("[]", "[]")
    made_anew = {"ada": "1 by release 2", "bea": "1 by release 2"}
    assert new("notes") == str(made_anew)
    old("arrive ada")
    assert old("consume") == "1"
    assert old("consume") == "0"
    assert old("notes") == str(made_anew)
    messages = old("relay")
    assert old(f"receive {messages}") == "received"
    assert old("notes") == str(made_anew)
    assert new("consume") == "1"
    assert new("notes") == str(made_anew | {"ada": "2 by release 2"})
