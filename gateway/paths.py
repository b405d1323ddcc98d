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
        resources: of which the first that fits answers.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._known: dict[_Place, list[tuple[re.Pattern[str], Resource]]] = defaultdict(list)
        for resource in resources:
            pattern, _, _ = compile_path(resource.path)
            self._known[_place(resource.path)].append((pattern, resource))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        for pattern, resource in self._known.get(_place(path), ()):
            if match := pattern.match(path):
                scope["path_params"] = match.groupdict()
                await resource(scope, receive, send)
                return
        await problems.response(problem(404, "Not Found"))(scope, receive, send)


def _place(path: str) -> _Place:
    """Return where to look for a path: how many parts it has, and what the collection is."""
    parts = path.split("/", 3)
    return path.count("/"), parts[2].partition(":")[0] if len(parts) > 2 else ""  # noqa: PLR2004
