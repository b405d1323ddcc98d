"""Make what docker-compose.yml needs and nobody should commit, once: `prepare.py [FOLDER]`.

Passwords, the key that wraps the keys of personal data, and, in place of a company's OpenID Connect
issuer, a signing key with two tokens: one with which services read each other's logs, and one for a
first administrator. What exists is kept: remove a token to have it signed anew.
"""

import base64
import json
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

ISSUER = "https://issuer.annals.invalid"
KEY_ID = "compose"
_DAY = 24 * 3600


def prepare(folder: Path) -> list[str]:
    """Write what is missing to a folder that only its owner may enter.

    The files in it are readable by all, because containers see them under another user.

    Args:
        folder: where to.

    Returns:
        The names of the files that were made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []

    def file(name: str, content: Callable[[], str]) -> None:
        path = folder / name
        if not path.exists():
            path.write_text(content())
            path.chmod(0o644)
            made.append(name)

    file("annals.env", _environment)
    file("signing-key.pem", _signing_key)
    file("token-keys.json", lambda: _token_keys(folder))
    file("service-token", lambda: _token(folder, "system:services", "service", 365))
    file("administrator-token", lambda: _token(folder, "administrator", "administrator", 30))
    return made


def _environment() -> str:
    values = {
        "COMPOSE_PROFILES": "small",
        "TOKEN_ISSUER": ISSUER,
        "KEY_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        **{
            f"{name}_PASSWORD": secrets.token_urlsafe(24)
            for name in ("POSTGRES", "DATABASE", "BROKER", "GRAFANA")
        },
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _signing_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _private(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key((folder / "signing-key.pem").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SystemExit(f"{folder / 'signing-key.pem'} is no elliptic curve key")
    return key


def _token_keys(folder: Path) -> str:
    public = jwt.algorithms.ECAlgorithm.to_jwk(_private(folder).public_key(), as_dict=True)
    return json.dumps({"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "ES256"}]})


def _token(folder: Path, subject: str, role: str, days: int) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "annals",
        "sub": subject,
        "roles": [role],
        "iat": now,
        "exp": now + days * _DAY,
    }
    return jwt.encode(claims, _private(folder), algorithm="ES256", headers={"kid": KEY_ID})


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "secrets"
    for made_file in prepare(target):
        print(target / made_file)
