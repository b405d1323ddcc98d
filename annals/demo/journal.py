"""The journal of a performance, so that whoever is interrupted can go on where they were."""

import os
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Self

import orjson

__all__ = ["Journal", "Plan"]


@dataclass(frozen=True)
class Plan:
    """Which story is played."""

    seed: int
    leads: int
    days: int
    until: date

    @property
    def begins(self) -> datetime:
        """When the company opens (UTC)."""
        return self.ends - timedelta(days=self.days)

    @property
    def ends(self) -> datetime:
        """When the story ends (UTC)."""
        return datetime.combine(self.until, time(), UTC)


class Journal:
    """A file of one JSON object per line: the plan, then what cannot be seen from the logs.

    A line is one small write, so a killed process leaves it whole or not at all.

    Args:
        path: the file.
        plan: what is played.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.plan = plan
        self.surprises: list[str] = []
        self.is_over = False
        self._lock = threading.Lock()
        self._played: date | None = None
        self._refused: set[str] = set()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @classmethod
    def begin(cls, path: Path, plan: Plan) -> Self:
        """Open a new journal."""
        journal = cls(path, plan)
        journal._write(plan=asdict(plan))
        return journal

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Open the journal of a performance that was begun; None when none was."""
        lines = (
            [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        )
        if not lines:
            return None
        given = lines[0]["plan"]
        journal = cls(path, Plan(**{**given, "until": date.fromisoformat(given["until"])}))
        for line in lines[1:]:
            match line:
                case {"day": day}:
                    journal._played = date.fromisoformat(day)
                    journal._refused.clear()
                case {"refused": act_id}:
                    journal._refused.add(act_id)
                case {"surprise": sentence}:
                    journal.surprises.append(sentence)
                case {"over": True}:
                    journal.is_over = True
        return journal

    def has_played(self, day: date) -> bool:
        """Whether every act of a day was answered."""
        return self._played is not None and day <= self._played

    def was_refused(self, act_id: str) -> bool:
        """Whether an act of the unfinished day was refused, as expected."""
        return act_id in self._refused

    def day_is_over(self, day: date) -> None:
        """Note that every act of a day was answered."""
        self._write(day=day)

    def refusal(self, act_id: str) -> None:
        """Note an expected refusal; unlike an accepted act it must not be repeated."""
        self._write(refused=act_id)

    def surprise(self, sentence: str) -> None:
        """Note what went otherwise than the story has it."""
        self._write(surprise=sentence)
        self.surprises.append(sentence)

    def story_is_over(self) -> None:
        """Note that the story has been played."""
        self._write(over=True)
        self.is_over = True

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, **line: Any) -> None:
        with self._lock:
            os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
