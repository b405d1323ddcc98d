"""The projection engine: touched rows in one select, folded in memory, written in one statement."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, MetaData, Table, quoted_name

from shared.chassis.projections.rows import rows_of
from shared.chassis.shapes.projection import Key, Projection, Row
from shared.events.base import Event, Recorded

__all__ = ["Projector", "copy_of", "touches"]


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
    ) -> None:
        """Fold a batch, in order, inside the caller's transaction.

        Args:
            connection: the transaction that also advances the tracked position.
            projection: the read model.
            batch: facts of one context in log order; those it does not fold are passed over.
        """
        touched = touches(projection, batch)
        if projection.once:
            self._make(connection, projection, touched)
            return
        keys = list(dict.fromkeys(key for _, some in touched for key in some))
        if not keys:
            return
        rows = rows_of(projection.table, connection)
        before = rows.load(connection, keys)
        after: dict[Key, Row | None] = dict(before)
        for recorded, some in touched:
            for key in some:
                after[key] = projection.fold(key, after.get(key), recorded)
        rows.write(
            connection,
            [(key, row) for key, row in after.items() if row != before.get(key)],
        )

    @staticmethod
    def _make(connection: Connection, projection: type[Projection], touched: "Touched") -> None:
        fold = projection.fold
        new = [
            (key, row)
            for recorded, keys in touched
            for key in keys
            if (row := fold(key, None, recorded)) is not None
        ]
        if new:
            rows_of(projection.table, connection).fill(connection, new)


Touched = Sequence[tuple[Recorded[Event], Iterable[Key]]]
"""Facts, each with the keys of the rows it touches."""


def touches(projection: type[Projection], batch: Sequence[Recorded[Event]]) -> Touched:
    """Return the facts a read model folds, each with the distinct keys it touches."""
    folds = projection.folds
    if projection.once:
        return [(r, projection.keys(r)) for r in batch if type(r.event) in folds]
    return [
        (recorded, dict.fromkeys(projection.keys(recorded)))
        for recorded in batch
        if type(recorded.event) in folds
    ]


def copy_of(table: Table, suffix: str) -> Table:
    """Return a table like this one, with the suffix on its own name and on those of its indexes."""
    copied = table.to_metadata(MetaData(), name=table.name + suffix)
    for index in copied.indexes:
        index.name = quoted_name(f"{index.name}{suffix}", quote=None)
    return copied
