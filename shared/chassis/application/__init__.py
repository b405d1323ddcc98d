"""The application layer: carries out commands against the log."""

from shared.chassis.application.application import Application, snake
from shared.chassis.application.work import Work

__all__ = ["Application", "Work", "snake"]
