"""Problem documents (RFC 9457) as responses."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.chassis.api.errors import PROBLEM_TYPE, problem

__all__ = ["Problem", "http_problem", "response"]

_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "1"},
}


class Problem(Exception):
    """A request that ends in a problem document.

    Args:
        document: see `shared.chassis.api.errors.problem`.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["title"])
        self.document = document


def response(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as a response with the headers its status asks for."""
    status = document["status"]
    wait = document.get("details", {}).get("retry_after")
    told = {"Retry-After": str(math.ceil(float(wait)))} if wait is not None else {}
    return Response(
        orjson.dumps(document),
        status_code=status,
        media_type=PROBLEM_TYPE,
        headers={**_HEADERS.get(status, {}), **told, **(headers or {})},
    )


async def http_problem(_request: Request, error: Exception) -> Response:
    """Answer the framework's own refusals: no such route, method not allowed."""
    if not isinstance(error, HTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == title else error.detail
    return response(problem(error.status_code, title, detail), error.headers)
