"""What every command of the command line begins and ends with.

Exit codes: 0 done; 1 refused, or a check failed; 2 the command or a setting is wrong; 3 there is no
installation, or it does not answer.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from annals import output
from annals.installation import NoInstallation, UnknownService
from shared.chassis import logs
from shared.chassis.migrations import SchemaBusy, SchemaUnfit
from shared.chassis.settings import EdgeSettings, Settings, SettingsError, read_settings
from shared.chassis.shapes import Refused, Unavailable

__all__ = ["ABSENT", "FAILED", "WRONG", "Failure", "options", "run"]

FAILED, WRONG, ABSENT = 1, 2, 3
_WITHOUT_SECRETS = {"gateway", "migrate"}
"""Commands that need neither keys nor the broker, and so are not asked for them."""


class Failure(Exception):
    """A command ends without success; the sentence is for a person."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def options(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the installation, instead of ANNALS_DATA.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Say for all commands which installation is meant."""
    kind = EdgeSettings if context.invoked_subcommand in _WITHOUT_SECRETS else Settings
    settings = read_settings(kind, data=data)
    logs.configure(settings.log_level, settings.log_format, process=context.invoked_subcommand)
    context.obj = settings


def run(app: typer.Typer) -> None:
    """Run a command line and leave with its exit code."""
    try:
        app()
    except SettingsError as error:
        _leave("\n".join(error.problems), WRONG)
    except UnknownService as error:
        _leave(str(error), WRONG)
    except (NoInstallation, SchemaBusy, SchemaUnfit, Unavailable) as error:
        _leave(str(error), ABSENT)
    except OperationalError as error:
        _leave(f"a database does not answer: {str(error.orig).strip()}", ABSENT)
    except Failure as error:
        _leave(str(error), error.code)
    except Refused as error:
        _leave(error.message, FAILED)


def _leave(why: str, code: int) -> None:
    for line in why.splitlines():
        output.warn(line)
    sys.exit(code)
