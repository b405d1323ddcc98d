"""What the repository promises about its own files."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
DECISIONS = sorted((ROOT / "docs/adr").glob("*.md"))


def test_every_locked_package_has_a_version_and_hashes() -> None:
    requirements = re.split(r"\n(?=[A-Za-z0-9])", LOCK)[1:]
    assert len(requirements) > 80
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ \\\n", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_the_lock_names_no_download_address() -> None:
    assert not re.search(r"(?i)\w+://|--(extra-)?index-url|--find-links|--trusted-host", LOCK)


def test_the_lock_holds_every_direct_dependency() -> None:
    locked = set(re.findall(r"^([a-z0-9._-]+)==", LOCK, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=~!]", line)[0].lower() for line in wanted}
    assert names <= locked


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_fits_on_a_page(decision: Path) -> None:
    text = decision.read_text()
    assert len(text.splitlines()) <= 25
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", decision.stem)
    for heading in ("Context", "Decision", "Consequences", "What would change our mind"):
        assert f"**{heading}.**" in text


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
