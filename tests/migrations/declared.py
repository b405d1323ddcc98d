"""What the code declares: the schema a service would make for itself in an empty database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, make_url

from shared.chassis.database import Database
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.messaging.relay import Relay
from shared.chassis.service import Service, open_service

__all__ = ["connected", "declare"]


def declare(service: Service, url: str) -> None:
    """Have a service make everything it uses, in an empty database."""
    database = Database.postgres(url)
    opened = open_service(service, database=database)
    Delivery(opened, pull_from([opened])).close()
    Relay(opened.log, lambda *_: None).close()
    opened.close()


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect to a database for as long as the block lasts."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
