"""Subject keys: one per person, wrapped by the installation's key, destroyed to erase the person.

Sealing is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and the fact's place as
associated data; keys are wrapped by AES key wrap (RFC 3394).
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

__all__ = ["ERASED", "Erased", "SealBroken", "Vault", "seal", "unseal"]

_NONCE = 12
_CACHED = 20_000
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
        key_encryption_key: 32 bytes that wrap every subject key at rest.
        stored: reads the wrapped keys of subjects who have or had one; empty when destroyed.
        in_doubt: whether what `stored` reads may yet be rolled back; such keys are not kept.
    """

    def __init__(
        self,
        key_encryption_key: bytes,
        stored: Callable[[Sequence[str]], Mapping[str, bytes]],
        in_doubt: Callable[[], bool],
    ) -> None:
        self._kek = key_encryption_key
        self._stored = stored
        self._in_doubt = in_doubt
        self._cache: OrderedDict[str, AESGCM] = OrderedDict()
        self._lock = Lock()

    def keys(self, subjects: Iterable[str]) -> dict[str, AESGCM | Erased]:
        """Return the keys of those who have one, `ERASED` for those whose key was destroyed."""
        found: dict[str, AESGCM | Erased] = {}
        missing = []
        for subject in subjects:
            if cached := self._cache.get(subject):
                found[subject] = cached
            else:
                missing.append(subject)
        for start in range(0, len(missing), _AT_ONCE):
            for subject, wrapped in self._stored(missing[start : start + _AT_ONCE]).items():
                found[subject] = self._opened(subject, wrapped) if wrapped else ERASED
        return found

    def _opened(self, subject: str, wrapped: bytes) -> AESGCM:
        try:
            key = AESGCM(aes_key_unwrap(self._kek, wrapped))
        except InvalidUnwrap as error:
            raise SealBroken(
                "the key-encryption key does not open this log's subject keys: "
                "it is another one than when they were made"
            ) from error
        if self._in_doubt():
            return key
        with self._lock:
            self._cache[subject] = key
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return key

    def forget(self, subject: str) -> None:
        """Drop a key from memory: it was destroyed."""
        with self._lock:
            self._cache.pop(subject, None)

    def new(self) -> tuple[AESGCM, bytes]:
        """Return a fresh key and its wrapped form, to be stored with the first fact it seals."""
        raw = AESGCM.generate_key(bit_length=256)
        return AESGCM(raw), aes_key_wrap(self._kek, raw)
