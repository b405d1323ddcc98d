"""PostgreSQL and RabbitMQ are spoken to in cipher, and only when they prove who they are."""

import ssl
from pathlib import Path

import pytest

from shared.chassis.database import OUTAGE, Database
from shared.chassis.lock import AdvisoryLock
from shared.chassis.worker.broker import Broker
from tests.servers.private import PrivateBroker, PrivatePostgres, PrivateServer, free_port
from tests.trust.authority import Authority, Issued

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "theirs")


def lent(server: PrivateServer, issued: Issued) -> Issued:
    """Give a server a certificate and its key, as files of its own."""
    return Issued(*(server.give(path.name, path.read_bytes()) for path in issued))


def test_postgresql(private_postgres: PrivatePostgres, ours: Authority, theirs: Authority) -> None:
    server, issued = private_postgres, lent(private_postgres, ours.issue("postgres"))
    plain = Database.postgres(server.url, pool=1)
    plain.fetch(f"ALTER SYSTEM SET ssl_cert_file = '{issued.certificate}'")
    plain.fetch(f"ALTER SYSTEM SET ssl_key_file = '{issued.key}'")
    plain.fetch("ALTER SYSTEM SET ssl = 'on'")
    server.give("data/pg_hba.conf", b"hostssl all all 127.0.0.1/32 trust\n")
    plain.fetch("SELECT pg_reload_conf()")
    plain.close()

    trusting = f"{server.url}?sslmode=verify-full&sslrootcert={ours.file}"
    database = Database.postgres(trusting, pool=1)
    assert database.fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]
    database.close()
    lock = AdvisoryLock(trusting, "relay")
    assert lock.take()
    lock.release()

    misled = f"{server.url}?sslmode=verify-full&sslrootcert={theirs.file}"
    for url in (misled, f"{server.url}?sslmode=disable"):
        database = Database.postgres(url, pool=1)
        with pytest.raises(OUTAGE):
            database.fetch("SELECT 1")
        database.close()


def test_rabbitmq(private_broker: PrivateBroker, ours: Authority, theirs: Authority) -> None:
    url = served(private_broker, ours.issue("here"))
    connection = Broker.amqp(url, authority=ours.file).connection()
    connection.connect()
    assert connection.connection.connected
    connection.release()
    assert refused(Broker.amqp(url, authority=theirs.file))

    url = served(private_broker, ours.issue("elsewhere", elsewhere=True))
    assert refused(Broker.amqp(url, authority=ours.file))


def served(server: PrivateBroker, issued: Issued) -> str:
    """Have a node answer under a certificate; return where."""
    lines = {
        "listeners.ssl.default": f"127.0.0.1:{free_port()}",
        "ssl_options.certfile": issued.certificate,
        "ssl_options.keyfile": issued.key,
    }
    lent_lines = {**lines, **dict(zip(list(lines)[1:], lent(server, issued), strict=True))}
    server.stop()
    server.give("own.conf", "".join(f"{k} = {v}\n" for k, v in lent_lines.items()).encode())
    server.start()
    return f"amqps://guest:guest@{lines['listeners.ssl.default']}//"


def refused(broker: Broker) -> bool:
    """Whether the broker's client does not trust what answers."""
    connection = broker.connection()
    try:
        connection.connect()
    except ssl.SSLCertVerificationError:
        return True
    finally:
        connection.release()
    return False
