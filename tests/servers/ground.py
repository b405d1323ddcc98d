"""Empty databases of one kind, as many as a test asks for."""

from itertools import count

import psycopg

from shared.chassis.database import Database

__all__ = ["Ground"]


class Ground:
    """Gives one empty database after the other, all of one kind.

    Args:
        server: URL of a PostgreSQL database to cut schemas from; None gives SQLite in memory.
    """

    def __init__(self, server: str | None = None) -> None:
        self.server = server
        self._numbers = count()

    def database(self) -> Database:
        if self.server is None:
            return Database.sqlite(None)
        name = f"ground_{next(self._numbers)}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return Database.postgres(f"{self.server}?options=-csearch_path%3D{name}", pool=4)
