"""`annals up`: an embedded installation, one process for the API and one for the workers."""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import structlog

from annals.installation import clock
from annals.supervisor import Child, Supervisor
from shared.chassis.settings import PREFIX, Settings

__all__ = ["AlreadyRunning", "PortTaken", "up"]

log = structlog.get_logger(__name__)

_LEFTOVERS = 12.0
"""Seconds that children of a killed installation get to notice and to end."""


class AlreadyRunning(Exception):
    """Another installation has this data folder.

    Args:
        data: the folder.
        pid: its supervising process; None when only other processes of it are left.
    """

    def __init__(self, data: Path, pid: int | None) -> None:
        who = "processes of a killed installation do not end" if pid is None else f"process {pid}"
        super().__init__(
            f"an installation is running in {data} already ({who}); "
            f"stop it, or choose another folder with {PREFIX}DATA"
        )


class PortTaken(Exception):
    """Something else listens where this installation should."""

    def __init__(self, setting: str, host: str, port: int) -> None:
        super().__init__(
            f"port {port} of {host} is in use; choose another with {setting} (0 takes a free one)"
        )


def up(settings: Settings, ready: Callable[[str], None] = lambda _: None) -> bool:
    """Run the installation until it is told to stop by SIGINT or SIGTERM.

    Args:
        settings: of the installation.
        ready: called with the address of the API once it answers and the workers have caught up.

    Returns:
        Whether it was told to stop; False when a process would not start.

    Raises:
        AlreadyRunning: another installation runs in the data folder.
        PortTaken: a port is in use.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    with _locked(settings.data) as lock:
        settings = settings.model_copy(update=_free_ports(settings))
        settings.wrapping_keys()
        settings.signing_secret()
        clock(settings)
        address = f"http://{settings.host}:{settings.http_port}"

        def announce() -> None:
            log.info("ready", url=address)
            ready(address)

        command = [sys.executable, "-m", "annals.processes"]
        return Supervisor(
            [Child(name, [*command, name]) for name in ("api", "worker")],
            {**os.environ, **settings.environment()},
            inherited=[lock],
            on_ready=announce,
        ).run()


@contextmanager
def _locked(data: Path) -> Iterator[int]:
    """Hold the data folder by two locks: this process's own, and one that its children inherit.

    The first tells at once that an installation is running. The second is released with the last
    child, so that those of an installation that was killed are waited for.
    """
    with _lock_file(data / "lock") as own, _lock_file(data / "lock.processes") as inherited:
        if not _try_lock(own):
            raise AlreadyRunning(data, _holder(own))
        os.ftruncate(own, 0)
        os.pwrite(own, str(os.getpid()).encode(), 0)
        give_up = time.monotonic() + _LEFTOVERS
        while not _try_lock(inherited):
            if time.monotonic() > give_up:
                raise AlreadyRunning(data, None)
            time.sleep(0.05)
        yield inherited


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _try_lock(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _holder(file: int) -> int | None:
    return int(os.pread(file, 20, 0) or b"0") or None


def _free_ports(settings: Settings) -> dict[str, int]:
    """Return the ports that can be listened on, free ones where the settings say 0."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = {}
    with ExitStack() as probes:
        for name in ("http_port", "grpc_port"):
            wanted = getattr(settings, name)
            probe = probes.enter_context(socket.socket(family))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, wanted))
            except OSError as error:
                raise PortTaken(PREFIX + name.upper(), settings.host, wanted) from error
            found[name] = int(probe.getsockname()[1])
    return found
