"""`annals` with a present that a test turns: what the file ANNALS_TEST_CLOCK says it is."""
# ruff: noqa: PLC0415 - a worker is patched before anything else is imported

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line."""
    if sys.argv[1] == "worker":
        from shared.chassis.worker.green import patch

        patch()
    from annals import deployables, installation
    from shared.chassis.clock import FileClock

    present = FileClock(Path(os.environ["ANNALS_TEST_CLOCK"]))
    vars(installation)["SystemClock"] = lambda: present
    deployables.main()


if __name__ == "__main__":
    main()
