"""The console's way to the API: the same paths, rights and errors that every consumer has."""

from typing import Any

import httpx

__all__ = ["Api", "Problem"]


class Problem(Exception):
    """The API turned a request down, or did not answer; the message is for people."""


class Api:
    """Reads the public API.

    Args:
        transport: carries requests; an ASGI transport when the gateway is in this process.
        base_url: where the API stands.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None, base_url: str) -> None:
        self._client = httpx.AsyncClient(transport=transport, base_url=base_url, timeout=20)

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the JSON at a path.

        Raises:
            Problem: the answer is an error; says why.
        """
        given = {name: value for name, value in query.items() if value not in {None, ""}}
        try:
            answer = await self._client.get(path, params=given)
        except httpx.HTTPError as error:
            raise Problem(f"the API does not answer: {error}") from error
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            raise Problem(str(body.get("detail") or body.get("title") or answer.status_code))
        return body
