"""`annals demo`: plays a company's year into a fresh installation and stays up."""

import socket
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from annals import output
from annals.demo.journal import Journal, Plan
from annals.demo.performance import Performance
from annals.installation import clock, open_installation
from shared.chassis.settings import Mode, Settings

__all__ = ["demo"]

FAILED, WRONG = 1, 2
_JOURNAL = "demo.jsonl"


def demo(
    context: typer.Context,
    leads: Annotated[int, typer.Option(min=1, max=100_000, help="How many prospects.")] = 2000,
    seed: Annotated[int, typer.Option(help="Gives the same story again.")] = 7,
    days: Annotated[int, typer.Option(min=7, max=3650, help="How long the story lasts.")] = 365,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="When it ends; today if left out."),
    ] = None,
    keep_running: Annotated[bool, typer.Option(help="Stay up afterwards, until Ctrl-C.")] = True,
) -> None:
    """Play about a year of a believable company through the public commands, then stay up.

    Interrupted, it goes on where it was; with a finished story it just starts up.

    **Examples**

    `annals demo`

    `annals --data /tmp/small demo --leads 100 --days 90 --no-keep-running`
    """
    from annals.up import AlreadyRunning, PortTaken, up

    settings: Settings = context.obj
    if settings.mode is Mode.PRODUCTION:
        _refuse("the demonstration is for an embedded installation")
    today = datetime.now(UTC).date()
    plan = Plan(seed, leads, days, until.date() if until else today)
    if plan.until > today:
        _refuse("a story cannot end in the future", WRONG)
    settings = settings.model_copy(update={"grpc_port": settings.grpc_port or _free_port(settings)})
    journal = _journal(settings, plan)
    try:
        stays_up = not journal.is_over and _perform(settings, journal, keep_running=keep_running)
        if journal.is_over and keep_running and not stays_up and not up(settings, _welcome):
            _refuse("a process would not start; the log lines above say why")
    except (AlreadyRunning, PortTaken) as error:
        _refuse(str(error))
    finally:
        journal.close()


def _perform(settings: Settings, journal: Journal, *, keep_running: bool) -> bool:
    """Play the story; return whether it was on an installation that ran already.

    What went otherwise than told is said; who wants to look at the company may do so all the same.

    One started for it need not sync each commit: a story that is not over can be had again.
    """
    from annals.up import AlreadyRunning, up

    performance = Performance(settings, journal)
    ran_already, started = False, True
    try:
        started = up(
            settings.model_copy(update={"sqlite_synchronous": "normal"}), performance.begin
        )
    except AlreadyRunning:
        ran_already = True
        performance.play()
    finally:
        performance.end()
    for failure in performance.failures:
        output.warn(failure)
    if surprises := len(journal.surprises):
        output.warn(f"{surprises} acts went otherwise than told; {_JOURNAL} names them")
    if not started or performance.failures or (journal.surprises and not keep_running):
        raise typer.Exit(FAILED)
    return ran_already


def _welcome(address: str) -> None:
    output.say(
        f"Hengwan Instruments' year is at [bold]{address}[/] (reference: {address}/docs); "
        "Ctrl-C stops it."
    )


def _journal(settings: Settings, plan: Plan) -> Journal:
    """Open the journal of the folder's story, or begin one where nothing has happened yet."""
    journal = Journal.read(settings.data / _JOURNAL)
    if journal is None:
        with open_installation(settings) as services:
            if any(service.log.tip() for service in services if service.name != "workplace"):
                _refuse(f"{settings.data} holds an installation that is no demonstration")
        clock(settings).set(plan.begins)
        return Journal.begin(settings.data / _JOURNAL, plan)
    if not journal.is_over and journal.plan != plan:
        output.say(f"Going on with the story that was begun: {journal.plan}")
    return journal


def _free_port(settings: Settings) -> int:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((settings.host, 0))
        return int(probe.getsockname()[1])


def _refuse(sentence: str, code: int = FAILED) -> NoReturn:
    output.warn(sentence)
    raise typer.Exit(code)
