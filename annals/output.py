"""What the command line prints: tables and lines for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.chassis.messaging.lag import Lag
from shared.chassis.messaging.parking import Letter
from shared.events.base import Recorded

__all__ = [
    "fact_document",
    "fact_story",
    "fact_table",
    "lag_document",
    "lag_table",
    "letter_document",
    "letter_table",
    "print_json",
    "say",
    "warn",
]

_WIDE = 200
"""Columns assumed where the output is no terminal, so that nothing is cut."""


def _console(stream: Any) -> Console:
    return Console(file=stream, width=None if stream.isatty() else _WIDE, highlight=False)


def say(what: str | Table) -> None:
    """Print a sentence or a table to standard output."""
    _console(sys.stdout).print(what)


def warn(sentence: str) -> None:
    """Print a plain sentence to standard error."""
    _console(sys.stderr).print(f"[red]annals:[/] {escape(sentence)}")


def print_json(document: Any) -> None:
    """Print one line of JSON to standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")


def _table(*columns: str, rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; columns whose names end in `#` hold numbers."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(
            column.removesuffix("#"), justify="right" if column.endswith("#") else "left"
        )
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    return made


def _moment(at: datetime, zone: tzinfo) -> str:
    """Return a moment as people of the business time zone write it."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def fact_document(fact: Recorded[Any]) -> dict[str, Any]:
    """Return everything known of a fact: its envelope, and its payload as `data`."""
    envelope = fact._asdict() | {"data": fact.event.model_dump(mode="json")}
    del envelope["event"]
    return {
        "event_id": fact.event_id,
        "topic": fact.topic,
        **envelope,
        "occurred_at": fact.occurred_at.isoformat(),
        "recorded_at": fact.recorded_at.isoformat(),
    }


def fact_table(facts: Iterable[Recorded[Any]], zone: tzinfo) -> Table:
    """Return one line per fact: when, what, about what, by whom."""
    return _table(
        "recorded",
        "position#",
        "event",
        "about",
        "version#",
        "by",
        rows=(
            (
                _moment(fact.recorded_at, zone),
                f"{fact.context}:{fact.position}",
                type(fact.event).__name__,
                fact.stream_id,
                fact.version,
                fact.actor,
            )
            for fact in facts
        ),
    )


def fact_story(fact: Recorded[Any], zone: tzinfo) -> str:
    """Return a fact as a paragraph: the moment, the fact, who, and what it says."""
    late = (
        f" (recorded {_moment(fact.recorded_at, zone)})"
        if abs(fact.recorded_at - fact.occurred_at).total_seconds() >= 1
        else ""
    )
    rule = f" by rule {escape(fact.rule)}" if fact.rule else ""
    head = (
        f"{_moment(fact.occurred_at, zone)}  [bold]{type(fact.event).__name__}[/]  "
        f"{fact.context}:{fact.position}  {escape(fact.actor)}{rule}{late}"
    )
    said = fact.event.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    lines = [f"    {name}: {escape(_short(value))}" for name, value in said.items()]
    if fact.erased:
        lines.append("    [dim]personal data erased[/]")
    return "\n".join([head, *lines])


def lag_document(row: Lag) -> dict[str, Any]:
    """Return a consumer's distance from a log."""
    return {
        "service": row.service,
        "consumer": row.consumer,
        "context": row.context,
        "position": row.position,
        "tip": row.tip,
        "events": row.events,
        "seconds": round(row.seconds, 3),
    }


def lag_table(rows: Iterable[Lag]) -> Table:
    """Return one line per consumer and log."""
    columns = ("service", "consumer", "log", "position#", "tip#", "behind#", "seconds#")
    cells = (
        (r.service, r.consumer, r.context, r.position, r.tip, r.events, f"{r.seconds:.1f}")
        for r in rows
    )
    return _table(*columns, rows=cells)


def letter_document(home: str, letter: Letter) -> dict[str, Any]:
    """Return a parked letter, with the name by which `parked skip` knows it."""
    return {
        "letter": f"{home}:{letter.number}",
        "consumer": letter.consumer,
        "lane": letter.lane,
        "kind": letter.kind.value,
        "context": letter.context,
        "position": letter.position,
        "error": letter.error,
        "parked_at": letter.parked_at.isoformat(),
    }


def letter_table(letters: Iterable[tuple[str, Letter]]) -> Table:
    """Return one line per parked letter, in order."""
    columns = ("letter", "consumer", "lane", "what", "why")
    cells = (
        (
            f"{home}:{letter.number}",
            letter.consumer,
            letter.lane,
            letter.kind.value if letter.context is None else f"{letter.context}:{letter.position}",
            letter.error,
        )
        for home, letter in letters
    )
    return _table(*columns, rows=cells)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
