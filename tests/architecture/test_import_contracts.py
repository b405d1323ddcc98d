"""Every import contract is seen failing: one violation planted in a copy of the tree."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("annals", "gateway", "services", "shared")
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
VIOLATIONS = {
    "one-way": ("shared/chassis/planted.py", "import annals"),
    "independent-services": ("services/leads/planted.py", "import services.billing"),
    "pure-language": ("shared/events/planted.py", "import sqlalchemy"),
    "pure-core": ("services/leads/domain/planted.py", "import random"),
    "pure-projections": ("services/leads/projections/planted.py", "import shared.chassis.database"),
    "event-store-library": ("shared/chassis/planted.py", "import eventsourcing.persistence"),
    "worker-runtime": ("shared/chassis/planted.py", "import eventlet"),
    "broker-library": ("gateway/planted.py", "import kombu"),
    "grpc-at-the-edges": ("services/leads/planted.py", "import grpc"),
    "telemetry-libraries": ("gateway/planted.py", "import prometheus_client"),
    "web-at-the-edges": ("shared/chassis/planted.py", "import fastapi"),
}


def lint(root: Path) -> tuple[int, str]:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def verdicts(report: str) -> dict[str, bool]:
    """Read `name KEPT` and `name BROKEN` lines."""
    found = {}
    for line in report.splitlines():
        for word, kept in ((" KEPT", True), (" BROKEN", False)):
            if word in line:
                found[line.partition(word)[0].strip()] = kept
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tree's modules without their data, as a place to break them in."""
    root = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "assets")
        )
    for name in ("domain", "projections"):
        (root / "services/leads" / name / "__init__.py").touch()
    (root / "tests/architecture").mkdir(parents=True)
    shutil.copy(ROOT / "tests/architecture/contracts.py", root / "tests/architecture")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_the_tree_keeps_every_contract() -> None:
    code, report = lint(ROOT)
    assert code == 0, report
    assert verdicts(report) == dict.fromkeys(CONTRACTS.values(), True)


def test_every_contract_has_a_planted_violation() -> None:
    assert set(VIOLATIONS) == set(CONTRACTS)


@pytest.mark.parametrize("contract", sorted(VIOLATIONS))
def test_a_planted_violation_breaks_exactly_its_contract(copy: Path, contract: str) -> None:
    path, statement = VIOLATIONS[contract]
    planted = copy / path
    planted.write_text(f"{statement}\n")
    try:
        code, report = lint(copy)
    finally:
        planted.unlink()
    broken = {name for name, kept in verdicts(report).items() if not kept}
    assert code == 1
    assert broken == {CONTRACTS[contract]}, report
