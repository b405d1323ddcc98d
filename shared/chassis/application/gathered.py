"""Commands that come at the same time are decided and stored as one.

A command that comes alone is carried out at once. Those that come meanwhile wait, and the first of
them then has all that wait carried out: one look-up, one append, one commit, and one thread at work
instead of many that take turns at the interpreter. Those who were served together mostly come back
together, so whoever leads next waits a moment for as many as there were: at most until as long has
passed as serving them took. Nobody waits who is alone.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from threading import Condition, Lock
from time import monotonic
from typing import Any

from shared.chassis.shapes.command import Answer, Command

__all__ = ["Gathered"]


class Gathered:
    """Carries commands out, those that come at the same time together.

    Args:
        alone: carries one command out.
        together: carries several out, and returns for each its answer, why it is refused, or None
            when it has to be carried out alone. It does not raise.
    """

    MOST = 64
    """Commands carried out as one, but for those that came as one."""
    GATHERING = 0.005
    """Seconds that a leader waits for others at most."""
    PATIENCE = 0.1
    """Seconds after which commands no longer wait for others to be carried out."""

    def __init__(
        self,
        alone: Callable[[Any], Answer],
        together: Callable[[Sequence[Command]], Sequence[Answer | Exception | None]],
    ) -> None:
        self._alone = alone
        self._together = together
        self._queue: list[_Member] = []
        self._led = False
        self._arrived = Condition(Lock())
        """Guards all of this, and wakes who waits for others to come."""
        self._expected = 0
        self._until = 0.0

    def carry_out(self, commands: Sequence[Command]) -> list[Answer | Exception]:
        """Carry commands out, with whatever others come at the same time.

        Returns:
            For each its answer, or what carrying it out alone raised.
        """
        mine = _Member(commands)
        with self._arrived:
            self._queue.append(mine)
            mine.leads = not self._led
            self._led = True
            if self._all_here():
                self._arrived.notify()
        if mine.leads or self._waited(mine):
            self._lead(mine)
        if mine.answers is None:  # it has waited long enough, or its leader was ended
            self._serve([mine])
        return [
            self._tried(command) if answer is None else answer
            for command, answer in zip(commands, mine.answers or (), strict=True)
        ]

    def _waited(self, mine: "_Member") -> bool:
        """Wait until these commands were taken care of; return whether they have to lead."""
        try:
            if not mine.waking.acquire(timeout=self.PATIENCE) and not self._gone(mine):
                mine.waking.acquire()
        except BaseException:  # the thread is ended while it waits
            if not self._gone(mine) and mine.leads:
                self._pass_on(mine)
            raise
        return mine.leads

    def _gone(self, mine: "_Member") -> bool:
        """Leave the queue; return False when it is too late: others have it, or it leads."""
        with self._arrived:
            if mine.leads or mine not in self._queue:
                return False
            self._queue.remove(mine)
            return True

    def _lead(self, mine: "_Member") -> None:
        """Carry out what waits, and hand over to the next."""
        group: list[_Member] = []
        began = monotonic()
        try:
            with self._arrived:
                self._arrived.wait_for(self._all_here, self._until - began)
                group = self._taken()
            began = monotonic()
            self._serve(group)
        finally:
            self._pass_on(mine, _size(group), monotonic() - began)
            for member in group:
                if member is not mine:
                    member.waking.release()

    def _taken(self) -> "list[_Member]":
        """Take those who have waited longest out of the queue, as many as fit."""
        upto = next(
            (n for n in range(1, len(self._queue)) if _size(self._queue[: n + 1]) > self.MOST),
            len(self._queue),
        )
        group, self._queue = self._queue[:upto], self._queue[upto:]
        return group

    def _serve(self, group: "Sequence[_Member]") -> None:
        commands = [command for member in group for command in member.commands]
        if len(commands) == 1:
            group[0].answers = [self._tried(commands[0])]
            return
        answers = iter(self._together(commands))
        for member in group:
            member.answers = list(islice(answers, len(member.commands)))

    def _tried(self, command: Command) -> Answer | Exception:
        try:
            return self._alone(command)
        except Exception as error:  # noqa: BLE001 - raised where the command came from
            return error

    def _all_here(self) -> bool:
        return _size(self._queue) >= self._expected

    def _pass_on(self, mine: "_Member", served: int = 0, took: float = 0.0) -> None:
        with self._arrived:
            if mine in self._queue:  # ended before it was served
                self._queue.remove(mine)
            self._expected = min(served + _size(self._queue), self.MOST)
            self._until = monotonic() + min(took, self.GATHERING)
            self._led = bool(self._queue)
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].waking.release()


class _Member:
    """Commands of one caller that wait, and what they are answered."""

    __slots__ = ("answers", "commands", "leads", "waking")

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self.answers: Sequence[Answer | Exception | None] | None = None
        self.leads = False
        self.waking = Lock()
        self.waking.acquire()


def _size(members: Sequence[_Member]) -> int:
    return sum(len(member.commands) for member in members)
