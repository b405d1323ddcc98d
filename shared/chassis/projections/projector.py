"""The projection engine: touched rows in one select, folds in memory, changed rows in one statement."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, MetaData, Table, and_, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded

__all__ = ["Projector", "copy_of"]

_KEYS_AT_ONCE = 400


class Projector:
    """Folds facts into the rows of read models.

    Args:
        projections: the read models of one database.
    """

    def __init__(self, projections: Iterable[type[Projection]]) -> None:
        self.projections = {projection.name: projection for projection in projections}

    def prepare(self, connection: Connection) -> None:
        """Create the tables that are not there."""
        for projection in self.projections.values():
            projection.table.create(connection, checkfirst=True)

    def apply(
        self,
        connection: Connection,
        projection: type[Projection],
        batch: Sequence[Recorded[Event]],
        table: Table | None = None,
        cache: dict[Key, Row | None] | None = None,
    ) -> None:
        """Fold a batch, in order, inside the caller's transaction.

        Args:
            connection: the transaction that also advances the tracked position.
            projection: the read model.
            batch: facts of one context in log order; those it does not fold are passed over.
            table: another table of the same shape to write to, for a copy that is being built.
            cache: rows this table is known to have; read before and updated after. Only for a table
                that nobody else writes.
        """
        if table is None:
            table = projection.table
        touched = [
            (recorded, list(projection.keys(recorded)))
            for recorded in batch
            if isinstance(recorded.event, projection.events)
        ]
        keys = dict.fromkeys(key for _, some in touched for key in some)
        if not keys:
            return
        known = {key: cache[key] for key in keys if key in cache} if cache is not None else {}
        before: dict[Key, Row] = {key: row for key, row in known.items() if row is not None}
        before |= load(connection, table, [key for key in keys if key not in known])
        after: dict[Key, Row | None] = dict(before)
        for recorded, some in touched:
            for key in dict.fromkeys(some):
                after[key] = projection.fold(key, after.get(key), recorded)
        write(connection, table, before, after)
        if cache is not None:
            cache.update(after)


def load(connection: Connection, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
    """Return the rows at these primary keys, by key."""
    columns = list(table.primary_key.columns)
    found: dict[Key, Row] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        where = (
            columns[0].in_([key[0] for key in some])
            if len(columns) == 1
            else tuple_(*columns).in_(some)
        )
        for row in connection.execute(select(table).where(where)).mappings():
            values = dict(row)
            found[tuple(values[column.name] for column in columns)] = values
    return found


def write(
    connection: Connection, table: Table, before: dict[Key, Row], after: dict[Key, Row | None]
) -> None:
    """Write the rows that differ: one upsert, and one delete for those that are gone."""
    columns = [column.name for column in table.columns]
    names = [column.name for column in table.primary_key.columns]
    changed = [
        {column: row.get(column) for column in columns} | dict(zip(names, key, strict=True))
        for key, row in after.items()
        if row is not None and row != before.get(key)
    ]
    gone = [key for key, row in after.items() if row is None and key in before]
    if changed:
        connection.execute(_upsert(table, connection.dialect.name), changed)
    for start in range(0, len(gone), _KEYS_AT_ONCE):
        some = gone[start : start + _KEYS_AT_ONCE]
        connection.execute(
            table.delete().where(
                or_(
                    *(
                        and_(*(table.c[n] == v for n, v in zip(names, key, strict=True)))
                        for key in some
                    )
                )
            )
        )


@lru_cache(maxsize=512)
def _upsert(table: Table, dialect: str) -> Any:
    insert = postgresql_insert if dialect == "postgresql" else sqlite_insert
    statement = insert(table)
    keys = {column.name for column in table.primary_key.columns}
    rest = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    if not rest:
        return statement.on_conflict_do_nothing(index_elements=sorted(keys))
    return statement.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key.columns], set_=rest
    )


def copy_of(table: Table, suffix: str) -> Table:
    """Return a table of the same shape under another name, with index names of its own."""
    copied = table.to_metadata(MetaData(), name=f"{table.name}__{suffix}")
    for index in copied.indexes:
        index.name = f"{index.name}__{suffix}"
    return copied
