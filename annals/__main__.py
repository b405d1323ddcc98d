"""The command line, as `annals` and as `python -m annals`."""

import sys

__all__ = ["main"]

_DEPLOYABLES = {"api", "worker", "gateway", "migrate"}


def main() -> None:
    """Run the command line and leave with its exit code.

    Processes of a deployed installation load only what they need; a worker is patched before
    anything else is imported.
    """
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "worker":
        from shared.chassis.worker.green import patch

        patch()
    if command in _DEPLOYABLES:
        from annals.deployables import main as run
    else:
        from annals.cli import main as run
    run()


if __name__ == "__main__":
    main()
