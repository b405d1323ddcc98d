"""From a request's path to its resource, without trying one pattern after another."""

import re
from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from gateway import problems
from gateway.resource import Resource
from shared.chassis.api.errors import problem

__all__ = ["API", "Paths"]

API = "/v1/"
"""Where every path of the document begins."""

_Place = tuple[int, str]


class Paths:
    """The API's paths as an ASGI application: finds the resource and lets it answer.

    Args:
        resources: of which the first that fits answers. An id may end like an act, so that one
            with the request's verb goes before.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._known: dict[_Place, list[tuple[re.Pattern[str], Resource]]] = defaultdict(list)
        for resource in resources:
            pattern, _, _ = compile_path(resource.path)
            self._known[_place(resource.path)].append((pattern, resource))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, verb = scope["path"], scope["method"]
        known = self._known.get(_place(path), ())
        fitting = [(match, one) for pattern, one in known if (match := pattern.match(path))]
        if not fitting:
            await problems.response(problem(404, "Not Found"))(scope, receive, send)
            return
        match, resource = next((fit for fit in fitting if fit[1].answers(verb)), fitting[0])
        scope["path_params"] = match.groupdict()
        await resource(scope, receive, send)


def _place(path: str) -> _Place:
    """Return where to look for a path: how many parts it has, and what the collection is."""
    parts = path.split("/", 3)
    return path.count("/"), parts[2].partition(":")[0] if len(parts) > 2 else ""  # noqa: PLR2004
