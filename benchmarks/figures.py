"""Figures: what was measured, what it is held against, and the table and file they go to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from rich.console import Console
from rich.table import Table

__all__ = ["OUT", "Figure", "percentile", "show", "write"]

OUT = Path(__file__).parent / "out" / "latest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value.

    Args:
        name: what was measured; unique.
        value: how much, in `unit`.
        benchmark: what `python -m benchmarks` takes to measure it again.
        against: name of the figure of the same run that it is compared with.
        ratio: the value divided by that one.
        goal: what it should be: the ratio where there is one, else the value, in `unit`.
        better: whether the goal is to be reached from below (`more`) or above (`less`).
    """

    name: str
    value: float
    unit: str
    benchmark: str
    against: str | None = None
    ratio: float | None = None
    goal: float | None = None
    better: Literal["more", "less"] = "more"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        held = self.value if self.ratio is None else self.ratio
        return held >= self.goal if self.better == "more" else held <= self.goal

    @property
    def measure(self) -> str:
        """What the goal counts, for the table."""
        return "" if self.ratio is None else " ×"

    def document(self) -> dict[str, Any]:
        """Return what `latest.json` says of it."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "against": self.against,
            "ratio": None if self.ratio is None else _rounded(self.ratio),
            "goal": self.goal,
            "met": self.met,
            "command": f"python -m benchmarks {self.benchmark}",
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1)]


def show(figures: Iterable[Figure]) -> None:
    """Print the table."""
    table = Table(title="Annals on this machine", title_justify="left")
    table.add_column("figure")
    for heading in ("value", "goal", "against"):
        table.add_column(heading, justify="right")
    table.add_column("met")
    for figure in figures:
        sign = "≥" if figure.better == "more" else "≤"
        table.add_row(
            figure.name,
            f"{_rounded(figure.value):,} {figure.unit}",
            "" if figure.goal is None else f"{sign} {_rounded(figure.goal):,}{figure.measure}",
            "" if figure.ratio is None else f"{figure.ratio:.2f} × {figure.against}",
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.met],
        )
    Console().print(table)


def write(figures: Sequence[Figure]) -> None:
    """Put the figures into `latest.json`, in place of earlier ones of the same benchmarks."""
    documents = [figure.document() for figure in figures]
    measured = {document["command"] for document in documents}
    kept = orjson.loads(OUT.read_bytes()) if OUT.exists() else []
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(
        orjson.dumps(
            [document for document in kept if document["command"] not in measured] + documents,
            option=orjson.OPT_INDENT_2,
        )
    )


def _rounded(value: float) -> float:
    """Keep what means something: no decimals from a hundred on, two below."""
    return round(value) if abs(value) >= 100 else round(value, 2)
