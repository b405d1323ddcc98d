"""The pages agree with the code and with each other."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from annals.cli import app
from services.workplace.domain.role import BUILT_IN
from shared.chassis.api import errors

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "services/*/README.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
INSIDE = {499, 501}
"""Statuses that no caller of a running installation sees."""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    known = set(cast("Any", typer.main.get_command(app)).commands)
    assert set(re.findall(r"\bannals ([a-z][a-z-]*)", page.read_text("utf-8"))) <= known


def test_the_api_page_lists_every_refusal() -> None:
    text = (ROOT / "docs/api.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| \d{3}", line)]
    for kind in errors._TABLE:
        if kind.http not in INSIDE:
            assert any(str(kind.http) in row and kind.code.name in row for row in rows), kind


def test_the_operations_page_names_every_built_in_role_and_secret() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    for role in BUILT_IN:
        assert role in text
