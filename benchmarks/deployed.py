"""A production installation for benchmarks: PostgreSQL, tokens of an issuer, chosen processes."""

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import grpc
import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg import sql

from annals.installation import service_names
from benchmarks.processes import ROOT, free_port, running, wait_until_up
from shared.chassis.settings import Settings
from tests.servers.private import PrivateBroker

__all__ = ["POSTGRES", "Deployed", "databases", "deployed"]

POSTGRES = os.environ.get("ANNALS_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
_ISSUER = "https://issuer.example"
_PATIENCE = 120.0
_HOUR = 3600


@contextmanager
def databases(names: Sequence[str]) -> Iterator[str]:
    """Make an empty PostgreSQL database per name.

    Returns:
        The URL of each, with `{service}` for its name.
    """
    prefix = f"annals_bench_{secrets.token_hex(4)}_"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        for name in names:
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
                ).format(sql.Identifier(prefix + name))
            )
    try:
        yield f"{urlsplit(POSTGRES)._replace(path='').geturl()}/{prefix}{{service}}"
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            for name in names:
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(prefix + name))
                )


@dataclass
class Deployed:
    """An installation of which one API process serves all services.

    Args:
        environment: of its processes.
        address: where its gRPC is.
        token: of an administrator.
    """

    environment: dict[str, str]
    address: str
    token: str
    _stack: ExitStack
    http_port: int = field(default_factory=free_port)

    @property
    def settings(self) -> Settings:
        """What its processes read from their environment."""
        return Settings.model_validate(
            {name.removeprefix("ANNALS_").lower(): v for name, v in self.environment.items()}
        )

    def api(self, *names: str) -> "subprocess.Popen[bytes]":
        """Run one API process for these services and wait until it serves."""
        host, _, port = self.address.rpartition(":")
        process = self._run(["api", *names], ANNALS_HOST=host, ANNALS_GRPC_PORT=port)
        with grpc.insecure_channel(self.address) as channel:
            grpc.channel_ready_future(channel).result(timeout=_PATIENCE)
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return process

    def worker(self, *names: str) -> "subprocess.Popen[bytes]":
        """Run one worker process for these services and wait until it has caught up."""
        port = free_port()
        process = self.worker_behind(*names, port=port)
        wait_until_up(port, "/readyz", process, _PATIENCE)
        return process

    def worker_behind(self, *names: str, port: int = 0) -> "subprocess.Popen[bytes]":
        """Run one worker process for these services; it catches up in its own time."""
        return self._run(["worker", *names], ANNALS_OPERATIONS_PORT=str(port))

    def gateway(self) -> "subprocess.Popen[bytes]":
        """Run the gateway and wait until it answers."""
        process = self._run(["gateway"], ANNALS_HTTP_PORT=str(self.http_port))
        wait_until_up(self.http_port, "/healthz", process, _PATIENCE)
        return process

    def _run(self, command: Sequence[str], **more: str) -> "subprocess.Popen[bytes]":
        environment = {
            **self.environment,
            "ANNALS_OPERATIONS_PORT": str(free_port()),
            **more,
        }
        return self._stack.enter_context(running(["-m", "annals", *command], environment))


@contextmanager
def deployed(names: Sequence[str] = (), **settings: str) -> Iterator[Deployed]:
    """Migrate the databases of services (all when none are named) and give their installation.

    Args:
        names: the services.
        settings: further settings, e.g. `rate_limit="0"`.
    """
    names = names or service_names()
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    keys = json.dumps({"keys": [{**public, "kid": "bench", "alg": "ES256", "use": "sig"}]})
    claims = {
        "iss": _ISSUER,
        "aud": "annals",
        "sub": "bench",
        "roles": ["administrator", "service"],
        "exp": int(time.time()) + 24 * _HOUR,
    }
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "bench"})
    with ExitStack() as stack:
        url = stack.enter_context(databases(names))
        broker = PrivateBroker()  # queues are named after services: nobody else may use them
        stack.callback(broker.remove)
        broker.start()
        address = f"127.0.0.1:{free_port()}"
        environment = {
            "ANNALS_MODE": "production",
            "ANNALS_DATABASE_URL": url,
            "ANNALS_BROKER_URL": broker.url,
            "ANNALS_KEY_ENCRYPTION_KEY": base64.b64encode(bytes(32)).decode(),
            "ANNALS_TOKEN_ISSUER": _ISSUER,
            "ANNALS_TOKEN_KEYS": keys,
            "ANNALS_SERVICE_ADDRESS": address,
            "ANNALS_SERVICE_TOKEN": token,
            "ANNALS_LOG_LEVEL": "error",
            "ANNALS_RATE_LIMIT": "0",
            **{f"ANNALS_{name.upper()}": value for name, value in settings.items()},
        }
        subprocess.run(
            [sys.executable, "-m", "annals", "migrate", *names],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield Deployed(environment, address, token, stack.enter_context(ExitStack()))
