"""The public keys of the company's token issuer (JSON Web Key Set, RFC 7517)."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import jwt
import structlog

from shared.chassis.shapes import Unavailable

__all__ = ["ALGORITHMS", "IssuerKeys"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with a private key; none that the holder of a shared secret could make."""

_FRESH = 300.0
_BETWEEN = 10.0
_PATIENCE = 5.0
_LARGEST = 1_000_000

_log = structlog.get_logger()

Keys = Mapping[str | None, jwt.PyJWK]


class IssuerKeys:
    """Keys by their id, fetched when first needed and kept.

    They are fetched again when they are five minutes old or when a token names a key that is not
    among them, so that the issuer can change its keys at any time; but not more often than every
    ten seconds, whatever tokens name. While the issuer cannot be asked, known keys stay good.

    Args:
        fetch: returns the document as text; raises OSError, ValueError or `httpx.HTTPError`.
        clock: seconds that only grow.
    """

    def __init__(
        self, fetch: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched = self._tried = float("-inf")
        self._lock = threading.Lock()

    @classmethod
    def given(cls, keys: str | None, url: str | None) -> "IssuerKeys":
        """Return the keys that settings name.

        Args:
            keys: the document, or the path of a file that holds it.
            url: where the issuer publishes it, used when `keys` is None.

        Raises:
            ValueError: the document holds no usable key, or neither is given.
        """
        if keys is None:
            if url is None:
                raise ValueError("the issuer's keys are not given")
            return cls(lambda: _published(url))
        if keys.startswith("{"):
            _read(keys)
            return cls(lambda: keys)
        path = Path(keys)
        _read(path.read_text("utf-8"))
        return cls(lambda: path.read_text("utf-8"))

    def key(self, kid: str | None) -> jwt.PyJWK:
        """Return the key of this id; the only key there is when a token names none.

        Raises:
            Unavailable: no keys are known and the issuer cannot be asked.
            jwt.InvalidKeyError: the issuer has no such key.
        """
        known = self._found(kid)
        if known is None or self._clock() - self._fetched > _FRESH:
            self._refresh(waiting=known is None)
        found = self._found(kid)
        if found is None:
            if not self._keys:
                raise Unavailable("the issuer of tokens cannot be asked for its keys")
            raise jwt.InvalidKeyError("the issuer has no such key")
        return found

    def _found(self, kid: str | None) -> jwt.PyJWK | None:
        keys = self._keys
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        return keys.get(kid)

    def _refresh(self, *, waiting: bool) -> None:
        """Fetch the keys; while another thread does, wait only for a key that is not known."""
        if not self._lock.acquire(blocking=waiting):
            return
        try:
            if self._clock() - self._tried < _BETWEEN:
                return
            self._tried = self._clock()
            self._keys = _read(self._fetch())
            self._fetched = self._clock()
        except (httpx.HTTPError, OSError, ValueError) as error:
            _log.warning("the issuer's keys cannot be read", error=type(error).__name__)
        finally:
            self._lock.release()


def _published(url: str) -> str:
    answer = httpx.get(url, timeout=_PATIENCE).raise_for_status()
    if len(answer.content) > _LARGEST:
        raise ValueError("the document is too large")
    return answer.text


def _read(text: str) -> Keys:
    """Return the keys of a document that can check signatures; ValueError when there is none."""
    try:
        found = jwt.PyJWKSet.from_json(text).keys
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the issuer's keys are no JWKS document") from error
    usable = {
        key.key_id: key
        for key in found
        if key.key_type != "oct" and key.public_key_use in {None, "sig"}
    }
    if not usable:
        raise ValueError("the issuer's keys hold none that checks signatures")
    return usable
