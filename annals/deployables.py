"""The commands that run one deployable each, and the one that migrates its databases."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from annals.entry import FAILED, options, run
from annals.installation import UnknownService, schema, service_names
from annals.provisioning import provisioning
from annals.serving import serve_api, serve_gateway, serve_worker
from shared.chassis.settings import PREFIX, Settings, SettingsError

__all__ = ["COMMANDS", "main"]

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The services.")]


def api(context: typer.Context, names: Names) -> None:
    """Serve services over gRPC until SIGTERM.

    Any number may run side by side. Health is asked for by gRPC (`annals.<service>.v1.<Service>`);
    `/metrics`, `/livez` and `/readyz` are at ANNALS_OPERATIONS_PORT.

    **Examples**

    `annals api leads`

    `annals api leads accounts pipeline`
    """
    serve_api(context.obj, names)


def worker(context: typer.Context, names: Names) -> None:
    """Publish the facts of services, and run their policies, read models and deadlines.

    Of several that run side by side one is active per queue and the others stand by.

    **Examples**

    `annals worker leads`

    `annals worker leads accounts pipeline billing support workplace analytics`
    """
    _known(names)
    settings: Settings = context.obj
    if "eventlet" not in sys.modules:  # not patched: options stood before the command
        command = [sys.executable, "-m", "annals", "worker", *names]
        os.execve(sys.executable, command, {**os.environ, **settings.environment()})  # noqa: S606
    serve_worker(settings, names)


def gateway(context: typer.Context) -> None:
    """Serve HTTP: the API of all services, its description, and the console.

    It finds the services by ANNALS_SERVICE_ADDRESS and goes on without those that do not answer.
    """
    serve_gateway(context.obj)


def migrate(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="The services; else all.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when something is to be done.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Change nothing; print the statements.")
    ] = False,
    databases: Annotated[
        bool,
        typer.Option(
            "--databases", help="Print what a superuser runs first: databases and their roles."
        ),
    ] = False,
) -> None:
    """Bring the PostgreSQL databases of services to the schema of this release.

    Run it before the processes of a release: those of the one before go on running on a schema
    that only adds. Whoever runs it at the same time waits; a second run changes nothing.

    **Examples**

    `annals migrate --databases | psql postgresql://postgres@db/postgres`

    `annals migrate`

    `annals migrate leads --check`
    """
    chosen = _known(names or service_names())
    if databases:
        sys.stdout.write(provisioning(chosen))
        return
    settings: Settings = context.obj
    if settings.database_url is None:
        raise SettingsError([f"{PREFIX}DATABASE_URL is not set: there is nothing to migrate"])
    unfit = False
    for name in chosen:
        url = str(settings.database_for(name))
        if sql:
            sys.stdout.write(schema(name).sql(url))
        elif check:
            standing, found = schema(name).standing(url)
            unfit |= standing != "fit"
            sys.stdout.write(f"{name}: {standing}, at revision {found or 'none'}\n")
        else:
            applied = schema(name).upgrade(url)
            sys.stdout.write(f"{name}: {', '.join(applied) or 'nothing to do'}\n")
    if unfit:
        raise typer.Exit(FAILED)


def _known(names: Sequence[str]) -> Sequence[str]:
    """Return the names, each of a service.

    Raises:
        UnknownService: one is not.
    """
    for name in names:
        if name not in service_names():
            raise UnknownService(name)
    return names


COMMANDS = (api, worker, gateway, migrate)


def main() -> None:
    """Run one of these commands without loading what only the others need."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback()(options)
    for command in COMMANDS:
        app.command()(command)
    run(app)
