"""The command that exchanges the key which wraps the keys of personal data."""

from typing import Annotated

import typer

from annals import installation, output
from annals.entry import Failure
from shared.chassis.eventstore import SealBroken
from shared.chassis.settings import Settings

__all__ = ["rotate_keys"]


def rotate_keys(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="The services; else all.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Wrap the keys of personal data by the first of ANNALS_KEY_ENCRYPTION_KEY.

    Facts are not touched, and everything may go on meanwhile. A second run changes nothing;
    one that was interrupted is done again. Before, every process must know the new key, first.

    **Examples**

    `ANNALS_KEY_ENCRYPTION_KEY=NEW,OLD annals rotate-keys`

    `annals rotate-keys leads --json`
    """
    settings: Settings = installation.installed(context.obj)
    done = []
    with installation.open_installation(settings, names=names or []) as services:
        for service in services:
            keys, changed = 0, 0

            def told(seen: int, anew: int) -> None:
                nonlocal keys, changed
                keys, changed = keys + seen, changed + anew

            try:
                service.log.wrap_anew(told)
            except SealBroken as error:
                raise Failure(f"{service.name}: {error}") from None
            done.append({"service": service.name, "keys": keys, "wrapped_anew": changed})
    output.show(done, json=json)
