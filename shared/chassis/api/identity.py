"""Identity: who is asking, by a signed token (JWT, RFC 7519).

Production trusts the company's OpenID Connect issuer and asks everybody for a token. An embedded
installation issues its own (`issue_token`) and lets whoever has none act as the development
administrator; production refuses both.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt
import structlog

from shared.chassis.api.issuer import ALGORITHMS, IssuerKeys
from shared.chassis.api.rights import ADMINISTRATOR
from shared.chassis.settings import Mode, Settings, SettingsError
from shared.chassis.shapes import Actor, Unauthenticated

__all__ = [
    "DEVELOPMENT_ADMINISTRATOR",
    "DEVELOPMENT_ISSUER",
    "DevelopmentIdentity",
    "Identity",
    "IssuedIdentity",
    "identity_of",
    "issue_token",
]

DEVELOPMENT_ISSUER = "annals-development"
DEVELOPMENT_ADMINISTRATOR = Actor(
    id="administrator", name="Development administrator", roles=frozenset({ADMINISTRATOR})
)
"""Who acts in an embedded installation when no token is sent."""

_AUDIENCE = "annals"
_REMEMBERED = 4096
_REMEMBER = 300.0
"""Seconds after which a token is verified anew, so that a withdrawn key stops to count."""
_LONGEST = 8192
_LEEWAY = 5
"""Seconds by which the issuer's clock may differ."""

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
        except jwt.PyJWTError as error:
            raise Unauthenticated("the token is not valid here") from error
        actor = _actor(claims)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[authorization] = (actor, min(float(claims["exp"]), time.time() + _REMEMBER))
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
        keys: the issuer's public keys.

    Raises:
        ValueError: the issuer is the development issuer.
    """

    def __init__(self, issuer: str, keys: IssuerKeys, *, audience: str = _AUDIENCE) -> None:
        if issuer == DEVELOPMENT_ISSUER:
            raise ValueError("production does not accept the development issuer")
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._tokens = _Tokens(self._verify)

    def identify(self, authorization: str | None) -> Actor:
        """See `Identity`."""
        if not authorization:
            raise Unauthenticated("send `Authorization: Bearer <token>`")
        return self._tokens.actor(authorization)

    def _verify(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:  # before anybody is asked for a key
            raise jwt.InvalidAlgorithmError("the algorithm is not accepted")
        return jwt.decode(
            token,
            self._keys.key(header.get("kid")),
            algorithms=list(ALGORITHMS),
            audience=self._audience,
            issuer=self._issuer,
            leeway=_LEEWAY,
            options={"require": ["exp", "sub"]},
        )


def identity_of(settings: Settings) -> Identity:
    """Return how a process with these settings tells who is asking.

    Raises:
        SettingsError: production has the development issuer, or its keys cannot be read.
    """
    if settings.mode is not Mode.PRODUCTION:
        return DevelopmentIdentity(settings.signing_secret())
    try:
        keys = IssuerKeys.given(settings.token_keys, settings.token_keys_url)
        return IssuedIdentity(str(settings.token_issuer), keys, audience=settings.token_audience)
    except ValueError as error:
        raise SettingsError([str(error)]) from error


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
