"""What every command and query refuses, whatever its fields."""

from typing import Any

import pytest
from pydantic import Field, ValidationError

from shared.chassis.shapes import Command


class Describe(Command):
    title: str = ""
    notes: tuple[str, ...] = ()
    custom: dict[str, Any] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"title": "a\0b"}, ("title",)),
        ({"notes": ["fine", "\0"]}, ("notes", 1)),
        ({"custom": {"deep": [{"text": "\0"}]}}, ("custom", "deep", 0, "text")),
        ({"custom": {"a\0": 1}}, ("custom", "a\0")),
    ],
)
def test_text_with_nul_is_refused_where_it_stands(values: dict[str, Any], place: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Describe.model_validate(values)
    assert [error["loc"] for error in refused.value.errors()] == [place]


def test_other_control_characters_are_text() -> None:
    assert Describe(title="two\nlines\t王").title == "two\nlines\t王"


def test_something_else_than_fields_is_refused_readably() -> None:
    with pytest.raises(ValidationError):
        Describe.model_validate(5)
