"""Leave in a copy of the sources what the image of one service needs: `keep.py SERVICE [ROOT]`.

A service's image holds no other service's code. The gateway's holds analytics, whose console it
mounts. `all` keeps everything.
"""

import shutil
import sys
from pathlib import Path

HOSTS = {"gateway": ("analytics",)}
"""Images that are no service, and the services whose code they hold."""


def keep(service: str, root: Path) -> None:
    """Remove the other services, and the gateway where a service stands alone.

    Args:
        service: name of the image.
        root: the copy of the sources.

    Raises:
        SystemExit: there is no such service.
    """
    homes = {home.name: home for home in (root / "services").iterdir() if home.is_dir()}
    homes.pop("__pycache__", None)
    if service == "all":
        return
    kept = HOSTS.get(service, (service,))
    if not set(kept) <= set(homes):
        raise SystemExit(f"there is no service {service}; there are {', '.join(sorted(homes))}")
    for name, home in homes.items():
        if name not in kept:
            shutil.rmtree(home)
    if service not in HOSTS:
        shutil.rmtree(root / "gateway")


if __name__ == "__main__":
    keep(sys.argv[1], Path(*sys.argv[2:]))
