"""`annals import`, as an operator would use it."""

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from annals import cli
from services.leads.service import SERVICE as LEADS
from shared.chassis.service import open_service
from shared.chassis.settings import read_settings
from shared.events.leads import LeadCaptured
from tests.imports.conftest import LEADS_MAPPING

HEADER = "id,met,name,phone,mail\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_restored: None,
) -> Run:
    """Give `annals import …` over an empty data folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(LEADS_MAPPING)

    def annals(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["annals", "--data", "data", "import", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return annals


def captured(folder: Path) -> list[str]:
    """Return the names of the leads in the log, each time they were captured."""
    keys = read_settings(data=folder).wrapping_keys()
    leads = open_service(LEADS, folder, key_encryption_keys=keys)
    facts = leads.log.read(0, 1_000_000)
    leads.close()
    return [str(f.event.external_id) for f in facts if isinstance(f.event, LeadCaptured)]


def test_everything_in_ends_with_0_and_a_summary(run: Run, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(HEADER + "1,2024-03-01,Lin,,lin@example.org.cn\n")
    code, out, _ = run("leads", "leads.csv", "--mapping", "m.yaml")
    assert code == 0
    assert re.search(r"added +1\n", out)
    assert re.search(r"rejected +0\n", out)
    assert captured(tmp_path / "data") == ["1"]


def test_rejected_rows_end_with_1_and_are_written_right_here(run: Run, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(HEADER + "1,never,Lin,,\n2,2024-03-01,Ada,,a@x.org\n")
    code, out, _ = run("leads", "leads.csv", "--mapping", "m.yaml", "--json")
    assert code == 1
    summary = json.loads(out)
    assert summary["rejects"] == "leads.rejects.csv"
    counts = [summary[name] for name in ("rows", "added", "known", "rejected")]
    assert counts == [2, 1, 0, 1]
    assert summary["reasons"] == {"occurred_at": 1}
    with (tmp_path / "leads.rejects.csv").open(encoding="utf-8-sig") as text:
        assert [row["row"] for row in csv.DictReader(text)] == ["2"]
    code, out, _ = run("leads", "leads.csv", "--mapping", "m.yaml", "--rejects", "bad.csv")
    assert (tmp_path / "bad.csv").exists()
    assert "rejected rows are in bad.csv" in out


def test_a_dry_run_says_the_same_and_keeps_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(HEADER + "1,2024-03-01,Lin,,lin@example.org.cn\n")
    assert run("leads", "leads.csv", "--mapping", "m.yaml")[0] == 0
    (tmp_path / "leads.csv").write_text(
        HEADER
        + "1,2024-03-01,Lin,,lin@example.org.cn\n2,2024-03-01,Ada,,ada@example.org.cn\n"
        + "3,2024-03-01,Twin,,LIN@example.org.cn\n"
    )
    code, out, _ = run("leads", "leads.csv", "--mapping", "m.yaml", "--json", "--dry-run")
    summary = json.loads(out)
    assert code == 1
    assert summary["dry_run"]
    assert (summary["added"], summary["known"], summary["rejected"]) == (1, 1, 1)
    assert captured(tmp_path / "data") == ["1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["leads", "leads.csv", "--mapping", "nowhere.yaml"], "No such file"),
        (["leads", "nowhere.csv", "--mapping", "m.yaml"], "nowhere.csv: No such file"),
        (["lead", "leads.csv", "--mapping", "m.yaml"], "there is no 'lead'; did you mean leads?"),
        (["leads", "leads.csv"], "Missing option '--mapping'"),
        (
            ["leads", "leads.csv", "--mapping", "m.yaml", "--rejects", "leads.csv"],
            "leads.csv: is the imported file",
        ),
        (["leads", "bare.csv", "--mapping", "m.yaml"], "fields.name: the file has no column"),
        (["leads", "leads.csv", "--mapping", "m.yaml", "--as", "Nobody"], "Nobody"),
    ],
)
def test_what_is_wrong_ends_with_2_and_is_said(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "leads.csv").write_text(HEADER)
    (tmp_path / "bare.csv").write_text("id,met\n")
    code, _, err = run(*arguments)
    assert code == 2
    assert said in err
    assert (tmp_path / "leads.csv").read_text() == HEADER


@pytest.mark.slow
@pytest.mark.capability("PLT-08")
def test_an_import_killed_again_and_again_ends_with_each_row_once(tmp_path: Path) -> None:
    rows = [f"{n},2024-01-01,Lead {n},,lead{n}@example.org.cn" for n in range(3000)]
    (tmp_path / "leads.csv").write_text(HEADER + "\n".join(rows) + "\n")
    (tmp_path / "m.yaml").write_text(LEADS_MAPPING)
    command = [
        sys.executable, "-m", "annals", "--data", str(tmp_path / "data"), "import", "leads",
        str(tmp_path / "leads.csv"), "--mapping", str(tmp_path / "m.yaml"), "--json",
    ]  # fmt: skip
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    log = tmp_path / "data" / "leads.log.db"
    for wanted in (1, 501, 1501):
        process = subprocess.Popen(command, env=here, cwd=tmp_path, stdout=subprocess.DEVNULL)
        while _rows(log) < wanted and _runs(process):
            continue
        process.kill()
        process.wait(60)
    done = subprocess.run(command, env=here, cwd=tmp_path, check=True, capture_output=True)
    summary = json.loads(done.stdout)
    assert summary["known"] >= 1501
    assert summary["added"] + summary["known"] == 3000
    assert sorted(captured(tmp_path / "data"), key=int) == [str(n) for n in range(3000)]


def _runs(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(0.05)
    except subprocess.TimeoutExpired:
        return True
    return False


def _rows(log: Path) -> int:
    try:
        with sqlite3.connect(f"file:{log}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
