"""The gateway as an ASGI application."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import grpc
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import problems
from gateway.channels import Channels
from gateway.limits import Limited
from gateway.metrics import Measured, metrics
from gateway.openapi import document
from gateway.paths import API, Paths
from gateway.resource import Operation, Resource
from shared.chassis.api.contract import PROTO, Contract
from shared.chassis.api.errors import problem

__all__ = ["create_app"]


def create_app(
    addresses: Mapping[str, str],
    *,
    proto: Path = PROTO,
    timeout: float = 15.0,
    max_body: int = 1024 * 1024,
    credentials: grpc.ChannelCredentials | None = None,
    rate: float = 0.0,
) -> FastAPI:
    """Return the gateway for the contexts at these addresses.

    Args:
        addresses: context to gRPC address, e.g. `{"leads": "127.0.0.1:50051"}`.
        proto: where the contracts stand.
        timeout: seconds until a call to a service is given up.
        max_body: largest request body in bytes.
        credentials: TLS towards the services; plain when None.
        rate: requests per second and caller; 0 sets no limit.

    Raises:
        FileNotFoundError: a context has no contract.
        ValueError: two routes cannot be told apart.
    """
    contracts = [Contract.load(context, proto) for context in addresses]
    channels = Channels(addresses, credentials, patience=2 * timeout, accepted=max_body)
    services = {contract.context: contract.service for contract in contracts}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await channels.close()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        unready = await channels.unready(services)
        if unready:
            missing = ", ".join(unready)
            return problems.response(problem(503, "Not ready", f"waiting for {missing}"))
        return JSONResponse({"status": "ready"})

    app = FastAPIOffline(
        title="Annals",
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs/static",
        lifespan=lifespan,
        redirect_slashes=False,
        exception_handlers={HTTPException: problems.http_problem},
    )
    described = document(contracts, version=_version())
    app.openapi = lambda: described  # type: ignore[method-assign]
    app.router.routes += [
        HttpRoute("/healthz", healthz),
        HttpRoute("/readyz", readyz),
        HttpRoute("/metrics", metrics),
    ]
    app.add_middleware(Measured)
    api = Paths(resources(contracts, channels, timeout=timeout, max_body=max_body))
    _put_before(app, Measured(Limited(api, rate)))
    return app


def _put_before(app: FastAPI, api: ASGIApp) -> None:
    """Let the API answer its paths by itself; everything else goes through the framework.

    What the framework's layers do for a request, the API does not need: it reads, refuses and
    answers by its contracts. They would take a fifth of the gateway's time.
    """
    pages = app.build_middleware_stack

    def build() -> ASGIApp:
        others = pages()

        async def choose(scope: Scope, receive: Receive, send: Send) -> None:
            within = scope["type"] == "http" and scope["path"].startswith(API)
            await (api if within else others)(scope, receive, send)

        return choose

    app.build_middleware_stack = build  # type: ignore[method-assign]


def resources(
    contracts: Iterable[Contract], channels: Channels, *, timeout: float, max_body: int
) -> list[Resource]:
    """Return the paths of the contracts, the more particular ones first.

    Raises:
        ValueError: two methods have the same route, or two paths differ in names only.
    """
    found: dict[str, Resource] = {}
    for contract in contracts:
        for rpc in contract.rpcs.values():
            if (route := rpc.route) is None:
                continue
            shape = re.sub(r"\{\w+\}", "{}", route.path)
            resource = found.setdefault(shape, Resource(route.path))
            if resource.path != route.path:
                raise ValueError(f"{route.path} and {resource.path} cannot be told apart")
            resource.add(
                Operation(contract, rpc, route, channels, timeout=timeout, max_body=max_body)
            )
    return sorted(found.values(), key=lambda resource: _generality(resource.path))


def _generality(path: str) -> list[tuple[bool, bool, str]]:
    """Order a path behind those that say more: words before parameters, acts before plain ids."""
    return [(part.startswith("{"), ":" not in part, part) for part in path.split("/")]


def _version() -> str:
    try:
        return version("annals")
    except PackageNotFoundError:
        return "0"
