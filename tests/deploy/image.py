"""What an image holds: its share of the sources, run with nothing else in reach."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.manifests import DEPLOY, ROOT

__all__ = ["DOCKER", "annals", "copied", "kept", "program"]

DOCKER = DEPLOY / "docker"
SOURCES = ("annals", "gateway", "proto", "services", "shared")


def copied(folder: Path) -> Path:
    """Copy what images are made of into a folder; return it."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def kept(sources: Path, image: str, folder: Path) -> Path:
    """Return a copy of the sources from which the image's share was taken."""
    root = folder / image
    shutil.copytree(sources, root)
    subprocess.run([sys.executable, str(DOCKER / "keep.py"), image, str(root)], check=True)
    return root


def program(root: Path, code: str) -> list[str]:
    """Return the command that runs code with the sources of an image, and no others."""
    return [
        sys.executable,
        "-I",
        "-c",
        f"""
import sys
sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
sys.path[:] = [{str(root)!r}] + [path for path in sys.path if path != {str(ROOT)!r}]
import annals
assert annals.__file__.startswith({str(root)!r}), annals.__file__
{code}
""",
    ]


def annals(root: Path, *words: str) -> list[str]:
    """Return the command that runs `annals` in an image."""
    return program(
        root, f"sys.argv[1:] = {list(words)!r}\nfrom annals.__main__ import main\nmain()"
    )
