import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.chassis.api.identity import (
    DEVELOPMENT_ISSUER,
    DevelopmentIdentity,
    IssuedIdentity,
    development_secret,
    issue_token,
)
from shared.chassis.api.rights import permits
from shared.chassis.shapes import Unauthenticated

SECRET = "s" * 40
ISSUER = "https://login.example.com"


def test_a_development_token_tells_who_is_asking() -> None:
    token = issue_token(SECRET, "wang", name="王芳", roles=["sales"], unit="east/2")
    actor = DevelopmentIdentity(SECRET).identify(f"Bearer {token}")
    assert (actor.id, actor.name, actor.roles, actor.unit) == (
        "wang",
        "王芳",
        frozenset({"sales"}),
        "east/2",
    )


def test_an_expired_token_is_refused() -> None:
    token = issue_token(SECRET, "wang", lifetime=-1)
    with pytest.raises(Unauthenticated, match="expired"):
        DevelopmentIdentity(SECRET).identify(f"Bearer {token}")


def test_a_remembered_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = DevelopmentIdentity(SECRET)
    header = f"Bearer {issue_token(SECRET, 'wang', lifetime=100)}"
    identity.identify(header)
    later = time.time() + 200
    monkeypatch.setattr(time, "time", lambda: later)
    remembered = identity._tokens._known[header]
    assert remembered[1] < later


def test_without_anonymous_everybody_needs_a_token() -> None:
    with pytest.raises(Unauthenticated):
        DevelopmentIdentity(SECRET, anonymous=None).identify(None)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def signed(key: ec.EllipticCurvePrivateKey, **claims: object) -> str:
    claims = {"iss": ISSUER, "aud": "annals", "sub": "wang", "exp": time.time() + 60} | claims
    return "Bearer " + jwt.encode(claims, key, algorithm="ES256")


@pytest.fixture
def production(key: ec.EllipticCurvePrivateKey) -> IssuedIdentity:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return IssuedIdentity(ISSUER, key=pem.decode())


def test_production_trusts_its_issuer(
    production: IssuedIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    assert production.identify(signed(key, roles=["sales"])).roles == {"sales"}


def test_production_refuses_everybody_else(
    production: IssuedIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    refused = [
        None,
        signed(key, iss="https://elsewhere.example.com"),
        signed(key, aud="another"),
        signed(key, exp=time.time() - 1),
        signed(key, roles="administrator"),
        signed(ec.generate_private_key(ec.SECP256R1())),
        f"Bearer {issue_token(SECRET, 'eve', roles=['administrator'])}",
        "Bearer " + jwt.encode({"iss": ISSUER, "sub": "eve"}, "", algorithm="none"),
    ]
    for authorization in refused:
        with pytest.raises(Unauthenticated):
            production.identify(authorization)


def test_production_refuses_the_development_issuer() -> None:
    with pytest.raises(ValueError, match="development"):
        IssuedIdentity(DEVELOPMENT_ISSUER, key="")


def test_an_installation_keeps_its_secret_to_itself(tmp_path: Path) -> None:
    secret = development_secret(tmp_path)
    assert development_secret(tmp_path) == secret
    assert (tmp_path / "token.secret").stat().st_mode & 0o077 == 0


def test_roles_may_what_their_patterns_say() -> None:
    patterns = {"sales": ("leads.*", "accounts.Get*"), "boss": ("*",)}
    assert permits(patterns, {"sales"}, "leads.ClaimLead")
    assert permits(patterns, {"sales"}, "accounts.GetAccount")
    assert not permits(patterns, {"sales"}, "accounts.OpenAccount")
    assert not permits(patterns, {"visitor"}, "leads.ClaimLead")
    assert permits(patterns, {"visitor", "boss"}, "billing.SignContract")
