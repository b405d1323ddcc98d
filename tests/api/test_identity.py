import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from shared.chassis.api.identity import (
    DEVELOPMENT_ISSUER,
    DevelopmentIdentity,
    IssuedIdentity,
    issue_token,
)
from shared.chassis.api.rights import permits
from shared.chassis.shapes import Unauthenticated, Unavailable

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


@contextmanager
def publishing(key: ec.EllipticCurvePrivateKey) -> Iterator[str]:
    """An issuer that publishes its keys; gives its address."""
    published = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "k1", "use": "sig"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = f"http://{self.headers['Host']}"
            body = {
                "/.well-known/openid-configuration": {"issuer": here, "jwks_uri": f"{here}/keys"},
                "/keys": {"keys": [published]},
            }[self.path]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_keys_are_those_the_issuer_publishes(key: ec.EllipticCurvePrivateKey) -> None:
    with publishing(key) as issuer:
        claims = {"iss": issuer, "aud": "annals", "sub": "wang", "exp": time.time() + 60}
        token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k1"})
        for identity in (IssuedIdentity(issuer), IssuedIdentity(issuer, keys_url=f"{issuer}/keys")):
            assert identity.identify(f"Bearer {token}").id == "wang"
        stranger = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k2"})
        with pytest.raises(Unauthenticated):
            identity.identify(f"Bearer {stranger}")


def test_an_issuer_that_cannot_be_reached_is_no_proof_against_the_token(
    key: ec.EllipticCurvePrivateKey,
) -> None:
    with pytest.raises(Unavailable):
        IssuedIdentity("http://127.0.0.1:1").identify(signed(key))


def test_roles_may_what_their_patterns_say() -> None:
    patterns = {"sales": ("leads.*", "accounts.Get*"), "boss": ("*",)}
    assert permits(patterns, {"sales"}, "leads.ClaimLead")
    assert permits(patterns, {"sales"}, "accounts.GetAccount")
    assert not permits(patterns, {"sales"}, "accounts.OpenAccount")
    assert not permits(patterns, {"visitor"}, "leads.ClaimLead")
    assert permits(patterns, {"visitor", "boss"}, "billing.SignContract")
