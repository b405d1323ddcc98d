"""Identity: who is asking, by a signed token (JWT, RFC 7519).

Production trusts the company's OpenID Connect issuer and asks everybody for a token. An embedded
installation issues its own (`issue_token`) and lets whoever has none act as the development
administrator; production refuses both.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import httpx
import jwt
import structlog

from shared.chassis.api.rights import ADMINISTRATOR
from shared.chassis.shapes import Actor, Unauthenticated, Unavailable

__all__ = [
    "DEVELOPMENT_ADMINISTRATOR",
    "DEVELOPMENT_ISSUER",
    "DevelopmentIdentity",
    "Identity",
    "IssuedIdentity",
    "issue_token",
]

DEVELOPMENT_ISSUER = "annals-development"
DEVELOPMENT_ADMINISTRATOR = Actor(
    id="administrator", name="Development administrator", roles=frozenset({ADMINISTRATOR})
)
"""Who acts in an embedded installation when no token is sent."""

_AUDIENCE = "annals"
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_REMEMBERED = 4096
_LONGEST = 8192
_PATIENCE = 5.0

_log = structlog.get_logger()


class Identity(Protocol):
    """Tells who is asking."""

    def identify(self, authorization: str | None) -> Actor:
        """Return the actor of an `authorization` value.

        Raises:
            Unauthenticated: there is none, or it proves nothing.
        """
        ...


class _Tokens:
    """Verified tokens, remembered until they expire, because verifying is the dear part."""

    def __init__(self, verify: Callable[[str], dict[str, Any]]) -> None:
        self._verify = verify
        self._known: dict[str, tuple[Actor, float]] = {}

    def actor(self, authorization: str) -> Actor:
        known = self._known.get(authorization)
        if known is not None and known[1] > time.time():
            return known[0]
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
            raise Unauthenticated("send `Authorization: Bearer <token>`")
        try:
            claims = self._verify(token.strip())
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired") from error
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("the issuer of tokens cannot be asked for its keys") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("the token is not valid here") from error
        actor = _actor(claims)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[authorization] = (actor, float(claims["exp"]))
        return actor


class DevelopmentIdentity:
    """Identity of an embedded installation: its own tokens, or none.

    Args:
        secret: what `issue_token` signs with.
        anonymous: who acts without a token; None asks everybody for one.
    """

    def __init__(self, secret: str, anonymous: Actor | None = DEVELOPMENT_ADMINISTRATOR) -> None:
        self._tokens = _Tokens(
            lambda token: jwt.decode(
                token,
                secret,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                issuer=DEVELOPMENT_ISSUER,
                options={"require": ["exp", "sub"]},
            )
        )
        self._anonymous = anonymous
        if anonymous is not None:
            _log.warning("requests without a token act as administrator", actor=anonymous.id)

    def identify(self, authorization: str | None) -> Actor:
        """See `Identity`."""
        if authorization:
            return self._tokens.actor(authorization)
        if self._anonymous is None:
            raise Unauthenticated("send `Authorization: Bearer <token>`")
        return self._anonymous


class IssuedIdentity:
    """Identity in production: tokens of the company's issuer, signed with its private key.

    Args:
        issuer: the `iss` claim, e.g. `https://login.example.com/realms/acme`.
        audience: the `aud` claim.
        key: the issuer's public key in PEM form; when None, its published keys are fetched when the
            first token comes.
        keys_url: where it publishes them (RFC 7517); when None, the issuer is asked (OpenID Connect
            Discovery 1.0, section 4).

    Raises:
        ValueError: the issuer is the development issuer.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str = _AUDIENCE,
        key: str | None = None,
        keys_url: str | None = None,
    ) -> None:
        if issuer == DEVELOPMENT_ISSUER:
            raise ValueError("production does not accept the development issuer")
        self._issuer = issuer
        self._audience = audience
        self._key = key
        self._keys_url = keys_url
        self._published: jwt.PyJWKClient | None = None
        self._tokens = _Tokens(self._verify)

    def identify(self, authorization: str | None) -> Actor:
        """See `Identity`."""
        if not authorization:
            raise Unauthenticated("send `Authorization: Bearer <token>`")
        return self._tokens.actor(authorization)

    def _verify(self, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            self._key or self._keys().get_signing_key_from_jwt(token).key,
            algorithms=list(_ASYMMETRIC),
            audience=self._audience,
            issuer=self._issuer,
            options={"require": ["exp", "sub"]},
        )

    def _keys(self) -> jwt.PyJWKClient:
        if self._published is None:
            self._published = jwt.PyJWKClient(
                self._keys_url or self._discovered(), timeout=_PATIENCE
            )
        return self._published

    def _discovered(self) -> str:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            told = httpx.get(address, timeout=_PATIENCE).raise_for_status().json()
            return str(told["jwks_uri"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unavailable("the issuer of tokens cannot be asked for its keys") from error


def issue_token(
    secret: str,
    employee_id: str,
    *,
    name: str = "",
    roles: Sequence[str] = (),
    unit: str | None = None,
    lifetime: int = 12 * 3600,
) -> str:
    """Return a development token for a member of staff.

    Args:
        secret: the installation's.
        employee_id: becomes the actor of every command.
        name: for people.
        roles: what the employee may do follows from these.
        unit: path of the employee's unit.
        lifetime: seconds.
    """
    now = int(time.time())
    claims = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": _AUDIENCE,
        "sub": employee_id,
        "name": name,
        "roles": list(roles),
        "unit": unit,
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def _actor(claims: dict[str, Any]) -> Actor:
    roles, unit = claims.get("roles") or [], claims.get("unit")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("the token's roles are no list of names")
    return Actor(
        id=str(claims["sub"]),
        name=str(claims.get("name") or ""),
        roles=frozenset(roles),
        unit=str(unit) if unit else None,
    )
