"""Credentials without a stored secret: keys with certificates, and an issuer of tokens."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from bot.playground.tenant import Credential, Tenant
from graph.clouds import PUBLIC

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = timedelta(days=1)
PASSWORD = "correct-horse-battery"


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return the same key for the same number: to make one takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(key: Key, *, days: float = 365, since: float = 3650) -> x509.Certificate:
    """Return a self-signed certificate that ends so many days from now, and began some ago."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aad-setup")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - since * DAY)
        .not_valid_after(now + days * DAY)
        .sign(key, SHA256())
    )


def key_pem(key: Key, password: str | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _locked(password))


def pem(key: Key, signed: x509.Certificate | None = None, password: str | None = None) -> bytes:
    """Return a key and its certificate as one PEM."""
    signed = signed or certificate(key)
    return key_pem(key, password) + signed.public_bytes(Encoding.PEM)


def pfx(key: Key, signed: x509.Certificate | None = None, password: str | None = None) -> bytes:
    """Return the same as a PFX."""
    return serialize_key_and_certificates(
        b"aad-setup", key, signed or certificate(key), None, _locked(password)
    )


def private(path: Path, content: bytes | str) -> Path:
    """Write a file that nobody else can read, at once: readers see the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.chmod(0o600)
    return fresh.replace(path)


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Whoever signs tokens for programs that run on its machines."""

    url: str
    key: rsa.RSAPrivateKey = field(repr=False)

    def known_to(self, tenant: Tenant, application: Credential, *, subject: str) -> None:
        """Let its tokens for this subject sign an application in."""
        tenant.federate(application, self.url, self.key.public_key(), subject=subject)

    def token(
        self,
        *,
        subject: str,
        audience: str = PUBLIC.federated_audience,
        life: timedelta = timedelta(hours=1),
    ) -> str:
        """Sign a token that is valid from now on, by the machine's clock."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "nbf": min(now, now + life),
            "exp": now + life,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "issuer"})


def issuer(url: str = "https://cluster.example/oidc", number: int = 1) -> Issuer:
    """Return an issuer of tokens, such as a cluster's."""
    return Issuer(url=url, key=rsa_key(number))


def _locked(password: str | None) -> KeySerializationEncryption:
    return NoEncryption() if password is None else BestAvailableEncryption(password.encode())
