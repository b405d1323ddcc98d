"""The README keeps its word: its tour is typed line by line, and what it shows is what comes."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.installation import Installation, installation, wait

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
TOUR = README.partition("## Five minutes")[2].partition("\n## ")[0]


class Step(NamedTuple):
    """Lines to type, and a part of what the last of them answers, if it is shown."""

    lines: str
    shown: Any


def steps() -> Iterator[Step]:
    blocks = re.findall(r"```(sh|json)\n(.*?)```", TOUR, re.DOTALL)
    for (language, text), (next_language, next_text) in zip(
        blocks, [*blocks[1:], ("", "")], strict=True
    ):
        if language == "sh":
            yield Step(text, json.loads(next_text) if next_language == "json" else None)


class Shell:
    """A shell that keeps its variables from one step to the next."""

    def __init__(self, annals: Installation) -> None:
        self._program = f"{shlex.quote(sys.executable)} -m annals"
        self._address = str(annals.client.base_url.netloc, "ascii")
        self._bash = subprocess.Popen(
            ["bash"],
            env=annals.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def type(self, lines: str) -> str:
        """Type lines; return what they print. Each of them must succeed."""
        here = lines.replace("localhost:8080", self._address)
        here = here.replace(".venv/bin/annals", self._program)
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"trap 'echo failed' ERR\n{here}\necho; echo the-end\n")
        self._bash.stdin.flush()
        printed = ""
        while (line := self._bash.stdout.readline()) != "the-end\n":
            assert line, ("the shell ended", lines, printed)
            printed += line
        assert "failed\n" not in printed, (lines, printed)
        return printed

    def close(self) -> None:
        self._bash.communicate(timeout=60)


@pytest.mark.slow
def test_the_tour_works_as_it_is_printed(tmp_path: Path) -> None:
    with installation(tmp_path) as annals:
        shell = Shell(annals)
        for step in steps():
            printed = shell.type(step.lines)
            if "curl" in step.lines:
                answers = list(documents(printed))
                assert_accepted(answers if step.shown is None else answers[:-1])
                if step.shown is not None:
                    assert contains(answers[-1], step.shown), (answers[-1], step.shown)
            a_reader_goes_on(annals)
        shell.close()


def a_reader_goes_on(annals: Installation) -> None:
    """Wait until everybody has heard of it, and the clock shows another second."""
    second = int(time.time())
    annals.settle()
    wait(lambda: int(time.time()) > second)


def documents(printed: str) -> Iterator[Any]:
    """Read the JSON documents that stand one after another."""
    rest = printed.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        yield document
        rest = rest[end:].strip()


def assert_accepted(answers: list[Any]) -> None:
    for answer in answers:
        assert not str(answer.get("type", "")).startswith("urn:annals:problem"), answer


def contains(actual: Any, shown: Any) -> bool:
    """Whether everything shown is there; an empty list shown means that there is nothing."""
    if isinstance(shown, dict):
        return isinstance(actual, dict) and all(
            name in actual and contains(actual[name], value) for name, value in shown.items()
        )
    if isinstance(shown, list):
        return bool(shown) == bool(actual) and all(
            any(contains(one, wanted) for one in actual) for wanted in shown
        )
    return bool(actual == shown)
