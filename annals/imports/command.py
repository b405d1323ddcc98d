"""`annals import`: a table from another system, row by row, into the embedded installation."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from annals import installation, output, reading
from annals.imports.kinds import FINAL
from annals.imports.mapping import MappingError, load_mapping
from annals.imports.session import Report, Watch, import_table, rehearsal
from annals.imports.tables import UnreadableFile
from annals.staff import Ambiguous, Staff, Stranger
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings
from shared.chassis.shapes import Actor

__all__ = ["import_records"]

_REJECTED, _WRONG = 1, 2


def import_records(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(help=f"What its rows are: {', '.join(FINAL)}."),
    ],
    file: Annotated[Path, typer.Argument(help="CSV, a zip archive with one, or XLSX.")],
    mapping: Annotated[Path, typer.Option(help="How columns become fields; see docs/import.md.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try everything on a copy and keep nothing.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected rows go; by default FILE.rejects.csv right here."),
    ] = None,
    acting: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="The member of staff who imports; else the administrator."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Import a table from another system.

    Rows that were imported before are left alone, so that an import can be repeated, or gone on
    with after it was broken off. Exit codes: 0 everything is in, 1 some rows were rejected, 2 the
    command, the mapping or the file is wrong.

    **Examples**

    `annals import leads leads.csv --mapping examples/mappings/olist-leads.yaml --dry-run`

    `annals import tickets incidents.zip --mapping uci-tickets.yaml --rejects bad.csv --json`
    """
    settings: Settings = context.obj
    rejects = rejects or Path(f"{file.stem}.rejects.csv")
    try:
        how = load_mapping(mapping)
        with (
            rehearsal(settings) if dry_run else nullcontext(settings) as chosen,
            installation.open_installation(chosen) as services,
            _progress() as watch,
        ):
            report = import_table(
                kind,
                file,
                how,
                services,
                actor=_actor(acting, services),
                zone=settings.zone,
                rejects=rejects,
                watch=watch,
            )
    except MappingError as error:
        for problem in error.problems:
            output.warn(f"{mapping}: {problem}")
        raise typer.Exit(_WRONG) from None
    except (UnreadableFile, Stranger, Ambiguous) as error:
        output.warn(str(error))
        raise typer.Exit(_WRONG) from None
    document = _document(kind, file, report, rejects, dry_run=dry_run)
    if json:
        output.print_json(document)
    else:
        _say(document)
    if report.tally.rejected:
        raise typer.Exit(_REJECTED)


def _actor(name: str | None, services: Sequence[OpenService]) -> Actor:
    if name is None:
        return DEVELOPMENT_ADMINISTRATOR
    (workplace,) = (service for service in services if service.name == "workplace")
    staff = Staff(reading.facts([workplace.log]))
    member = staff.member(name)
    return Actor(
        id=member.id, name=member.name, roles=member.roles, unit=staff.path(member.unit_id)
    )


def _document(
    kind: str, file: Path, report: Report, rejects: Path, *, dry_run: bool
) -> dict[str, Any]:
    tally = report.tally
    return {
        "kind": kind,
        "file": str(file),
        "import_id": report.import_id,
        "dry_run": dry_run,
        "rows": report.rows,
        "records": tally.records,
        "added": tally.added,
        "known": tally.known,
        "rejected": tally.rejected,
        "rejected_rows": report.rejected_rows,
        "reasons": dict(tally.reasons.most_common()),
        "rejects": str(rejects) if report.rejected_rows else None,
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows / report.seconds) if report.seconds else None,
    }


def _say(document: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name in ("rows", "records", "added", "known", "rejected"):
        table.add_row(_WORDS.get(name, name), f"{document[name]:,}")
    for reason, count in document["reasons"].items():
        table.add_row(f"  {escape(reason)}", f"{count:,}")
    output.say(table)
    rate = f"{document['rows_per_second']:,} rows/s"
    output.say(f"import {document['import_id']} took {document['seconds']:.1f} s ({rate})")
    if document["rejects"]:
        output.say(f"rejected rows are in {escape(document['rejects'])}")
    if document["dry_run"]:
        output.say("nothing was kept: this was a dry run")


_WORDS = {"known": "known already"}


@contextmanager
def _progress() -> Iterator[Watch]:
    """Show a bar on a terminal while the block runs."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def watch(what: str, done: int, size: int) -> None:
            bar.update(task, description=what, completed=done, total=size)

        yield watch
