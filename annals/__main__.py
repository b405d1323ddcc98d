"""Run the command line as `python -m annals`."""

from annals.cli import main

main()
