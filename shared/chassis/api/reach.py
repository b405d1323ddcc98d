"""Which records a command names, and whether its sender sees and may change them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from shared.chassis.api.editing import record_of
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor, Command, Forbidden, NotFound, Request
from shared.chassis.shapes.guard import Guard, Sight
from shared.events.base import refs_of

__all__ = ["reach_of"]


class _Named(NamedTuple):
    """A field of a command that holds ids of records somebody may not see."""

    field: str
    record: str
    rows: Select[Any]
    """The ids, of those asked for, that are there."""


def reach_of(
    command: type[Request], opened: OpenService
) -> Callable[[Command, Actor, Sight], None]:
    """Return the check that a command of this kind names no record its sender may not see.

    What the read models do not know is for the command itself to refuse: it may be new. The id that
    a caller chooses for a new record is not looked at.

    Args:
        command: its class.
        opened: the service; its read models tell whose a record is.

    Returns:
        A function of an issued command that raises `NotFound`, or `Forbidden` if its sender may
        see the record and no more.
    """
    named = list(_named(command, opened.service.guards))

    def unseen(wish: Command, actor: Actor, sight: Sight) -> tuple[str, str] | None:
        with opened.views_database.read() as connection:
            visible = opened.cut(actor, sight).over(connection)
            for field, record, rows in named:
                ids = _ids(getattr(wish, field))
                rest = ids - _there(visible, rows, ids)
                if hidden := _there(connection, rows, rest):
                    return record, min(hidden)
        return None

    def must_see(wish: Command, actor: Actor, sight: Sight) -> None:
        if sight.employees is None or not named:
            return
        changing = replace(sight, changes=True)
        if not unseen(wish, actor, changing):
            return
        if opened.log.answer(wish.envelope.command_id):
            return  # Said again after it took the record out of sight: it is answered alike.
        # It may have become theirs a moment ago: look again once the read models know all facts.
        opened.wait(opened.name, opened.log.tip())
        if found := unseen(wish, actor, sight):
            raise NotFound(*found)
        if found := unseen(wish, actor, changing):
            raise Forbidden(f"{found[0]}.write")

    return must_see


def _named(command: type[Request], guards: tuple[Guard, ...]) -> Iterator[_Named]:
    """Yield the fields that name records which are somebody's, or hang on what is."""
    own = f"{record_of(command, {guard.record for guard in guards})}_id"
    somebodys = {
        guard.record: guard.table.c[f"{guard.record}_id"]
        for guard in guards
        if guard.table.primary_key.columns.keys() == [f"{guard.record}_id"]
        and (guard.owners or guard.via)
        and command.__name__ not in guard.open_to
    }
    for name, info in command.model_fields.items():
        for ref in refs_of(info):
            key = somebodys.get(ref.kind)
            if key is not None and (name != own or info.is_required()):
                chosen = key.in_(bindparam("ids", expanding=True))
                yield _Named(name, ref.kind, select(key).where(chosen))


def _there(connection: Connection, rows: Select[Any], ids: set[str]) -> set[str]:
    return set(connection.execute(rows, {"ids": sorted(ids)}).scalars()) if ids else set()


def _ids(value: str | tuple[str, ...] | None) -> set[str]:
    return {value} if isinstance(value, str) else set(value or ())
