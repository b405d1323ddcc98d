"""`make chaos`: faults at random under steady load, and proof afterwards that nothing was lost.

A whole installation (gateway, an api and a worker process per service, on servers of its own) makes
customers while processes are killed and frozen, servers restarted, connections cut, and messages
lost, repeated, delayed and piled up. Afterwards every acknowledged command must stand in the logs
exactly once, logs have no gaps, every read model equals a rebuild, ledgers balance, and nothing is
parked. The seed makes a run repeatable as far as the machine's own timing lets it be.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from shared.chassis.eventstore import EventLog
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.projections.rebuild import rebuild
from shared.chassis.service import OpenService
from tests.chaos.faults import FAULTS, Place
from tests.chaos.load import Customers
from tests.production.load import Acknowledged
from tests.production.topology import Topology, topology
from tests.servers.private import PrivateBroker, PrivatePostgres

SHORT = len(FAULTS)
"""Each kind once."""
_LONG = 8 * SHORT
_CALLERS = 3
_REST = 0.15
_BETWEEN = 1.0
"""Seconds of calm after each recovery."""
_PATIENCE = 240.0
_TICK = 0.1

told = Console()


def main(arguments: Sequence[str]) -> int:
    """Cause faults, wait for recovery after each, and check; return 0 when all is well."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=_LONG, help="how many are caused")
    parser.add_argument("--short", action="store_true", help="each kind once")
    parser.add_argument("--seed", type=int, default=1, help="which faults, in which order")
    parser.add_argument("--only", choices=sorted(FAULTS), help="no other kind")
    given = parser.parse_args(arguments)
    plan = planned(SHORT if given.short else given.faults, given.seed, given.only)
    postgres, broker = PrivatePostgres(), PrivateBroker()
    try:
        postgres.start()
        broker.start()
        wrong = survived(plan, given.seed, postgres, broker)
    finally:
        broker.remove()
        postgres.remove()
    for problem in wrong:
        told.print(f"[red]{problem}[/]")
    told.print("[red]something is wrong[/]" if wrong else "[green]nothing lost, nothing twice[/]")
    return 1 if wrong else 0


def planned(many: int, seed: int, only: str | None = None) -> list[str]:
    """Return kinds of faults in a random order, each as often as the others."""
    kinds = [only] if only else list(FAULTS)
    plan = (kinds * (many // len(kinds) + 1))[:many]
    Random(seed).shuffle(plan)
    return plan


def survived(
    plan: Sequence[str], seed: int, postgres: PrivatePostgres, broker: PrivateBroker
) -> list[str]:
    """Run an installation, cause faults, and return what is wrong in the end.

    Args:
        plan: kinds of faults, in order.
        seed: decides what each hits.
        postgres: runs, and belongs to nobody else.
        broker: runs, and belongs to nobody else.
    """
    with (
        tempfile.TemporaryDirectory(prefix="annals-chaos-") as folder,
        topology(Path(folder), postgres, broker) as annals,
    ):
        return _run(Place(annals, postgres, broker, Random(seed)), plan)


def _run(place: Place, plan: Sequence[str]) -> list[str]:
    annals = place.annals
    load = Customers(
        str(annals.client.base_url),
        annals.token("admin", ["administrator"]),
        callers=_CALLERS,
        rest=_REST,
    )
    recoveries: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with load.running():
        _recovered(annals, load)
        for number, kind in enumerate(plan, 1):
            hit = FAULTS[kind](place)
            commands, rows = _recovered(annals, load)
            recoveries[kind].append((commands, rows))
            told.print(
                f"{number:3}/{len(plan)} {kind}: {hit}; commands after {commands:.1f} s, "
                f"rows after {rows:.1f} s",
                highlight=False,
            )
            if load.failures:
                break
            time.sleep(_BETWEEN)
    _show(recoveries)
    told.print(
        f"{load.finished} customers, {len(load.acknowledged)} commands acknowledged, "
        f"{load.repeats} sent again"
    )
    return [*load.failures, *_checked(annals, load)]


def _recovered(annals: Topology, load: Customers) -> tuple[float, float]:
    """Wait until commands are answered and rows follow; return the seconds each took."""
    began = time.monotonic()
    before = len(load.acknowledged)
    _wait(lambda: load.failures or len(load.acknowledged) >= before + _CALLERS, "commands")
    commands = time.monotonic() - began
    _wait(lambda: load.failures or all(map(annals.is_ready, annals.processes)), "readiness")
    return commands, time.monotonic() - began


def _checked(annals: Topology, load: Customers) -> list[str]:
    """Return what is wrong with the installation now that it is left in peace."""
    annals.settle()
    trial = annals.get("/v1/ledger/trial-balance")
    wrong = [] if trial["balanced"] else [f"the ledgers do not balance: {trial['totals']}"]
    with annals.services() as services:
        wrong += _recorded_once(services, load.acknowledged)
        logs = {opened.name: opened.log for opened in services}
        for opened in services:
            wrong += _gaps(opened.name, opened.log)
            delivery = Delivery(opened, pull_from(services))
            wrong += [f"parked: {letter}" for letter in delivery.parked()]
            delivery.close()
            for report in rebuild(
                opened.views_database, opened.service.projections, logs, check=True
            ):
                if not report.equal:
                    wrong.append(f"{opened.name}: {report.projection} differs from a rebuild")
    return wrong


def _recorded_once(
    services: Sequence[OpenService], acknowledged: Sequence[Acknowledged]
) -> list[str]:
    """Return the acknowledged commands whose facts are not one unbroken run up to the answer."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for opened in services:
        position = 0
        while batch := opened.log.read(position, 1000):
            for fact in batch:
                places[fact.command_id].append((fact.context, fact.position))
            position = batch[-1].position
    wrong = []
    for one in acknowledged:
        context, _, last = one.position.partition(":")
        found = places[one.command_id]
        run = [(context, int(last) - behind) for behind in range(len(found))]
        if not found or sorted(found) != sorted(run):
            wrong.append(f"{one.path}: answered {one.position}, stands at {found}")
    return wrong


def _gaps(name: str, log: EventLog) -> list[str]:
    position = 0
    while batch := log.read(position, 1000):
        found = [fact.position for fact in batch]
        if found != list(range(position + 1, position + 1 + len(batch))):
            return [f"{name}: the log has a gap after {position}"]
        position += len(batch)
    return []


def _wait(condition: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"no {what} within {_PATIENCE:.0f} s after a fault")
        time.sleep(_TICK)


def _show(recoveries: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    table = Table(title="Seconds until all was well again", title_justify="left")
    for heading in ("fault", "times", "commands, median", "longest", "rows, median", "longest"):
        table.add_column(heading, justify="left" if heading == "fault" else "right")
    for kind, times in sorted(recoveries.items()):
        commands, rows = (sorted(one[place] for one in times) for place in (0, 1))
        middle = len(times) // 2
        table.add_row(
            kind,
            str(len(times)),
            *(f"{value:.1f}" for value in (commands[middle], commands[-1])),
            *(f"{value:.1f}" for value in (rows[middle], rows[-1])),
        )
    told.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
