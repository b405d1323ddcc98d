"""What the command line prints: tables and lines for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.chassis.messaging.lag import Lag
from shared.chassis.messaging.parking import Letter
from shared.chassis.projections.rebuild import Rebuilt
from shared.events.base import Recorded

__all__ = [
    "fact_document",
    "fact_line",
    "fact_story",
    "lag_document",
    "letter_document",
    "print_json",
    "rebuilt_document",
    "rebuilt_line",
    "say",
    "show",
    "warn",
]

_WIDE = 200
"""Columns assumed where the output is no terminal, so that nothing is cut."""


def _console(stream: Any) -> Console:
    return Console(file=stream, width=None if stream.isatty() else _WIDE, highlight=False)


def say(what: str | Table) -> None:
    """Print a sentence, with markup, or a table to standard output."""
    _console(sys.stdout).print(what)


def warn(sentence: str) -> None:
    """Print a plain sentence to standard error."""
    _console(sys.stderr).print(f"[red]annals:[/] {escape(sentence)}")


def print_json(document: Any) -> None:
    """Print one line of JSON to standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")


def show(documents: Sequence[Mapping[str, Any]], *, json: bool) -> None:
    """Print documents of one form: as a JSON array, or as a table headed by their names."""
    if json:
        print_json(list(documents))
        return
    if not documents:
        say("none")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, value in documents[0].items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(name.replace("_", " "), justify="right" if number else "left")
    for document in documents:
        table.add_row(
            *("" if value is None else escape(_short(value)) for value in document.values())
        )
    say(table)


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


def fact_line(fact: Recorded[Any], zone: tzinfo) -> dict[str, Any]:
    """Return when, where, what, about what, by whom."""
    return {
        "recorded": _moment(fact.recorded_at, zone),
        "place": f"{fact.context}:{fact.position}",
        "event": type(fact.event).__name__,
        "about": fact.stream_id,
        "version": fact.version,
        "by": fact.actor,
    }


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


def rebuilt_document(service: str, rebuilt: Rebuilt) -> dict[str, Any]:
    """Return what came of rebuilding or checking a read model."""
    return {"service": service, **asdict(rebuilt)}


def rebuilt_line(service: str, rebuilt: Rebuilt) -> dict[str, Any]:
    """Return the same for people: when it was checked, with a fingerprint and the verdict."""
    return {
        "service": service,
        "read model": rebuilt.projection,
        "facts": rebuilt.facts,
        "rows": rebuilt.rows,
        "seconds": round(rebuilt.seconds, 2),
        "fingerprint": (rebuilt.digest or "")[:12],
        "": {None: "rebuilt", True: "equal", False: "DIFFERS"}[rebuilt.equal],
    }


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
