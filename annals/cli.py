"""The command line of operators, analysts and auditors."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from annals import deployables, installation, output, reading
from annals.demo.command import demo
from annals.entry import ABSENT, WRONG, Failure, options, run
from annals.keys import rotate_keys
from annals.staff import Ambiguous, Staff, Stranger
from shared.chassis.api.identity import issue_token
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.messaging.lag import lag as lags
from shared.chassis.messaging.lag import quiescent, relay_lag
from shared.chassis.messaging.parking import Letter
from shared.chassis.messaging.subscription import Subscription
from shared.chassis.projections.rebuild import CannotFold, Rebuilt, Source, rebuild
from shared.chassis.service import OpenService
from shared.chassis.settings import Mode, Settings
from shared.chassis.shapes import Projection, Unavailable

if TYPE_CHECKING:
    from shared.chassis.api.distant import Distant

__all__ = ["app", "main"]

log = structlog.get_logger(__name__)

_PAUSE = 0.05

app = typer.Typer(
    help="Annals: a CRM whose memory is its history.",
    epilog="Exit codes: 0 done, 1 refused or a check failed, 2 wrong command or setting, "
    "3 no installation or no answer.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
parked_app = typer.Typer(help="What could not be applied, and what to do about it.")
app.callback()(options)
app.add_typer(parked_app, name="parked")
app.command()(demo)
if len(installation.service_names()) > 1:  # the image of one service holds no other's commands
    from annals.imports.command import import_records

    app.command("import")(import_records)
for deployable in deployables.COMMANDS:
    app.command()(deployable)
app.command()(rotate_keys)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _moment(sentence: str) -> Any:
    return typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        metavar="DATE[THH:MM:SS[+ZZ:ZZ]]",
        help=sentence,
    )


@app.command()
def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="HTTP port instead of ANNALS_HTTP_PORT; 0: any free."),
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="gRPC port instead of ANNALS_GRPC_PORT; 0: any free."),
    ] = None,
) -> None:
    """Run everything on this machine until Ctrl-C: API, pages and workers.

    **Examples**

    `annals up`

    `annals --data /srv/annals up --port 9090`
    """
    from annals.up import AlreadyRunning, PortTaken
    from annals.up import up as run

    chosen = {"http_port": port, "grpc_port": grpc_port}
    settings: Settings = context.obj.model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    try:
        stopped = run(settings, _welcome)
    except (AlreadyRunning, PortTaken) as error:
        raise Failure(str(error)) from None
    if not stopped:
        raise Failure("a process would not start; the log lines above say why")


@app.command("log")
def show_log(
    context: typer.Context,
    contexts: Annotated[
        list[str] | None, typer.Option("--context", help="Only this context; may be repeated.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="Only facts of this name or topic; * and ? match.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only what this employee or `system:<policy>` did.")
    ] = None,
    since: Annotated[datetime | None, _moment("Recorded then or later.")] = None,
    until: Annotated[datetime | None, _moment("Recorded before.")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="Last N facts; 0: all.")] = 20,
    json: Json = False,
) -> None:
    """Show the latest facts of all contexts, oldest first.

    **Examples**

    `annals log -n 50`

    `annals log --context leads --event 'Lead*' --since 2026-01-01`

    `annals log --actor system:recycle_idle_lead --limit 0 --json`
    """
    settings: Settings = installation.installed(context.obj)
    wanted = reading.Filter(
        event=event,
        actor=actor,
        since=_aware(since, settings),
        until=_aware(until, settings),
    )
    with installation.open_installation(settings) as services:
        chosen = [service.log for service in _named(services, contexts or [])]
        found = reading.latest(chosen, limit, wanted)
        if json:
            for fact in found:
                output.print_json(output.fact_document(fact))
        else:
            output.show([output.fact_line(fact, settings.zone) for fact in found], json=False)


@app.command()
def history(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Any id: of a lead, an account, an invoice.")],
    related: Annotated[
        bool, typer.Option(help="Also facts about others that name the id; reads every log.")
    ] = False,
    json: Json = False,
) -> None:
    """Tell everything that ever happened to one thing.

    **Examples**

    `annals history 0197a3c2-5f6e-7c1a-9a53-0f6f2b1e4d70`

    `annals history 0197a3c2-5f6e-7c1a-9a53-0f6f2b1e4d70 --related --json`
    """
    settings: Settings = installation.installed(context.obj)
    with installation.open_installation(settings) as services:
        every = [service.log for service in services]
        if related:
            with _progress("reading the logs", sum(log.tip() for log in every)) as advance:
                facts = reading.facts(every, seen=advance)
                found = [fact for fact in facts if reading.refers_to(fact, id)]
        else:
            found = reading.history(every, id)
        if not found:
            raise Failure(f"nothing is recorded about {id}")
        for fact in found:
            if json:
                output.print_json(output.fact_document(fact))
            else:
                output.say(output.fact_story(fact, settings.zone))


@app.command()
def lag(
    context: typer.Context,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Wait this long until nothing is left to do; else exit 3.",
        ),
    ] = 0,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Exit 1 when something waits for longer than this."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show how far every consumer is behind every log it reads, and every relay behind its own.

    **Examples**

    `annals lag`

    `annals lag --wait 60 && echo everything is applied`

    `annals lag --max-seconds 30 --json`
    """
    settings: Settings = installation.installed(context.obj)
    with installation.open_installation(settings) as services, _elsewhere(settings) as distant:
        give_up = time.monotonic() + wait
        while not (settled := not wait or quiescent(services, distant.ahead)):
            if time.monotonic() >= give_up:
                break
            time.sleep(_PAUSE)
        rows = [*relay_lag(services), *lags(services, distant.ahead)]
        output.show([output.lag_document(row) for row in rows], json=json)
        if not settled:
            raise Failure(f"not everything is applied after {wait:g} s", ABSENT)
    late = [row for row in rows if max_seconds is not None and row.seconds > max_seconds]
    if late:
        worst = max(late, key=lambda row: row.seconds)
        name = f"{worst.service}.{worst.consumer}"
        raise Failure(f"{name} is {worst.seconds:.0f} s behind {worst.context}")


@app.command("rebuild")
def rebuild_views(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Read models or services; all when none is named."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing: compare a rebuilt copy with the live rows."),
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--service",
            metavar="SERVICE",
            help="Open no other service's database: their logs are read from their APIs.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Fold read models anew from the logs, or prove that the live ones are what the logs say.

    It may run while Annals is up: the old rows serve until the new ones take their place.

    **Examples**

    `annals rebuild`

    `annals rebuild lead_list analytics`

    `annals rebuild --service leads role_rights`

    `annals rebuild --check --json`
    """
    done = _folded_anew(installation.installed(context.obj), names or [], only, check=check)
    document = output.rebuilt_document if json else output.rebuilt_line
    output.show([document(service, one) for service, one in done], json=json)
    if wrong := [one.projection for _, one in done if one.equal is False]:
        raise Failure(f"not what the logs say: {', '.join(wrong)}")


def _folded_anew(
    settings: Settings, names: Sequence[str], only: str | None, *, check: bool = False
) -> list[tuple[str, Rebuilt]]:
    """Fold read models anew, or compare them, and return what came of each, by service."""
    done: list[tuple[str, Rebuilt]] = []
    with _opened(settings, only) as services, _elsewhere(settings) as distant:
        logs = {service.name: service.log for service in services}
        meant = [service for service in services if only in {None, service.name}]
        for service, chosen in _read_models(meant, names):
            sources: dict[str, Source] = {
                context: logs.get(context) or distant.log(context)
                for projection in chosen
                for context in projection.contexts()
            }
            with _folding(service.name) as progress:
                views = service.views_database
                try:
                    found = rebuild(
                        views,
                        chosen,
                        sources,
                        subscription=f"{service.name}.views",
                        check=check,
                        progress=progress,
                    )
                except (CannotFold, Unavailable) as error:
                    raise Failure(f"{service.name}: {error}") from None
                done += [(service.name, one) for one in found]
    return done


def _opened(settings: Settings, only: str | None) -> AbstractContextManager[Sequence[OpenService]]:
    """Open all services, or one: embedded, all databases are files, and there may be no API."""
    homes = [only] if only and settings.database_url else []
    return installation.open_installation(settings, names=homes)


@app.command()
def erase(
    context: typer.Context,
    subjects: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Of the person: as lead, contact, customer or staff."),
    ],
    only: Annotated[
        str | None,
        typer.Option("--service", metavar="SERVICE", help="Open no other service's database."),
    ] = None,
    keys_only: Annotated[
        bool, typer.Option("--keys-only", help="Leave the read models to `annals rebuild`.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Make what is personal about somebody unreadable everywhere, for good.

    The keys of their personal data are destroyed and all read models made anew from what is left.
    Facts, totals and the proof of history stay. It may be run again.

    **Examples**

    `annals erase lead-17 contact-9`

    `annals erase lead-17 --service leads --keys-only --yes`
    """
    settings: Settings = installation.installed(context.obj)
    if not yes:
        typer.confirm(f"Nobody can take this back. Erase {', '.join(subjects)}?", abort=True)
    done = []
    with _opened(settings, only) as services:
        meant = [service for service in services if only in {None, service.name}]
        known = [(s, who) for s in meant for who in subjects if s.log.vault.keys([who])]
        nobody = set(subjects) - {who for _, who in known}
        if nobody and only is None:
            raise Failure(f"no log has personal data of {', '.join(sorted(nobody))}")
        for service, subject in known:
            service.log.erase(subject)
            log.info("person erased", service=service.name, subject_id=subject)
            done.append({"service": service.name, "erased": subject})
    if not keys_only:
        _folded_anew(settings, [], only)
    output.show(done, json=json)


@parked_app.callback(invoke_without_command=True)
def parked(context: typer.Context, json: Json = False) -> None:
    """Show what could not be applied and waits, with the reason.

    **Examples**

    `annals parked`

    `annals parked retry`

    `annals parked skip leads.views:3 --reason "written by a tool that is gone"`
    """
    if context.invoked_subcommand is not None:
        return
    with _deliveries(context.obj) as deliveries:
        letters = list(_letters(deliveries))
    if letters or json:
        output.show([output.letter_document(name, letter) for name, letter in letters], json=json)
    else:
        output.say("nothing is parked")


@parked_app.command()
def retry(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LETTER]...", help="Only the lanes of these.")
    ] = None,
) -> None:
    """Apply parked letters again, each lane in order up to the first that fails.

    **Examples**

    `annals parked retry`

    `annals parked retry leads.views:3 billing.policies:1`
    """
    with _deliveries(context.obj) as deliveries:
        chosen = [_letter(deliveries, name) for name in names or []] or list(_letters(deliveries))
        lanes = dict.fromkeys((name, letter.consumer, letter.lane) for name, letter in chosen)
        applied = sum(
            _subscription(deliveries, name).retry(consumer, lane) for name, consumer, lane in lanes
        )
        left = [
            letter
            for name, letter in _letters(deliveries)
            if (name, letter.consumer, letter.lane) in lanes
        ]
    output.say(f"{applied} applied")
    if left:
        raise Failure(f"{len(left)} still parked; the first: {left[0].error}")


@parked_app.command()
def skip(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="LETTER", help="As `annals parked` names it.")],
    reason: Annotated[str, typer.Option(help="Why it may be left out; kept on record.")],
) -> None:
    """Leave the first letter of a lane out for good and apply those behind it.

    **Example**

    `annals parked skip leads.views:3 --reason "written by a tool that is gone"`
    """
    with _deliveries(context.obj) as deliveries:
        home, letter = _letter(deliveries, name)
        lane = [
            other
            for where, other in _letters(deliveries)
            if (where, other.consumer, other.lane) == (home, letter.consumer, letter.lane)
        ]
        if lane[0].number != letter.number:
            raise Failure(f"{name} waits behind {home}:{lane[0].number}; begin with that one")
        if not reason.strip():
            raise typer.BadParameter("say why", param_hint="--reason")
        applied = _subscription(deliveries, home).skip(letter.consumer, letter.lane, reason)
    output.say(f"skipped; {applied} behind it applied")


@app.command()
def token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Id, number, name or mail address of an employee.")],
    hours: Annotated[float, typer.Option(min=0.1, max=8760, help="How long it is good for.")] = 12,
) -> None:
    """Sign a token with which a member of staff acts in this embedded installation.

    **Example**

    `curl -H "Authorization: Bearer $(annals token 'Ada Okafor')" localhost:8080/v1/leads`
    """
    settings: Settings = installation.installed(context.obj)
    if settings.mode is Mode.PRODUCTION:
        raise Failure("in production the company's issuer signs tokens")
    with installation.open_installation(settings) as services:
        (workplace,) = _named(services, ["workplace"])
        staff = Staff(reading.facts([workplace.log]))
    try:
        member = staff.member(name)
    except (Stranger, Ambiguous) as error:
        raise Failure(str(error)) from None
    signed = issue_token(
        settings.signing_secret(),
        member.id,
        name=member.name,
        roles=sorted(member.roles),
        unit=staff.path(member.unit_id),
        lifetime=round(hours * 3600),
    )
    sys.stdout.write(signed + "\n")


def _welcome(address: str) -> None:
    output.say(
        f"Annals answers at [bold]{address}[/] (reference: {address}/docs); Ctrl-C stops it."
    )


def _named(services: Sequence[OpenService], names: Sequence[str]) -> list[OpenService]:
    known = {service.name: service for service in services}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"there is no context {unknown[0]}; there are {', '.join(known)}", WRONG)
    return [known[name] for name in names or known]


def _read_models(
    services: Sequence[OpenService], names: Sequence[str]
) -> list[tuple[OpenService, list[type[Projection]]]]:
    """Return the read models of these names, or all, by service; services name all of theirs."""
    found = []
    unknown = set(names)
    for service in services:
        known = {projection.name: projection for projection in service.service.projections}
        whole = not names or service.name in names
        chosen = [p for name, p in known.items() if whole or name in names]
        unknown -= {service.name, *known}
        if chosen:
            found.append((service, chosen))
    if unknown:
        raise Failure(f"there is no read model or service {min(unknown)}", WRONG)
    return found


def _aware(moment: datetime | None, settings: Settings) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=settings.zone)


@contextmanager
def _elsewhere(settings: Settings) -> Iterator["Distant"]:
    """Open the way to the logs of services whose databases are not this process's business."""
    from shared.chassis.api.distant import Distant
    from shared.chassis.api.tls import channel_credentials

    distant = Distant(settings.address_of, settings.own_token, channel_credentials(settings))
    try:
        yield distant
    finally:
        distant.close()


@contextmanager
def _deliveries(settings: Settings) -> Iterator[list[Delivery]]:
    opened = installation.open_installation(installation.installed(settings))
    with opened as services, _elsewhere(settings) as distant:
        pull = pull_from(services, distant)
        deliveries = [Delivery(service, pull) for service in services]
        try:
            yield deliveries
        finally:
            for delivery in deliveries:
                delivery.close()


def _letters(deliveries: Sequence[Delivery]) -> Iterator[tuple[str, Letter]]:
    for delivery in deliveries:
        for letter in delivery.parked():
            yield delivery.owner(letter).name, letter


def _letter(deliveries: Sequence[Delivery], name: str) -> tuple[str, Letter]:
    for home, letter in _letters(deliveries):
        if f"{home}:{letter.number}" == name:
            return home, letter
    raise Failure(f"no letter {name} is parked")


def _subscription(deliveries: Sequence[Delivery], name: str) -> Subscription:
    return next(s for d in deliveries for s in d.subscriptions if s.name == name)


@contextmanager
def _progress(sentence: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while the block runs; it is told of progress."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(sentence, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def _folding(service: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar per log on a terminal while the block folds."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def told(context: str, position: int, tip: int) -> None:
            if context not in tasks:
                tasks[context] = bar.add_task(f"{service} reads {context}", total=tip)
            bar.update(tasks[context], completed=position)

        yield told


def main() -> None:
    """Run the command line and leave with its exit code."""
    run(app)
