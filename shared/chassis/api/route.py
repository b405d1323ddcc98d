"""Routes: where a request stands on the HTTP surface, as `google/api/http.proto` says it."""

import re
from dataclasses import dataclass

from shared.chassis.api.wire import Wire, wire
from shared.chassis.shapes import Request

__all__ = ["Route", "route_of"]

_HTTP = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/v1/[^\s:]+(?::[a-z][A-Za-z-]*)?)$")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path with the request's fields in it."""

    verb: str
    path: str
    """`/v1/leads/{lead_id}:claim`: names in braces are fields, a word after a colon is an act."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields in the path, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def body(self) -> bool:
        """Whether the other fields come as a JSON body rather than a query string."""
        return self.verb in {"POST", "PUT", "PATCH"}


def route_of(request: type[Request]) -> Route | None:
    """Return a request's route, None when it is not on the HTTP surface.

    Raises:
        TypeError: the route is malformed, or names what is no text field.
    """
    if request.http is None:
        return None
    match = _HTTP.match(request.http)
    if match is None:
        raise TypeError(f"{request.__name__}: {request.http!r} is no route")
    route = Route(match[1], match[2])
    for name in route.parameters:
        field = request.model_fields.get(name)
        if field is None or wire(field.annotation) != Wire("string"):
            raise TypeError(f"{request.__name__}: the path names {name}, which is no text field")
    return route
