"""Group commit: appends that come while another is being stored wait and are stored as one.

A commit waits for the disk, and appends of one log come one after another. So whoever comes first
stores its own append at once; those who come meanwhile queue, and the first of them then stores all
that fit together in one append. Nobody waits who is alone, and under load one commit serves many.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from threading import Lock
from typing import cast

from eventsourcing.persistence import StoredEvent

from shared.chassis.database import OUTAGE
from shared.chassis.eventstore.recorder import AnsweredCommand, Append, AppendConflict, as_text

__all__ = ["Together"]


class Together:
    """Stores appends, those that come at the same time together.

    Each is accepted or refused on its own: those that meet in a stream, a claim, a person's key or
    a command are never stored together, and when one of several is refused for what was stored
    before, they are stored one by one.

    Args:
        store: stores one append whole or not at all.
    """

    MOST = 512
    """Events in one append made of several."""

    def __init__(self, store: Callable[[Append], range]) -> None:
        self._store = store
        self._guard = Lock()
        self._queue: list[_Member] = []
        self._led = False

    def store(self, append: Append) -> range:
        """Store an append, alone or with others, and return its positions.

        Raises:
            Exception: whatever storing this append raises. When the connection is lost, that is
                raised for all stored with it; it is unknown then whether they are stored.
        """
        mine = _Member(append)
        with self._guard:
            self._queue.append(mine)
            waits = self._led
            mine.leads = not waits
            self._led = True
        if waits:  # also when it has been made the leader since: whoever made it so woke it
            self._wait(mine)
        if mine.leads:
            self._lead()
        return mine.result()

    def _wait(self, mine: "_Member") -> None:
        """Wait until this append is stored or it is its turn to lead."""
        try:
            mine.waking.acquire()
        except BaseException:  # the thread is ended while it waits
            with self._guard:
                if mine in self._queue:
                    self._queue.remove(mine)
                leads = mine.leads
            if leads:
                self._pass_on()
            raise

    def _lead(self) -> None:
        """Store those who wait, from the longest waiting on, and hand over to the next."""
        with self._guard:
            group = _fitting(self._queue, self.MOST)
            self._queue = [member for member in self._queue if member not in group]
        try:
            self._settle(group)
        finally:
            try:
                self._dismiss(group)
            finally:
                self._pass_on()

    def _settle(self, group: "Sequence[_Member]") -> None:
        if len(group) > 1:
            try:
                positions = self._store(_joined([member.append for member in group]))
            except OUTAGE as error:
                for member in group:
                    member.error = error
                return
            except Exception:  # noqa: BLE001, S110 - whose it is shows when each is stored alone
                pass
            else:
                _share(positions, group)
                return
        for member in group:
            try:
                member.positions = self._store(member.append)
            except Exception as error:  # noqa: BLE001 - raised where the append came from
                member.error = error

    def _dismiss(self, group: "Sequence[_Member]") -> None:
        """Wake those who were settled; turn down whoever waits with a version they have taken."""
        taken = {
            stream_id: version
            for member in group
            if member.positions is not None
            for stream_id, version in member.reached.items()
        }
        with self._guard:
            # Who leads may be interrupted before all are settled.
            left = [member for member in group[1:] if not member.settled]
            overtaken = [member for member in self._queue if member.is_behind(taken)]
            self._queue = left + [member for member in self._queue if member not in overtaken]
        for member in overtaken:
            member.error = AppendConflict("another append was faster")
        for member in (*group[1:], *overtaken):
            if member.settled:
                member.waking.release()

    def _pass_on(self) -> None:
        with self._guard:
            self._led = bool(self._queue)
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].waking.release()


class _Member:
    """One append that waits, and what becomes of it."""

    def __init__(self, append: Append) -> None:
        self.append = append
        self.expected = append.expected()
        self.touched: set[Hashable] = {
            *((claim.scope, claim.key) for claim in append.releases),
            *((claim.scope, claim.key) for claim in append.claims),
            *(("command", answer.command_id) for answer in append.answers),
            *(("person", subject) for subject in append.keys),
        }
        self.reached = {as_text(e.originator_id): e.originator_version for e in append.events}
        self.touched.update(self.reached)
        self.positions: range | None = None
        self.error: Exception | None = None
        self.leads = False
        self.waking = Lock()
        self.waking.acquire()

    @property
    def settled(self) -> bool:
        return self.positions is not None or self.error is not None

    def is_behind(self, taken: dict[str, int]) -> bool:
        """Whether it expects a stream at a version that others have left behind."""
        return any(
            taken.get(stream_id, -1) > version for stream_id, version in self.expected.items()
        )

    def result(self) -> range:
        if self.error is not None:
            raise self.error
        return cast(range, self.positions)


def _fitting(queue: Sequence[_Member], most: int) -> list[_Member]:
    """Return those who can be stored in one append: the first, and who does not meet the others."""
    group: list[_Member] = []
    touched: set[Hashable] = set()
    reads: dict[str, int] = {}
    events = 0
    for member in queue:
        wanted = member.append.reads
        if group and (
            events + len(member.append.events) > most
            or not touched.isdisjoint(member.touched)
            or not touched.isdisjoint(wanted)
            or not member.touched.isdisjoint(reads)
            or any(
                reads.get(stream_id, version) != version for stream_id, version in wanted.items()
            )
        ):
            continue
        group.append(member)
        touched |= member.touched
        reads.update(wanted)
        events += len(member.append.events)
    return group


def _joined(appends: Sequence[Append]) -> Append:
    """Return one append that does what several do that do not meet."""
    events: list[StoredEvent] = []
    answers: list[AnsweredCommand] = []
    keys: dict[str, bytes] = {}
    reads: dict[str, int] = {}
    for append in appends:
        before = len(events)
        answers += [replace(answer, events=before + answer.events) for answer in append.answers]
        events += append.events
        keys.update(append.keys)
        reads.update(append.reads)
    claims = [claim for append in appends for claim in append.claims]
    releases = [claim for append in appends for claim in append.releases]
    return Append(events, claims, releases, answers, keys, reads)


def _share(positions: range, group: Sequence[_Member]) -> None:
    """Give each its part of the positions taken."""
    start = positions.start
    for member in group:
        member.positions = range(start, start + len(member.append.events))
        start += len(member.append.events)
