"""A private CA and certificates of it, made anew for each test."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass
class Authority:
    """A CA with its files in one folder."""

    folder: Path

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test CA")
        made = self._signed(self._name, self._key, dt.datetime.now(dt.UTC), DAY)
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(
            made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    def give(
        self, name: str = "console", *, address: str = "127.0.0.1", begins: dt.timedelta = -DAY, lasts: dt.timedelta = 3 * DAY,
        passphrase: bytes | None = None,
    ) -> tuple[Path, Path]:  # fmt: skip
        """Write a new certificate and its key, and return where."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(_name(name), key, dt.datetime.now(dt.UTC) + begins, lasts)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = made.add_extension(names, critical=False).add_extension(issuer, critical=False)
        cert, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        kept = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept))
        return cert, secret

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, begins: dt.datetime, lasts: dt.timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + lasts)
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
