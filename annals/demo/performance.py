"""A performance: a story played on an installation, beside whatever supervises it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from annals import output
from annals.demo.conductor import Conductor, Tally
from annals.demo.journal import Journal
from annals.demo.remote import Interrupted, NotSettling, Remote
from annals.demo.story import tell
from annals.installation import clock, open_installation
from shared.chassis.messaging.delivery import Delivery, pull_from
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings

__all__ = ["Performance"]

_WIDTH = 12
"""Acts under way at once."""


class Performance:
    """Plays the journal's story once the services answer.

    Args:
        settings: of the installation.
        journal: names the story and remembers how far it has come.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self.failures: list[str] = []
        self._settings = settings
        self._journal = journal
        self._thread: threading.Thread | None = None
        self._stage: Remote | None = None

    def begin(self, _address: str) -> None:
        """Play in the background, then tell this process to stop."""
        self._thread = threading.Thread(target=self._perform, name="performance")
        self._thread.start()

    def play(self) -> None:
        """Play what is not played yet, and look whether everything went as the story has it."""
        plan = self._journal.plan
        acts = tell(plan.seed, plan.leads, plan.days, plan.until)
        with open_installation(self._settings) as services, _progress(len(acts)) as told:
            self._stage = stage = Remote(
                f"{self._settings.host}:{self._settings.grpc_port}",
                self._settings.signing_secret(),
                services,
                clock(self._settings),
            )
            try:
                tally = Conductor(stage, self._journal, width=_WIDTH, told=told).play(
                    acts, plan.ends
                )
            except NotSettling as error:
                self.failures.append(str(error))
                return
            finally:
                stage.close()
            self.failures += _parked(services)
        refused = tally.refused.total()
        output.say(f"{tally.acts - refused:,} acts accepted, {refused:,} refused as expected")

    def end(self) -> None:
        """Leave off, if it is still going on."""
        if self._stage is not None:
            self._stage.close()
        if self._thread is not None:
            self._thread.join()

    def _perform(self) -> None:
        try:
            self.play()
        except Interrupted:
            pass
        except BaseException as error:
            self.failures.append(f"the story broke off: {error!r}")
            raise
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


def _parked(services: Sequence[OpenService]) -> Iterator[str]:
    for opened in services:
        delivery = Delivery(opened, pull_from(services))
        for letter in delivery.parked():
            yield f"parked in {opened.name}: {letter.consumer} {letter.lane}: {letter.error}"
        delivery.close()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Tally], None]]:
    """Show on a terminal how far the story has come."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} acts"),
        TextColumn("{task.fields[leads]:,} leads, {task.fields[won]:,} won"),
        TextColumn("{task.fields[paid]:,} payments"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("the company opens", total=total, leads=0, won=0, paid=0)

        def told(tally: Tally) -> None:
            done = tally.accepted
            bar.update(
                task,
                description=f"{tally.day:%d %b %Y}",
                completed=tally.acts,
                leads=done["CaptureLead"],
                won=done["WinOpportunity"],
                paid=done["ReceivePayment"],
            )

        yield told
