"""A service's schema: the revisions this release knows, and what a database stands at.

Revisions are Alembic scripts in `services/<context>/migrations`, one after the other and forward
only; their files are named `r<revision>_<what>.py`. One that only adds says `expands = True`:
programs of the revision before it go on running on it, so that a service is upgraded by migrating
first and replacing its processes one by one. What they no longer need is taken away by a later
revision, which does not say so (expand and contract).

The database keeps its revision in `schema_version`, and in `schema_admits` every revision whose
programs may use it. A program starts when its own newest revision is among them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    NullPool,
    String,
    Table,
    column,
    create_engine,
    inspect,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy.exc import OperationalError

__all__ = ["VERSIONS", "Schema", "SchemaBusy", "SchemaUnfit", "Standing", "admits"]

VERSIONS = "schema_version"
"""Alembic's table of the revision a database is at."""
admits = Table("schema_admits", MetaData(), Column("revision", String, primary_key=True))
"""The revisions whose programs may use a database."""

_LOCK = "SELECT pg_advisory_lock(hashtextextended('annals.migrate', 0))"
_LOCK_TIMEOUT = "SET lock_timeout = '10s'"
"""DDL that waits for a table holds up everybody behind it, so it does not wait for long."""


class Standing(StrEnum):
    """How a database relates to the revisions of this release."""

    FIT = "fit"
    """This release runs on it."""
    EMPTY = "empty"
    """Nothing was ever migrated."""
    OLD = "old"
    """Its revision is known and lies before the one this release needs."""
    NEW = "new"
    """Its revision belongs to a later release, which does not admit this one."""


class SchemaUnfit(Exception):
    """A service cannot run on its database; the message says what to do.

    Args:
        context: the service.
        standing: how the database stands.
        found: its revision, None when it has none.
        needed: the newest revision of this release.
    """

    def __init__(self, context: str, standing: Standing, found: str | None, needed: str) -> None:
        what = {
            Standing.EMPTY: f"has no schema yet; run `annals migrate {context}`",
            Standing.OLD: f"is at revision {found} and this release needs {needed}; "
            f"run `annals migrate {context}`",
            Standing.NEW: f"is at revision {found}, which this release (revision {needed}) "
            "does not know and which does not admit it; run a newer release",
        }
        super().__init__(f"the database of {context} {what[standing]}")
        self.context = context
        self.standing = standing


class SchemaBusy(Exception):
    """A table could not be changed because a long transaction uses it; nothing was changed."""

    def __init__(self, context: str) -> None:
        super().__init__(
            f"a table of {context} is in use by a long transaction; nothing was changed, try again"
        )


class Schema:
    """The schema of one service.

    Args:
        context: the service.
        folder: its Alembic scripts.
    """

    def __init__(self, context: str, folder: Path) -> None:
        self.context = context
        self.folder = folder

    @cached_property
    def head(self) -> str:
        """The newest revision of this release."""
        return self._revisions[-1]

    def standing(self, url: str) -> tuple[Standing, str | None]:
        """Return how a database stands, and its revision.

        Args:
            url: of the database, `postgresql://…`.

        Raises:
            sqlalchemy.exc.OperationalError: it does not answer.
        """
        with _connected(url) as connection:
            return self._standing(connection)

    def check(self, url: str) -> None:
        """Make sure that this release runs on a database.

        Raises:
            SchemaUnfit: it does not.
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        standing, found = self.standing(url)
        if standing is not Standing.FIT:
            raise SchemaUnfit(self.context, standing, found, self.head)

    def upgrade(self, url: str) -> list[str]:
        """Bring a database to the newest revision; others who try at the same time wait.

        A database of a later release is left as it is.

        Returns:
            The revisions that were applied.

        Raises:
            SchemaBusy: a table is in use for too long.
            SchemaUnfit: the database belongs to a later release that does not admit this one.
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        with _connected(url) as connection:
            connection.execute(text(_LOCK))
            connection.execute(text(_LOCK_TIMEOUT))
            connection.commit()
            standing, found = self._standing(connection)
            if standing is Standing.NEW:
                raise SchemaUnfit(self.context, standing, found, self.head)
            if not self._knows(found):
                return []
            pending = self._pending(found)
            try:
                self._run("head", connection=connection)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
                    raise SchemaBusy(self.context) from error
                raise
            return pending

    def sql(self, url: str) -> str:
        """Return the statements with which `upgrade` would change a database."""
        _, found = self.standing(url)
        if not self._knows(found) or not self._pending(found):
            return ""
        written = StringIO()
        self._run(f"{found or 'base'}:{self.head}", written)
        return written.getvalue()

    def _standing(self, connection: Connection) -> tuple[Standing, str | None]:
        found, admitted = None, set[str]()
        if inspect(connection).has_table(VERSIONS):
            found = connection.scalar(select(column("version_num")).select_from(table(VERSIONS)))
        if found is not None:
            admitted = set(connection.scalars(select(admits.c.revision)))
        connection.rollback()
        if found is None:
            return Standing.EMPTY, None
        if self.head in admitted:
            return Standing.FIT, found
        return (Standing.OLD if self._knows(found) else Standing.NEW), found

    def _knows(self, revision: str | None) -> bool:
        return revision is None or revision in self._revisions

    def _pending(self, found: str | None) -> list[str]:
        """Return the revisions after `found`, oldest first."""
        return self._revisions[self._revisions.index(found) + 1 if found else 0 :]

    @cached_property
    def _revisions(self) -> list[str]:
        """All revisions of this release, oldest first."""
        return sorted(file.stem.partition("_")[0][1:] for file in self.folder.glob("r[0-9]*.py"))

    def _run(self, revisions: str, written: TextIO | None = None, **attributes: Any) -> None:
        """Run revisions on a connection, or write them down."""
        from alembic import command  # noqa: PLC0415 - none but a migration needs it
        from alembic.config import Config  # noqa: PLC0415

        config = Config(output_buffer=written, attributes=attributes)
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.set_main_option("version_locations", str(self.folder))
        config.set_main_option("path_separator", "newline")
        command.upgrade(config, revisions, sql=written is not None)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"application_name": "annals migrate", "connect_timeout": 10},
    )
    with engine.connect() as connection:
        yield connection
