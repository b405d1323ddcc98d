"""What only one of all processes on a database does at a time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.chassis.database import Database

pytestmark = pytest.mark.capability("PLT-01")

HOLDS = """
import pathlib, sys
from shared.chassis.database import Database
lock = Database.sqlite(pathlib.Path(sys.argv[1])).lock("relay")
assert lock.take()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["files", pytest.param("server", marks=pytest.mark.servers)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "server":
        opened = Database.postgres(request.getfixturevalue("postgres_database"))
    else:
        opened = Database.sqlite(tmp_path / "toys.log.db")
    yield opened
    opened.close()


def test_a_lock_has_one_holder_until_it_is_given_up(database: Database) -> None:
    first, second, other = (database.lock(name) for name in ("relay", "relay", "other"))
    assert first.take()
    assert first.take()
    assert not second.take()
    assert other.take()
    first.release()
    assert second.take()
    assert not first.take()
    for lock in (first, second, other):
        lock.release()


def test_a_lock_on_files_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "toys.log.db"
    mine = Database.sqlite(path).lock("relay")
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not mine.take()
        holder.kill()
    assert mine.take()
    mine.release()


def test_a_database_in_memory_has_free_locks() -> None:
    lock = Database.sqlite(None).lock("relay")
    assert lock.take()
    lock.release()
