import json
import logging
import threading
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(logging_restored: None) -> Lines:
    """Give what was logged since, as JSON."""
    logs.configure("info", "json", process="test")
    written = StringIO()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_names_the_system_and_masks_the_person(lines: Lines) -> None:
    structlog.get_logger("annals.test").warning(
        "lead refused",
        rule="AlreadyClaimed",
        lead_id="0190",
        version=3,
        name="王小明",
        contact={"phone": "+49 30 1", "contact_id": "0191"},
        notes=["calls at noon"],
    )
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "lead refused",
        "level": "warning",
        "logger": "annals.test",
        "process": "test",
        "rule": "AlreadyClaimed",
        "lead_id": "0190",
        "version": 3,
        "name": logs.MASK,
        "contact": {"phone": logs.MASK, "contact_id": "0191"},
        "notes": [logs.MASK],
    }


def test_an_exception_is_written_without_the_data_it_speaks_of(lines: Lines) -> None:
    try:
        raise ValueError("no such person: 王小明")
    except ValueError:
        structlog.get_logger().exception("fold failed")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert line["exception"][-1].startswith("test_logs.py:")
    assert "王" not in json.dumps(line, ensure_ascii=False)


def test_an_exception_about_the_program_keeps_its_message(lines: Lines) -> None:
    structlog.get_logger().error("not started", exc_info=OSError(98, "Address already in use"))
    (line,) = lines()
    assert line["error"] == "OSError: [Errno 98] Address already in use"


@pytest.mark.parametrize(
    ("message", "given", "written"),
    [
        ("100 %", (), "100 %"),
        ("cannot store %s", ("王小明",), "cannot store •••"),
        (
            "attempt %d of %s for %r took %.1f s",
            (2, 3, "王", 0.52),
            "attempt 2 of 3 for '•••' took 0.5 s",
        ),
        ("%(context)s has no %(name)s", ({"context": "leads", "name": "王"},), "leads has no •••"),
        ("lost %s", (["王", 1],), "lost ['•••', 1]"),
        ("failed: %s", (ValueError("王"),), "failed: ValueError"),
        ("page %d", (Decimal(3),), "page %d"),
        (ValueError("王"), (), "ValueError"),
    ],
)
def test_a_library_s_message_is_rendered_with_its_values_masked(
    lines: Lines, message: object, given: tuple[object, ...], written: str
) -> None:
    logging.getLogger("some.library").warning(message, *given)
    (line,) = lines()
    assert line["event"] == written
    assert "positional_args" not in line
    assert "王" not in json.dumps(line, ensure_ascii=False)


def test_a_line_of_any_thread_says_which_process_and_which_conversation(lines: Lines) -> None:
    def work() -> None:
        with logs.about("0197a3c2-5f6e-7c1a-9a53-0f6f2b1e4d70"):
            structlog.get_logger().info("request failed")
        structlog.get_logger().info("thread ends")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    first, second = lines()
    assert (first["process"], second["process"]) == ("test", "test")
    assert first["correlation_id"] == "0197a3c2-5f6e-7c1a-9a53-0f6f2b1e4d70"
    assert "correlation_id" not in second


@pytest.mark.parametrize("wrong", ["王小明", "Wang Xiaoming", "wang@example.com", "+86 139 0000"])
def test_what_is_no_id_is_masked_even_where_an_id_stands(lines: Lines, wrong: str) -> None:
    with logs.about(wrong):
        structlog.get_logger().info("lead refused", lead_id=wrong)
    (line,) = lines()
    assert (line["lead_id"], line["correlation_id"]) == (logs.MASK, logs.MASK)


def test_lines_below_the_level_and_chatter_of_libraries_are_left_out(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("kombu").info("connected")
    logging.getLogger("alembic.runtime.migration").info("Running %s", "a step")
    assert lines() == []


VALUES = st.recursive(
    st.text(alphabet="王明安", min_size=4) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "phone", "note"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "phone", "note", "email"]), VALUES))
def test_no_text_under_an_unlisted_key_survives(line: dict[str, Any]) -> None:
    written = json.dumps(logs.mask(None, "info", dict(line)), ensure_ascii=False)
    assert not set(written) & set("王明安")
