"""The processes of an embedded installation: `python -m annals.processes api|worker PARENT READY`.

They are started by `annals.up`, which gives its process id, so that they end with it, and a file
descriptor to which they write once they are ready. Settings come in the environment.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["PROCESSES", "Life"]

_CHECK = 0.5
_GRACE = 3


class Life(NamedTuple):
    """What ties a process to the one that started it."""

    parent: int
    ready: int
    """File descriptor that takes one word when the process is ready."""

    def say_ready(self) -> None:
        """Tell the parent that this process does its work now."""
        os.write(self.ready, b"ready")


def worker(life: Life) -> None:
    """Run every context's relay, subscriptions and deadlines."""
    from shared.chassis.worker.green import patch

    patch()  # before anything else is imported

    from annals.installation import establish, open_installation
    from annals.serving import REBUILD, traced
    from shared.chassis.worker.broker import Broker
    from shared.chassis.worker.runner import run

    settings = _settings("worker")
    with traced(settings, "worker"), open_installation(settings) as services:
        establish(services)
        run(services, Broker.embedded(), life.say_ready, life.parent, rebuild=REBUILD)


def api(life: Life) -> None:
    """Serve every context over gRPC, and all of them over HTTP."""
    from annals.http import serve_http
    from annals.installation import open_installation
    from annals.serving import shown, traced
    from gateway.app import create_app
    from services.analytics import console
    from shared.chassis.api.binder import ApiServer
    from shared.chassis.api.identity import identity_of
    from shared.chassis.api.limits import Limits

    settings = _settings("api")
    with (
        traced(settings, "api"),
        open_installation(settings, within=settings.request_timeout) as services,
        shown(services),
    ):
        served = ApiServer(
            services,
            identity=identity_of(settings),
            limits=Limits.of(settings),
            address=f"{settings.host}:{settings.grpc_port}",
        )

        def begin() -> None:
            # The console looks at every object there is while it starts, and an object that is
            # being made at that moment by another thread may break.
            served.start()
            life.say_ready()

        gateway = create_app(
            {opened.name: served.address for opened in services},
            timeout=settings.request_timeout,
            max_body=settings.body_limit,
            rate=settings.rate_limit,
        )
        console.mount(gateway)
        threading.Thread(target=_end_with, args=(life.parent,), daemon=True).start()
        serve_http(gateway, settings, begin, _GRACE)
        served.stop(_GRACE)


PROCESSES: Mapping[str, Callable[[Life], None]] = {"api": api, "worker": worker}


def _settings(process: str) -> Any:
    from shared.chassis import logs
    from shared.chassis.settings import read_settings

    settings = read_settings()
    logs.configure(settings.log_level, settings.log_format, process=process)
    return settings


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_CHECK)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    PROCESSES[sys.argv[1]](Life(int(sys.argv[2]), int(sys.argv[3])))
