"""How fast this machine runs plain Python just now, so that figures of two runs can be compared."""

import time

from benchmarks.figures import Figure

__all__ = ["measure"]

_STEPS = 1_000_000
_ROUNDS = 9


def measure() -> list[Figure]:
    """Run a loop several times; give the middle one, and how much of the clock it really had."""
    rounds = []
    began, had = time.perf_counter(), time.process_time()
    for _ in range(_ROUNDS):
        started = time.process_time()
        total = 0
        for step in range(_STEPS):
            total += step * step % 7
        rounds.append(time.process_time() - started)
    share = (time.process_time() - had) / (time.perf_counter() - began)
    return [
        _figure(
            "a loop in plain Python",
            _STEPS / 1e6 / sorted(rounds)[_ROUNDS // 2],
            "M steps/s of CPU",
        ),
        _figure("share of a core that the loop was given", share * 100, "%"),
    ]


def _figure(name: str, value: float, unit: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, benchmark="machine")
