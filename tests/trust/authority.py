"""A certificate authority of a test's own."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.chassis.settings import Settings

__all__ = ["Authority", "Issued"]

_THIS_MACHINE = x509.IPAddress(ip_address("127.0.0.1"))


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA {folder.name}")])
        folder.mkdir(exist_ok=True)
        self.file = folder / "ca.pem"
        made = self._certificate(self._name, self._key, ca=True)
        self.file.write_bytes(made.public_bytes(Encoding.PEM))

    def settings(self, *, mutual: bool = True) -> Settings:
        """Return the settings of a process with a certificate of this authority."""
        issued = self.issue()
        return Settings(
            tls_certificate=issued.certificate,
            tls_key=issued.key,
            tls_authority=self.file if mutual else None,
        )

    def issue(self, name: str = "server", *, elsewhere: bool = False) -> "Issued":
        """Make a certificate and its key; again under the same name replaces.

        Args:
            name: of the files.
            elsewhere: for another machine than this one.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._certificate(subject, key, ca=False, elsewhere=elsewhere)
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        issued.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        return issued

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        elsewhere: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        here: list[x509.GeneralName] = [x509.DNSName("localhost"), _THIS_MACHINE]
        named = [x509.DNSName("elsewhere.example")] if elsewhere else here
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(named), critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )


class Issued(NamedTuple):
    certificate: Path
    key: Path
