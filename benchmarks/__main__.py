"""`python -m benchmarks [NAME…]`: measure everything, or what is named."""

import importlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich.console import Console

from benchmarks.figures import OUT, Figure, show, write

BENCHMARKS = {
    "machine": "benchmarks.machine",
    "commands": "benchmarks.commands",
    "import": "benchmarks.imports",
    "rebuild": "benchmarks.rebuilds",
    "store": "benchmarks.store",
    "360": "benchmarks.customers",
    "demo": "benchmarks.demonstration",
    "production": "benchmarks.production",
    "stream": "benchmarks.stream",
    "million": "benchmarks.million",
    "customers": "benchmarks.million:measure_customers",
    "memory": "benchmarks.memory",
}
"""Name to the module whose `measure()`, or the function that, returns the figures."""


def main(names: list[str]) -> int:
    """Measure, print the table and write the file."""
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
        return 2
    told = Console(stderr=True)
    figures: list[Figure] = []
    for name in names or BENCHMARKS:
        started = time.monotonic()
        with (
            told.status(f"measuring {name}"),
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh,
        ):
            module, _, function = BENCHMARKS[name].partition(":")
            measure = getattr(importlib.import_module(module), function or "measure")
            figures += fresh.submit(measure).result()
        told.print(f"{name} took {time.monotonic() - started:.0f} s")
    show(figures)
    write(figures)
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
