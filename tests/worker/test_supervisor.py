"""The supervisor keeps its children running, tells when they are ready, and stops them all."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from annals.supervisor import Child, Supervisor
from annals.up import AlreadyRunning, PortTaken, up
from shared.chassis.settings import Settings

pytestmark = pytest.mark.slow

PATIENCE = 20.0
STEADY = """
import os, sys, signal, pathlib
parent, ready = int(sys.argv[-2]), int(sys.argv[-1])
with pathlib.Path(sys.argv[1]).open("a") as starts:
    starts.write(f"{os.getpid()}\\n")
os.write(ready, b"ready")
signal.pause()
"""
STUBBORN = STEADY.replace("os.write", "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write")


def child(name: str, program: str, *arguments: str) -> Child:
    return Child(name, [sys.executable, "-c", program, *arguments])


def starts(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.005)


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    """Do something while the supervisor has the main thread, then ask it to stop."""

    def then_stop() -> None:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=then_stop)
    thread.start()
    return thread


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    seen = tmp_path / "starts"

    def kill_twice() -> None:
        for count in (1, 2):
            until(lambda count=count: len(starts(seen)) == count)  # type: ignore[misc]
            os.kill(starts(seen)[-1], signal.SIGKILL)
        until(lambda: len(starts(seen)) == 3)

    thread = meanwhile(kill_twice)
    assert Supervisor([child("steady", STEADY, str(seen))], os.environ).run()
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(starts(seen)[-1], 0)


def test_it_says_once_that_all_children_are_ready(tmp_path: Path) -> None:
    said: list[str] = []
    seen = [tmp_path / "a", tmp_path / "b"]

    def kill_one() -> None:
        until(lambda: said == ["ready"])
        os.kill(starts(seen[0])[0], signal.SIGKILL)
        until(lambda: len(starts(seen[0])) == 2)

    thread = meanwhile(kill_one)
    children = [child(path.name, STEADY, str(path)) for path in seen]
    Supervisor(children, os.environ, on_ready=lambda: said.append("ready")).run()
    thread.join()
    assert said == ["ready"]


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    seen = tmp_path / "starts"
    thread = meanwhile(lambda: until(lambda: len(starts(seen)) == 1))
    ready: list[str] = []
    supervisor = Supervisor(
        [child("stubborn", STUBBORN, str(seen))],
        os.environ,
        on_ready=lambda: ready.append("yes"),
        grace=0.2,
    )
    assert supervisor.run()
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(starts(seen)[0], 0)


def test_a_child_that_never_gets_ready_ends_the_attempt(tmp_path: Path) -> None:
    steady, broken = tmp_path / "starts", child("broken", "raise SystemExit(3)")
    assert not Supervisor([broken, child("steady", STEADY, str(steady))], os.environ).run()
    assert broken.failures == 5


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} .*ANNALS_HTTP_PORT"):
            up(Settings(data=tmp_path, http_port=port, grpc_port=0))


def test_a_folder_has_one_installation_at_a_time(tmp_path: Path) -> None:
    holder = (
        "import fcntl, os, sys\n"
        "lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "os.pwrite(lock, str(os.getpid()).encode(), 0)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(AlreadyRunning, match=str(other.pid)):
            up(Settings(data=tmp_path, http_port=0, grpc_port=0))
        other.kill()
