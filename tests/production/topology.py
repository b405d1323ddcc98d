"""A deployed installation: a gateway, and an api and a worker process for every service."""

import base64
import json
import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from annals.installation import open_installation, service_names
from annals.provisioning import provisioning
from shared.chassis.clock import FileClock
from shared.chassis.messaging.lag import quiescent
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings
from shared.chassis.settingtypes import SERVICE
from tests.acceptance.installation import Running, wait
from tests.annals.deployment import Process, answers, port
from tests.servers.private import PrivateBroker, PrivatePostgres

__all__ = ["Issuer", "Topology", "topology"]

PROGRAM = "tests.production.process"


class Issuer:
    """The company's issuer of tokens."""

    url = "https://login.example.com/realms/acme"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def keys(self) -> str:
        """Its published keys (JWKS)."""
        published = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**published, "kid": "one", "alg": "EdDSA", "use": "sig"}]})

    def token(self, subject: str, roles: Sequence[str]) -> str:
        """Return a token for an hour; tokens go by the machine's clock."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.url,
            "aud": "annals",
            "sub": subject,
            "name": subject,
            "roles": list(roles),
            "iat": now,
            "exp": now + timedelta(hours=1),
        }
        return jwt.encode(claims, self._key, "EdDSA", headers={"kid": "one"})


class Topology(Running):
    """All processes of an installation in production mode.

    Args:
        folder: for the clock, the keys and the logs of the processes.
        postgres: where its databases are made.
        broker: its RabbitMQ.
    """

    def __init__(self, folder: Path, postgres: PrivatePostgres, broker: PrivateBroker) -> None:
        self.folder = folder
        self.issuer = Issuer()
        self._postgres = postgres
        (folder / "keys.json").write_text(self.issuer.keys)
        self._ports = {name: port() for name in ("gateway", *service_names())}
        self._operations: dict[str, int] = {}
        database = f"postgresql://annals_{SERVICE}@127.0.0.1:{postgres.port}/annals_{SERVICE}"
        self._given = self._chosen(database, broker.url)
        clock = FileClock(folder / "clock")
        address = f"http://127.0.0.1:{self._ports['gateway']}"
        super().__init__(Settings.model_validate(self._given), clock, address)
        self.client.headers["authorization"] = f"Bearer {self.token('admin', ['administrator'])}"
        self.processes: dict[str, Process] = {}
        self._stack = ExitStack()
        self._services: Sequence[OpenService] = ()

    def _chosen(self, database: str, broker: str) -> dict[str, Any]:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        return {
            "mode": "production",
            "key_encryption_key": key,
            "database_url": database,
            "database_pool": 3,
            "broker_url": broker,
            "token_issuer": self.issuer.url,
            "token_keys": str(self.folder / "keys.json"),
            "service_token": self.issuer.token("annals", ["service"]),
            "service_addresses": json.dumps(
                {name: f"127.0.0.1:{self._ports[name]}" for name in service_names()}
            ),
            "request_timeout": 60,
        }

    def token(self, employee_id: str, roles: Sequence[str]) -> str:
        """See `Running`."""
        return self.issuer.token(employee_id, roles)

    @contextmanager
    def services(self) -> Iterator[Sequence[OpenService]]:
        """Look into the databases, which stay open for the next look."""
        if not self._services:
            opened = open_installation(self.settings, self.clock)
            self._services = self._stack.enter_context(opened)
        yield self._services

    def settle(self) -> None:
        """See `Running`."""
        with self.services() as services:
            wait(lambda: quiescent(services))

    def migrate(self) -> None:
        """Make the databases and their schemas, as an operator does."""
        psql = str(self._postgres.binaries / "psql")
        command = [psql, "--quiet", "--no-psqlrc", self._postgres.url]
        script = provisioning(service_names())
        subprocess.run(command, input=script, text=True, check=True, stdout=subprocess.DEVNULL)
        migrating = self.process("migrate")
        migrating.start()
        assert migrating.ended() == 0, migrating.said()

    def environment(self) -> dict[str, str]:
        """Return the variables with which a command means this installation."""
        return {f"ANNALS_{name.upper()}": str(value) for name, value in self._given.items()}

    def process(self, command: str, **settings: object) -> Process:
        """Return a process of this installation, not started yet."""
        chosen = {
            "operations_port": 0,
            **self._given,
            **settings,
            "test_clock": self.folder / "clock",
        }
        log = self.folder / f"{command.replace(' ', '.')}.log"
        return Process(command, chosen, log, PROGRAM)

    def start(self, *commands: str) -> None:
        """Start processes, side by side, and wait until each is ready."""
        for command in commands:
            self.launch(command)
        for command in commands:
            self.processes[command].until(partial(self.is_ready, command))

    def launch(self, command: str) -> None:
        """Start a process; it may take a while until it is ready."""
        kind, _, name = command.partition(" ")
        ports: dict[str, int] = {}
        if kind == "gateway":
            ports["http_port"] = self._ports["gateway"]
        else:
            self._operations[command] = ports["operations_port"] = port()
        if kind == "api":
            ports["grpc_port"] = self._ports[name]
        self.processes[command] = self.process(command, **ports)
        self.processes[command].start()

    def is_ready(self, command: str) -> bool:
        """Whether a process says that it is ready."""
        port = self._operations.get(command, self._ports["gateway"])
        return answers(f"http://127.0.0.1:{port}/readyz")

    def replace(self, command: str) -> None:
        """Stop a process and start another in its place."""
        assert self.processes[command].stop() == 0
        self.start(command)

    def close(self) -> None:
        """Stop all that runs, workers first; each must end well."""
        self._stack.close()
        self.client.close()
        running = [one for one in self.processes.values() if one.running]
        for one in running:
            one.signal(signal.SIGTERM)
        codes = {one.command: one.ended() for one in running}
        assert set(codes.values()) <= {0}, codes


@contextmanager
def topology(folder: Path, postgres: PrivatePostgres, broker: PrivateBroker) -> Iterator[Topology]:
    """Run a whole installation for as long as the block lasts."""
    made = Topology(folder, postgres, broker)
    try:
        made.migrate()
        apis = [f"api {name}" for name in service_names()]
        workers = [f"worker {name}" for name in service_names()]
        made.start(*apis, *workers, "gateway")
        yield made
        made.close()
    finally:
        for process in made.processes.values():
            process.remove()
