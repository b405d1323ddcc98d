"""A copied folder is a backup, and read models come back by themselves."""

import shutil
from pathlib import Path

import pytest

from annals.installation import open_installation
from tests.acceptance.installation import Installation, installation

pytestmark = pytest.mark.slow


@pytest.mark.capability("PLT-03")
def test_the_logs_of_a_copied_folder_bring_everything_back(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with installation(here) as annals:
        annals.post("/v1/leads", {"lead_id": "wang", "name": "王芳", "channel": "web_form"})
        annals.post("/v1/leads/wang:assign", {"owner_id": "lin"})
        annals.settle()
        lead = annals.get("/v1/leads/wang")
        tips = positions(annals)
    shutil.copytree(here, there)
    for views in there.glob("*.views.db*"):
        views.unlink()
    with installation(there) as restored:
        restored.settle()
        assert restored.get("/v1/leads/wang") == lead
        assert positions(restored) == tips


def positions(annals: Installation) -> dict[str, int]:
    with open_installation(annals.settings) as services:
        return {service.name: service.log.tip() for service in services}
