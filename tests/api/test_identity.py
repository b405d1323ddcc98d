import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr

from shared.chassis.api.identity import (
    DEVELOPMENT_ISSUER,
    DevelopmentIdentity,
    IssuedIdentity,
    identity_of,
    issue_token,
)
from shared.chassis.api.issuer import IssuerKeys
from shared.chassis.api.rights import SERVICE as SERVICE_ROLE
from shared.chassis.api.rights import StoredRights
from shared.chassis.database import Database
from shared.chassis.settings import Mode, Settings
from shared.chassis.shapes import Actor, Unauthenticated, Unavailable

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


def jwks(**keys: ec.EllipticCurvePrivateKey) -> str:
    return json.dumps(
        {
            "keys": [
                ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"}
                for kid, key in keys.items()
            ]
        }
    )


@pytest.fixture
def production(key: ec.EllipticCurvePrivateKey) -> IssuedIdentity:
    return IssuedIdentity(ISSUER, IssuerKeys.given(jwks(k1=key), None))


def test_production_trusts_its_issuer(
    production: IssuedIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    assert production.identify(signed(key, roles=["sales"])).roles == {"sales"}


def test_production_refuses_everybody_else(
    production: IssuedIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": ISSUER, "aud": "annals", "sub": "eve", "exp": time.time() + 60}
    refused = [
        None,
        "Bearer nonsense",
        "Basic ZXZlOmV2ZQ==",
        "Bearer " + "x" * 9000,
        signed(key, iss="https://elsewhere.example.com"),
        signed(key, aud="another"),
        signed(key, exp=time.time() - 60),
        signed(key, nbf=time.time() + 60),
        signed(key, roles="administrator"),
        signed(key, sub=None),
        signed(ec.generate_private_key(ec.SECP256R1())),
        f"Bearer {issue_token(SECRET, 'eve', roles=['administrator'])}",
        "Bearer " + jwt.encode(claims, "", algorithm="none"),
        "Bearer " + by_hand(claims, public),
        "Bearer " + jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k2"}),
    ]
    for authorization in refused:
        with pytest.raises(Unauthenticated):
            production.identify(authorization)


def by_hand(claims: dict[str, object], secret: bytes) -> str:
    """Sign with the public key as if it were a shared secret, which no library would."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    body = part(b'{"alg":"HS256"}') + b"." + part(json.dumps(claims).encode())
    return (body + b"." + part(hmac.digest(secret, body, "sha256"))).decode()


def test_production_refuses_the_development_issuer(key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(ValueError, match="development"):
        IssuedIdentity(DEVELOPMENT_ISSUER, IssuerKeys.given(jwks(k1=key), None))


@pytest.mark.capability("PLT-15")
def test_a_production_process_takes_no_development_token(
    key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    settings = Settings(
        mode=Mode.PRODUCTION,
        data=tmp_path,
        key_encryption_key=SecretStr(base64.b64encode(bytes(32)).decode()),
        database_url="postgresql://db/annals",
        broker_url="amqp://broker",
        token_issuer=ISSUER,
        token_keys=jwks(k1=key),
        token_secret=SecretStr(SECRET),
    )
    identity = identity_of(settings)
    assert identity.identify(signed(key)).id == "wang"
    for authorization in (None, f"Bearer {issue_token(SECRET, 'eve')}"):
        with pytest.raises(Unauthenticated):
            identity.identify(authorization)


@pytest.mark.parametrize(
    "document",
    [
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}',
        '{"keys": [1]}',
        "{",
    ],
)
def test_keys_that_check_no_signature_are_refused(document: str) -> None:
    with pytest.raises(ValueError, match="keys"):
        IssuerKeys.given(document, None)


class Issuer:
    """An issuer's published keys, and what asking for them costs."""

    def __init__(self, **keys: ec.EllipticCurvePrivateKey) -> None:
        self.document: str | None = jwks(**keys)
        self.asked = 0
        self.now = 0.0
        self.identity = IssuedIdentity(ISSUER, IssuerKeys(self.fetch, lambda: self.now))

    def fetch(self) -> str:
        self.asked += 1
        if self.document is None:
            raise OSError
        return self.document

    def knows(self, key: ec.EllipticCurvePrivateKey, kid: str) -> bool:
        """Whether it takes a fresh token signed with a key."""
        claims = {"iss": ISSUER, "aud": "annals", "exp": time.time() + 60}
        subject = f"wang-{uuid4()}"
        token = jwt.encode({**claims, "sub": subject}, key, algorithm="ES256", headers={"kid": kid})
        try:
            return self.identity.identify(f"Bearer {token}").id == subject
        except Unauthenticated:
            return False


def test_an_issuer_may_change_its_keys(key: ec.EllipticCurvePrivateKey) -> None:
    issuer, fresh = Issuer(k1=key), ec.generate_private_key(ec.SECP256R1())
    assert issuer.knows(key, "k1")
    issuer.document, issuer.now = jwks(k2=fresh), 60
    assert issuer.knows(fresh, "k2")
    assert not issuer.knows(key, "k1")


def test_a_key_that_was_withdrawn_stops_to_count(key: ec.EllipticCurvePrivateKey) -> None:
    issuer = Issuer(k1=key)
    assert issuer.knows(key, "k1")
    issuer.document, issuer.now = jwks(k2=ec.generate_private_key(ec.SECP256R1())), 301
    assert not issuer.knows(key, "k1")


def test_tokens_with_made_up_keys_do_not_make_the_issuer_busy(
    key: ec.EllipticCurvePrivateKey,
) -> None:
    issuer = Issuer(k1=key)
    for number in range(100):
        assert not issuer.knows(key, f"made-up-{number}")
    assert issuer.asked == 1


def test_known_keys_outlast_an_outage_of_the_issuer(key: ec.EllipticCurvePrivateKey) -> None:
    issuer = Issuer(k1=key)
    assert issuer.knows(key, "k1")
    issuer.document, issuer.now = None, 3600
    assert issuer.knows(key, "k1")
    issuer.document = "{broken"
    issuer.now += 3600
    assert issuer.knows(key, "k1")


def test_an_issuer_that_was_never_reached_is_no_proof_against_the_token(
    key: ec.EllipticCurvePrivateKey,
) -> None:
    unreachable = IssuerKeys.given(None, "http://127.0.0.1:1/keys")
    with pytest.raises(Unavailable):
        IssuedIdentity(ISSUER, unreachable).identify(signed(key))


def test_a_remembered_token_is_verified_anew_after_a_while(
    key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(k1=key)
    token = signed(key, exp=time.time() + 10_000)
    assert issuer.identity.identify(token).id == "wang"
    issuer.document, issuer.now = jwks(k2=ec.generate_private_key(ec.SECP256R1())), 1000
    assert issuer.identity.identify(token).id == "wang"
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Unauthenticated):
        issuer.identity.identify(token)


@contextmanager
def publishing(document: str) -> Iterator[str]:
    """A server with a document; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        thread.join()


def test_the_keys_are_those_the_issuer_publishes(key: ec.EllipticCurvePrivateKey) -> None:
    with publishing(jwks(k1=key)) as url:
        identity = IssuedIdentity(ISSUER, IssuerKeys.given(None, url))
        assert identity.identify(signed(key)).id == "wang"


def test_keys_in_a_file_may_change(key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    file, fresh = tmp_path / "keys.json", ec.generate_private_key(ec.SECP256R1())
    file.write_text(jwks(k1=key))
    given = IssuerKeys.given(str(file), None)
    assert given.key("k1").key_id == "k1"
    file.write_text(jwks(k2=fresh))
    given._tried = float("-inf")
    assert given.key("k2").key_id == "k2"


def test_a_service_may_read_logs_and_nothing_else() -> None:
    service = Actor(id="service:leads", roles=frozenset({SERVICE_ROLE}))
    rights = StoredRights(Database.sqlite(None))
    assert rights.allows(service, "billing.ReadLog")
    assert not rights.allows(service, "billing.ListContracts")
    assert not rights.allows(service, "billing.ReadLogs")
