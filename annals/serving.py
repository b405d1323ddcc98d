"""The deployables: each serves what it is told to until SIGTERM, then ends what it has in hand.

They keep nothing between two requests, so that any number of them may run side by side. Heavy
imports stay inside the functions, for none needs what the others need.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog

from annals.installation import establish, open_installation
from shared.chassis.messaging.lag import Ahead
from shared.chassis.service import OpenService
from shared.chassis.settings import Settings
from shared.chassis.telemetry import tracing
from shared.chassis.telemetry.operations import Operations
from shared.chassis.telemetry.standing import Standing, answers, keeps_up

__all__ = ["REBUILD", "serve_api", "serve_gateway", "serve_worker", "shown", "traced"]

log = structlog.get_logger(__name__)

GRACE = 8.0
"""Seconds that work in hand gets to end by itself."""
REBUILD = (sys.executable, "-m", "annals", "rebuild")
"""Makes read models anew in a process of its own, with this one's settings."""


def serve_api(settings: Settings, names: Sequence[str]) -> None:
    """Serve contexts over gRPC.

    Args:
        settings: of this process.
        names: the contexts.

    Raises:
        UnknownService: there is none of a name.
        SchemaUnfit: a database is not at a schema this release knows.
    """
    from annals.signals import Told
    from shared.chassis.api.binder import ApiServer
    from shared.chassis.api.identity import identity_of
    from shared.chassis.api.limits import Limits
    from shared.chassis.api.tls import server_credentials

    with (
        traced(settings, "api", *names),
        open_installation(settings, names=names, within=settings.request_timeout) as services,
        shown(services, consumes=False),
    ):
        told = Told()
        served = ApiServer(
            services,
            identity=identity_of(settings),
            limits=Limits.of(settings),
            address=f"{settings.host}:{settings.grpc_port}",
            credentials=server_credentials(settings),
        )
        checks = {"databases": answers(services), "running": told.unless_told}
        with Operations(checks, settings.host, settings.operations_port) as operations:
            served.start()
            log.info("ready", address=served.address, port=operations.port)
            told.wait()
            served.stop(GRACE)


def serve_worker(settings: Settings, names: Sequence[str]) -> None:
    """Run the relays, subscriptions and deadlines of contexts, in a process that is patched.

    Args:
        settings: of this process.
        names: the contexts.

    Raises:
        UnknownService: there is none of a name.
        SchemaUnfit: a database is not at a schema this release knows.
    """
    from shared.chassis.worker.broker import Broker
    from shared.chassis.worker.pulling import Elsewhere
    from shared.chassis.worker.runner import State, run

    if settings.broker_url is None:
        broker = Broker.embedded()
    else:
        broker = Broker.amqp(settings.broker_url, authority=settings.tls_authority)
    elsewhere = Elsewhere(settings.address_of, settings.own_token, _tls(settings))
    state = State()
    with (
        traced(settings, "worker", *names),
        open_installation(settings, names=names) as services,
        shown(services, elsewhere.ahead) as standing,
    ):
        establish(services)
        checks = {
            "databases": answers(services),
            "broker": state.broker,
            "caught up": state.caught_up,
            "lag": keeps_up(standing),
        }
        with Operations(checks, settings.host, settings.operations_port) as operations:

            def ready() -> None:
                log.info("ready", service=", ".join(names), port=operations.port)

            run(services, broker, ready, elsewhere=elsewhere, state=state, rebuild=REBUILD)


def serve_gateway(settings: Settings) -> None:
    """Serve every context over HTTP, with the console; at once, whether or not they answer.

    Args:
        settings: of this process.
    """
    from annals.http import serve_http
    from gateway.app import create_app
    from services.analytics import console
    from shared.chassis.api.contract import all_contracts
    from shared.chassis.api.tls import channel_credentials

    app = create_app(
        {one.context: settings.address_of(one.context) for one in all_contracts()},
        timeout=settings.request_timeout,
        max_body=settings.body_limit,
        rate=settings.rate_limit,
        credentials=channel_credentials(settings),
    )
    console.mount(app)
    url = f"{settings.host}:{settings.http_port}"
    with traced(settings, "gateway"):
        serve_http(app, settings, lambda: log.info("ready", address=url), GRACE)


def traced(settings: Settings, *process: str) -> AbstractContextManager[None]:
    """Follow what a process does as traces, for as long as the block lasts."""
    return tracing.traced(
        " ".join(process),
        settings.telemetry_endpoint,
        settings.telemetry_ratio,
        settings.tls_authority,
    )


@contextmanager
def shown(
    services: Sequence[OpenService], ahead: Ahead | None = None, *, consumes: bool = True
) -> Iterator[Standing]:
    """Show among the metrics what stands in the databases, for as long as the block lasts."""
    standing = Standing(services, ahead, consumes=consumes)
    standing.register()
    try:
        yield standing
    finally:
        standing.unregister()


def _tls(settings: Settings) -> Mapping[str, Path] | None:
    """Return the files with which this service shows itself to others and checks them."""
    if settings.tls_authority is None:
        return None
    files = {
        "authority": settings.tls_authority,
        "certificate": settings.tls_certificate,
        "key": settings.tls_key,
    }
    return {name: file for name, file in files.items() if file is not None}
