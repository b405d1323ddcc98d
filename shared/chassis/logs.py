"""Logs: structured lines that carry no personal data and no secrets.

A line says what happened by a constant sentence (`event`) and values under named keys. Numbers,
moments and the text under the keys of `OPEN` are written; any other text is masked, because nobody
can tell a name from a note. Exceptions are written as their class and the places they passed, with
their message only where it speaks of the program and not of its data.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.chassis.telemetry import tracing

__all__ = ["MASK", "OPEN", "about", "configure", "describe", "mask"]

MASK = "•••"
"""What stands in place of a masked text."""

OPEN = frozenset(
    {
        "actor", "address", "at", "command", "consumer", "context", "error", "event", "exception",
        "handler", "incident", "level", "logger", "method", "mode", "outcome",
        "path", "policy", "process", "projection", "right", "route", "rpc", "rule", "service",
        "setting", "signal", "status", "subscription", "timestamp", "topic", "url",
    }
)  # fmt: skip
"""Keys whose text names parts of the system. Keys that end in `_id` are open to ids as well."""

_ID = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")
_FIELD = re.compile(r"[a-z0-9_]{1,40}")
_correlation_id: ContextVar[str] = ContextVar("annals_correlation_id", default="")

_QUIET = ("alembic", "kombu", "amqp", "nameko", "uvicorn", "asyncio", "httpx", "hpack")
_ABOUT_THE_PROGRAM = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    OSError,
    TypeError,
)
_PLAIN = (bool, int, float, Decimal, date, datetime, Enum, UUID, Path, type(None))


def configure(level: str = "info", form: str = "auto", **bound: Any) -> None:
    """Send the log lines of this process, and of its libraries, to standard error.

    Args:
        level: the least important level written: `debug`, `info`, `warning` or `error`.
        form: `json`, `console`, or `auto` for console on a terminal and JSON elsewhere.
        bound: values that every line of this process carries, e.g. `process="worker"`.
    """

    def common(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        del logger, method
        return {**bound, **_request(), **line}

    people = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        common,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception,
        mask,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if people
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_rendered, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


@contextmanager
def about(correlation_id: str) -> Iterator[None]:
    """Say in every line of the block which conversation it belongs to."""
    before = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(before)


def _request() -> dict[str, str]:
    found = {"correlation_id": _correlation_id.get(), "trace_id": tracing.trace_id()}
    return {name: value for name, value in found.items() if value}


def mask(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Replace every text that is not under an open key; a structlog processor."""
    del logger, method
    return {name: _masked(name, value) for name, value in line.items()}


def _masked(name: str, value: Any) -> Any:
    match value:
        case _ if name.startswith("_"):  # structlog's own
            return value
        case Mapping():
            return {inner: _masked(str(inner), of) for inner, of in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(name, item) for item in value]
        case str():
            return value if name in OPEN or _is_id(name, value) else MASK
        case _ if isinstance(value, _PLAIN):
            return value if isinstance(value, bool | int | float | None) else str(value)
        case _:
            return type(value).__name__


def _is_id(name: str, value: str) -> bool:
    return name.endswith("_id") and _ID.fullmatch(value) is not None


def _exception(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Write an exception as its class and places, from the outermost call to the raise."""
    del logger, method
    found = line.pop("exc_info", None)
    if not found:
        return line
    if found is True:
        found = sys.exc_info()[1]
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        line["exception"] = [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        line["error"] = describe(error)
    return line


def describe(error: BaseException) -> str:
    """Return the exception's class, with what it says about the program and not of its data."""
    name = type(error).__qualname__
    if isinstance(error, ValidationError):
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        places = "; ".join(f"{_place(item['loc'])}: {item['type']}" for item in wrong)
        return f"{name}: {error.title}: {places}"
    return f"{name}: {error}" if isinstance(error, _ABOUT_THE_PROGRAM) else name


def _place(path: tuple[int | str, ...]) -> str:
    """Return the path of a field; keys of dictionaries may be anything and are masked."""
    return ".".join(str(part) if _FIELD.fullmatch(str(part)) else "•" for part in path)


def _rendered(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """Write a library's message as in its code, with the values put into it masked like others."""
    del logger, method
    message, given = line["_record"].msg, line.pop("positional_args")
    if not isinstance(message, str):
        line["event"] = _masked("event", message)
    elif given:
        masked = _masked("", given)
        with suppress(TypeError, ValueError):  # a masked text where a number is to stand
            line["event"] = message % (masked if isinstance(given, Mapping) else tuple(masked))
    return line
