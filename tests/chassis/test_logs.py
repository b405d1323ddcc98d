import json
import logging
from collections.abc import Callable
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


def test_a_library_s_message_loses_the_values_put_into_it(lines: Lines) -> None:
    logging.getLogger("some.library").warning("cannot store %s", "王小明")
    (line,) = lines()
    assert line["event"] == "cannot store %s"
    assert "王" not in json.dumps(line, ensure_ascii=False)


def test_lines_below_the_level_and_chatter_of_libraries_are_left_out(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("kombu").info("connected")
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
