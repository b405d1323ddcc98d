"""One clock for every process of an installation, turned by whoever plays a history."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.clock import FileClock, SystemClock
from shared.chassis.testing import NOON

SOON = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clock"


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> FileClock:
    return FileClock(tmp_path_factory.mktemp("installation") / "clock")


def is_now(moment: datetime) -> bool:
    return abs(moment - datetime.now(UTC)) < SOON


def test_the_machines_clock_is_aware() -> None:
    moment = SystemClock().now()
    assert is_now(moment)
    assert moment.tzinfo is UTC


def test_a_clock_that_nobody_turned_is_the_machines(path: Path) -> None:
    clock = FileClock(path)
    assert not clock.simulated
    assert is_now(clock.now())
    assert clock.now().tzinfo is UTC


def test_everybody_who_has_the_file_reads_the_moment_that_was_set(path: Path) -> None:
    one, other = FileClock(path), FileClock(path)
    one.set(NOON, durable=False)
    assert (other.now(), other.simulated) == (NOON, True)
    other.set(NOON + SOON)
    assert one.now() == NOON + SOON


def test_another_process_reads_it_and_turns_it(path: Path) -> None:
    clock = FileClock(path)
    clock.set(NOON)
    program = (
        "import sys\n"
        "from datetime import timedelta\n"
        "from pathlib import Path\n"
        "from shared.chassis.clock import FileClock\n"
        "clock = FileClock(Path(sys.argv[1]))\n"
        "print(clock.now().isoformat())\n"
        "clock.set(clock.now() + timedelta(days=1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    assert datetime.fromisoformat(done.stdout.strip()) == NOON
    assert clock.now() == NOON + timedelta(days=1)


def test_a_clock_is_given_back_to_the_machine(path: Path) -> None:
    clock = FileClock(path)
    clock.set(NOON)
    clock.set(None)
    assert not clock.simulated
    assert is_now(clock.now())


def test_opening_the_file_again_leaves_the_moment(path: Path) -> None:
    FileClock(path).set(NOON)
    assert FileClock(path).now() == NOON


@given(
    st.datetimes(
        datetime(1900, 1, 1),  # noqa: DTZ001
        datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
    )
)
def test_a_moment_is_kept_to_the_microsecond(clock: FileClock, moment: datetime) -> None:
    clock.set(moment, durable=False)
    assert clock.now() == moment
    assert clock.now().tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(path: Path) -> None:
    clock = FileClock(path)
    with pytest.raises(TypeError):
        clock.set(datetime(2024, 1, 1))  # noqa: DTZ001
    assert not clock.simulated
