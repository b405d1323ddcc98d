"""PostgreSQL and RabbitMQ of a test's own, from what is installed, to stop and kill at will."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NamedTuple

import kombu
import psycopg

__all__ = ["Absent", "PrivateBroker", "PrivatePostgres", "answers_amqp", "answers_postgres"]

_PATIENCE = 120.0
_PAUSE = 0.05
_launcher = ThreadPoolExecutor(1)
"""Starts the servers, which die with the thread that started them: it lives as long as we do."""


class Absent(Exception):
    """A server that is not to be had here."""


class _Identity(NamedTuple):
    """A user with nobody else's groups; None for whoever we are."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] | None = None

    def own(self, path: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


class PrivateServer(ABC):
    """A server process in a folder of its own, run by somebody who is not root.

    Its ports stay the same when it is started again.
    """

    users: ClassVar[tuple[str, ...]]
    """Who may run it where we are root, the first who exists."""

    def __init__(self) -> None:
        self._run: list[subprocess.Popen[bytes]] = []
        self.binaries = self.find_binaries()
        self.folder = Path(tempfile.mkdtemp(prefix=f"annals-{type(self).__name__.lower()}-"))
        self.port = free_port()
        self._identity = _identity(self.users)
        self._identity.own(self.folder)
        self.output = self.folder / "output"

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers."""

    @abstractmethod
    def find_binaries(self) -> Path:
        """Return the folder of its programs.

        Raises:
            Absent: it is not installed.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Make what its first start needs."""

    @abstractmethod
    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it answers."""

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return bool(self._run) and self._run[-1].poll() is None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers.

        Raises:
            Absent: it does not come up.
        """
        give_up = time.monotonic() + _PATIENCE
        if not self.output.exists():
            self.prepare()
        while not (self.running and self.answers()):
            if time.monotonic() > give_up:
                raise Absent(f"{type(self).__name__} does not come up: {self.last_words()}")
            if not self.running:  # what a killed one left behind may hold it up for a moment
                self._run.append(self.launch())
            time.sleep(_PAUSE)

    def stop(self) -> None:
        """Shut it down in order; what it acknowledged stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take it away without a word, as `kill -9` does."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Kill it and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def give(self, name: str, content: bytes) -> Path:
        """Put a file into its folder that only it can read; return its path."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        self._identity.own(path)
        return path

    def last_words(self) -> str:
        """Return the end of what it wrote."""
        return self.output.read_text(errors="replace")[-2000:] if self.output.exists() else ""

    def spawn(self, *command: object, **more: str) -> "subprocess.Popen[bytes]":
        """Start a program as the server's user; it ends when we do, however we end."""
        with self.output.open("ab") as output:
            return _launcher.submit(
                subprocess.Popen,
                [*_dies_with_us(), *map(str, command)],
                env=self.environment(**more),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self._identity.user,
                group=self._identity.group,
                extra_groups=self._identity.groups,
            ).result()

    def environment(self, **more: str) -> dict[str, str]:
        """Return a bare environment with some variables more."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **more}

    def _end(self, by: signal.Signals) -> None:
        if not self._run:
            return
        process = self._run[-1]
        if process.poll() is None:
            process.send_signal(by)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


class PrivatePostgres(PrivateServer):
    """A PostgreSQL cluster; everybody on this machine is its superuser."""

    users = ("postgres", "nobody")

    @property
    def url(self) -> str:
        """Where its first database answers."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def find_binaries(self) -> Path:
        """Return the newest installed version's programs."""
        found = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
        )
        known = shutil.which("initdb")
        if not found and known is None:
            raise Absent("PostgreSQL is not installed")
        return (found[-1] if found else Path(str(known))).parent

    def prepare(self) -> None:
        """Make an empty cluster."""
        made = self.spawn(
            self.binaries / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        if made.wait(_PATIENCE):
            raise Absent(f"PostgreSQL cannot make a cluster: {self.last_words()}")

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start it with syncing on: what it acknowledges survives its being killed."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "on",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.spawn(self.binaries / "postgres", "-D", self.folder / "data", *chosen)

    def answers(self) -> bool:
        """Whether it lets us in."""
        return answers_postgres(self.url)

    def stop(self) -> None:
        """Shut it down in order, throwing everybody out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Take it away with everyone who works for it: nobody answers another query."""
        workers = self._workers()
        super().kill()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def _workers(self) -> list[int]:
        if not self.running:
            return []
        postmaster = self._run[-1].pid
        try:
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
        except FileNotFoundError:  # not on Linux: they notice by themselves, a moment later
            return []
        return [int(child) for child in children.split()]


class PrivateBroker(PrivateServer):
    """A RabbitMQ node with a name, ports and a port mapper of its own."""

    users = ("rabbitmq", "nobody")

    def __init__(self) -> None:
        super().__init__()
        self._mapper: subprocess.Popen[bytes] | None = None
        self._mapper_port = free_port()
        self._peer_port = free_port()

    @property
    def url(self) -> str:
        """Where it answers the guest."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def find_binaries(self) -> Path:
        """Return the folder of the server's own scripts."""
        for folder in (Path("/usr/lib/rabbitmq/bin"), Path("/opt/homebrew/opt/rabbitmq/sbin")):
            if (folder / "rabbitmq-server").exists():
                return folder
        raise Absent("RabbitMQ is not installed")

    def prepare(self) -> None:
        """Write its cookie and an empty list of plugins."""
        for name, text in (
            ("enabled_plugins", "[].\n"),
            ("empty", ""),
            (".erlang.cookie", "annals"),
        ):
            path = self.folder / name
            path.write_text(text)
            path.chmod(0o400)
            self._identity.own(path)

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the port mapper, unless it runs, and the node."""
        if self._mapper is None or self._mapper.poll() is not None:
            self._mapper = self.spawn(
                "epmd", "-port", self._mapper_port, "-address", "127.0.0.1", **self._own()
            )
        return self.spawn(self.binaries / "rabbitmq-server", **self._own())

    def answers(self) -> bool:
        """Whether it lets the guest in."""
        return answers_amqp(self.url)

    def sync(self) -> None:
        """Have it write down everything it knows.

        A node that is killed in the first half second of a quorum queue may remember that the queue
        exists and not its log: the queue then never elects a leader.
        """
        self.control("eval", "[dets:sync(T) || T <- dets:all()].")

    def control(self, *words: object) -> str:
        """Run `rabbitmqctl` on it and return what it prints."""
        done = subprocess.run(
            [str(self.binaries / "rabbitmqctl"), *map(str, words)],
            env=self.environment(**self._own()),
            cwd=self.folder,
            check=True,
            timeout=_PATIENCE,
            stdout=subprocess.PIPE,
            user=self._identity.user,
            group=self._identity.group,
            extra_groups=self._identity.groups,
        )
        return done.stdout.decode()

    def remove(self) -> None:
        """Kill node and port mapper and delete the folder."""
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(60)
        super().remove()

    def _own(self) -> Mapping[str, str]:
        empty = str(self.folder / "empty")
        return {
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"annals-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._peer_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": empty,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "own"),  # .conf, if there is one
            "RABBITMQ_CONFIG_FILES": str(self.folder / "none.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(self.folder / "feature_flags"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the node, and is killed as one
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +sbwt none +sbwtdcpu none",
        }


def answers_postgres(url: str) -> bool:
    """Whether a PostgreSQL answers there."""
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def answers_amqp(url: str) -> bool:
    """Whether a RabbitMQ answers there."""
    connection = kombu.Connection(url, connect_timeout=3)
    try:
        connection.connect()
    except (*connection.connection_errors, *connection.channel_errors):
        return False
    finally:
        connection.release()
    return True


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _identity(users: tuple[str, ...]) -> _Identity:
    """Return who runs the server: ourselves, unless we are root."""
    if os.geteuid():
        return _Identity()
    for user in users:
        try:
            found = pwd.getpwnam(user)
        except KeyError:
            continue
        return _Identity(found.pw_uid, found.pw_gid, ())
    raise Absent(f"root may not run it, and there is nobody of {', '.join(users)}")


def _dies_with_us() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
