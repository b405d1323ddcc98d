"""The console's way to the API: the same paths, rights and errors that every consumer has."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

__all__ = ["Api", "Problem", "SignInNeeded"]


class Problem(Exception):
    """The API turned a request down, or did not answer.

    Args:
        why: a sentence for people.
        status: the answer's, None when there was none.
    """

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class SignInNeeded(Exception):
    """The API does not know who is asking; the message says why."""


@dataclass(frozen=True)
class Api:
    """Reads the public API on behalf of one visitor, whose token goes with every call.

    Args:
        client: carries requests for all visitors, and so bears nothing of any of them.
        authorization: what the visitor's own request said; nothing but a bearer token is passed on.
    """

    client: httpx.AsyncClient
    authorization: str | None = field(default=None, repr=False)

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the JSON at a path.

        Raises:
            SignInNeeded: the visitor has no token, or one that proves nothing.
            Problem: the answer is another error; says why.
        """
        given = {name: value for name, value in query.items() if value not in {None, ""}}
        try:
            answer = await self.client.get(path, params=given, headers=self._headers())
        except httpx.HTTPError as error:
            raise Problem(f"the API does not answer: {error}") from error
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            why = str(body.get("detail") or body.get("title") or answer.status_code)
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                raise SignInNeeded(why)
            raise Problem(why, answer.status_code)
        return body

    def _headers(self) -> dict[str, str]:
        given = self.authorization or ""
        return {"Authorization": given} if given.lower().startswith("bearer ") else {}
