"""Whoever has read models made anew goes on when something fails."""

import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.chassis.lock import Lock
from shared.chassis.shapes import Unavailable
from shared.chassis.worker import renewal

pytestmark = pytest.mark.capability("PLT-11")

FAILS_ONCE = (
    "import pathlib, sys; done = pathlib.Path(sys.argv[1]); "
    "done.with_suffix('.asked').write_text(' '.join(sys.argv[2:])); "
    "failed = done.with_suffix('.failed'); "
    "(done if failed.exists() else failed).touch(); sys.exit(not done.exists())"
)


class Views:
    """Read models of which one is outdated until a file is there; little works at first."""

    name = "leads.views"

    def __init__(self, done: Path) -> None:
        self.database = self
        self._done = done
        self.troubles: list[Exception] = [psycopg.OperationalError("no answer")]
        self.deaf: list[Exception] = [Unavailable("accounts does not give its log")]
        self.caught_up = 0

    def lock(self, _name: str) -> Lock:
        return Lock()

    def outdated(self) -> list[str]:
        if self.troubles:
            raise self.troubles.pop()
        return [] if self._done.exists() else ["lead_list"]

    def catch_up(self) -> None:
        if self.deaf:
            raise self.deaf.pop()
        self.caught_up += 1


def test_it_tries_again_until_the_rows_are_made_and_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_AGAIN", 0.01)
    monkeypatch.setattr(renewal, "_ROUND", 0.01)
    done = tmp_path / "done"
    views: Any = Views(done)
    renewal.renew("leads", views, [sys.executable, "-c", FAILS_ONCE, str(done)])
    assert done.with_suffix(".failed").exists()
    assert done.with_suffix(".asked").read_text() == "--service leads lead_list"
    assert views.caught_up == 1


def test_nothing_is_done_where_all_rows_are_of_their_version(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    views: Any = Views(tmp_path / "done")
    views.troubles.clear()
    renewal.renew("leads", views, [sys.executable, "-c", "raise SystemExit(1)"])
    assert views.caught_up == 0
