"""The generated pages are those of the code."""

from pathlib import Path

import pytest

from annals.reference import PAGES
from shared.chassis.settings import PREFIX, Settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_generated_page_is_fresh(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == PAGES[page](), "run `make docs`"


def test_every_setting_is_explained() -> None:
    text = (DOCS / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in text
        assert field.description
        assert field.description in text
