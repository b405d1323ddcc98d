"""Subject keys: one per person, wrapped by the installation's key, destroyed to erase the person.

Sealing is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and the fact's place as
associated data; keys are wrapped by AES key wrap (RFC 3394).
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

__all__ = ["ERASED", "Erased", "SealBroken", "Vault", "seal", "unseal"]

_NONCE = 12
_CACHED = 20_000
_KEPT_FOR = 60.0
"""Seconds after which a key is looked up again: another process may have destroyed it."""
_AT_ONCE = 500


class SealBroken(Exception):
    """Sealed bytes that do not open: changed, moved, or sealed by another key."""


class Erased:
    """Stands for a key that was destroyed."""


ERASED = Erased()


def seal(key: AESGCM, plain: bytes, place: bytes) -> bytes:
    """Return nonce and ciphertext of `plain`, bound to `place`."""
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, plain, place)


def unseal(key: AESGCM, sealed: bytes, place: bytes) -> bytes:
    """Return the plain bytes; raise `SealBroken` when they were changed or belong elsewhere."""
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
    except (InvalidTag, ValueError) as error:
        raise SealBroken(f"sealed data at {place.decode()} does not open") from error


class Vault:
    """The keys of one context's data subjects.

    Args:
        key_encryption_keys: 32 bytes each. The first wraps every subject key at rest, all of them
            open: so the first can be exchanged while everything runs.
        stored: reads the wrapped keys of subjects who have or had one; empty when destroyed.
        in_doubt: whether what `stored` reads may yet be rolled back; such keys are not kept.
    """

    def __init__(
        self,
        key_encryption_keys: Sequence[bytes],
        stored: Callable[[Sequence[str]], Mapping[str, bytes]],
        in_doubt: Callable[[], bool],
    ) -> None:
        self._keks = key_encryption_keys
        self._stored = stored
        self._in_doubt = in_doubt
        self._cache: OrderedDict[str, tuple[AESGCM, float]] = OrderedDict()
        self._lock = Lock()

    def keys(self, subjects: Iterable[str]) -> dict[str, AESGCM | Erased]:
        """Return the keys of those who have one, `ERASED` for those whose key was destroyed."""
        found: dict[str, AESGCM | Erased] = {}
        missing = []
        fresh = monotonic() - _KEPT_FOR
        for subject in subjects:
            cached = self._cache.get(subject)
            if cached is not None and cached[1] >= fresh:
                found[subject] = cached[0]
            else:
                missing.append(subject)
        for start in range(0, len(missing), _AT_ONCE):
            stored = self._stored(missing[start : start + _AT_ONCE])
            opened = {who: AESGCM(self.unwrapped(key)) for who, key in stored.items() if key}
            self._keep(opened)
            found.update((who, opened.get(who, ERASED)) for who in stored)
        return found

    def _keep(self, opened: Mapping[str, AESGCM]) -> None:
        if self._in_doubt():
            return
        now = monotonic()
        with self._lock:
            for subject, key in opened.items():
                self._cache[subject] = key, now
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)

    def forget(self, subject: str) -> None:
        """Drop a key from memory: it was destroyed."""
        with self._lock:
            self._cache.pop(subject, None)

    def new(self) -> tuple[AESGCM, bytes]:
        """Return a fresh key and its wrapped form, to be stored with the first fact it seals."""
        raw = AESGCM.generate_key(bit_length=256)
        return AESGCM(raw), self.wrapped(raw)

    def wrapped(self, raw: bytes) -> bytes:
        """Return a key wrapped by the first key-encryption key."""
        return aes_key_wrap(self._keks[0], raw)

    def unwrapped(self, wrapped: bytes) -> bytes:
        """Return a key that one of the key-encryption keys wrapped.

        Raises:
            SealBroken: none of them did.
        """
        for key_encryption_key in self._keks:
            with suppress(InvalidUnwrap):
                return aes_key_unwrap(key_encryption_key, wrapped)
        raise SealBroken(
            "the key-encryption key does not open this log's subject keys: "
            "it is another one than when they were made"
        )

    def wrapped_anew(self, wrapped: bytes) -> bytes | None:
        """Return a key wrapped by the first key-encryption key, None when it is already.

        Raises:
            SealBroken: none of the key-encryption keys opens it.
        """
        with suppress(InvalidUnwrap):
            aes_key_unwrap(self._keks[0], wrapped)
            return None
        return self.wrapped(self.unwrapped(wrapped))
