"""What an application signs in with: a secret, a certificate, a token of another issuer, or the
managed identity of its machine.

Files are read at each sign-in, so a changed file needs no restart.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from graph.client import claims_of
from graph.errors import SignInFailed

MOST_BYTES = 2**20
"""Of a file: certificates with their chain and tokens have some kilobytes."""


class CredentialUnusable(SignInFailed):
    """A file cannot be used to sign in. The sentence names the setting, never the content."""

    ADVICE = "Put a usable file in its place: SETUP.md, Sign-in of the bot."


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """An RSA key and its certificate."""

    key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def ends(self) -> datetime:
        return self.certificate.not_valid_after_utc

    @property
    def thumbprint(self) -> bytes:
        """The SHA-1 digest by which Entra lists a certificate; nothing is signed with it."""
        return self.certificate.fingerprint(hashes.SHA1())  # noqa: S303 Entra's own choice

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A file with an RSA key and its certificate: PEM, or PFX (PKCS #12)."""

    path: Path
    password: str | None = field(default=None, repr=False)

    def read(self) -> KeyPair:
        """Read the file as it is now. Raises CredentialUnusable."""
        content = _content(self.path, "ENTRA_CERTIFICATE")
        if b"-----BEGIN " in content:
            key, certificates = _pem(content, self.password)
        else:
            key, certificates = _pfx(content, self.password)
        if not isinstance(key, RSAPrivateKey):
            raise _unusable("holds a key that is not RSA: Entra takes signatures of RSA keys only")
        for each in certificates:
            if _belongs(each, key):
                return KeyPair(key=key, certificate=each)
        raise _unusable("holds no certificate that belongs to its private key")


@dataclass(frozen=True, kw_only=True)
class FederatedToken:
    """A file with a token of an issuer that the application's federated credential names.

    The issuer of the token replaces the file before the token ends.
    """

    path: Path

    def read(self) -> str:
        """Read the file as it is now. Raises CredentialUnusable."""
        text = _content(self.path, "ENTRA_FEDERATED_TOKEN_FILE").decode(errors="replace").strip()
        if claims_of(text) is None:
            sentence = "ENTRA_FEDERATED_TOKEN_FILE must name a file that holds one signed token."
            raise CredentialUnusable(sentence=sentence)
        return text

    def audiences(self) -> frozenset[str]:
        """Return for whom the token says that it is. Raises CredentialUnusable."""
        said = (claims_of(self.read()) or {}).get("aud")
        return frozenset([said] if isinstance(said, str) else said or ())


@dataclass(frozen=True, kw_only=True)
class ManagedIdentity:
    """An identity that Azure gives to the machine that the bot runs on."""

    client_id: str | None
    """Of one that is assigned to the machine; None for the machine's own (system-assigned)."""


Credential = str | Certificate | FederatedToken | ManagedIdentity
"""A client secret, or one of those that need none."""


def _content(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError):  # a path with a null character is a ValueError
        sentence = f"{setting} must name a file that the bot can read."
        raise CredentialUnusable(sentence=sentence) from None
    if len(content) > MOST_BYTES:
        raise CredentialUnusable(sentence=f"{setting} names a file that is too large.")
    return content


_KEY = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.+?-----END (?P=kind)-----", re.DOTALL
)


def _pem(content: bytes, password: str | None) -> tuple[object, Iterable[x509.Certificate]]:
    block = _KEY.search(content)
    if block is None:
        raise _unusable("holds no private key: put the key and its certificate into one file")
    try:
        key = load_pem_private_key(block[0], _bytes(password))
    except TypeError:  # a password is missing, or is there and not needed
        if password is None:
            raise _unusable(LOCKED) from None
        raise CredentialUnusable(
            sentence="ENTRA_CERTIFICATE_PASSWORD is set, but the key in ENTRA_CERTIFICATE is not"
            " encrypted: remove it, or encrypt the key."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable(password) from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise _unusable("holds no certificate: put the key and its certificate into one file")
    try:
        return key, x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _unusable("holds a certificate that cannot be read") from None


def _pfx(content: bytes, password: str | None) -> tuple[object, Iterable[x509.Certificate]]:
    if content[:1] != b"\x30":  # how every PFX begins (an ASN.1 sequence)
        raise _unusable("names a file that is neither PEM nor PFX")
    try:
        key, certificate, others = load_key_and_certificates(content, _bytes(password))
    except (ValueError, UnsupportedAlgorithm):
        raise (_unusable(LOCKED) if password is None else _unreadable(password)) from None
    if key is None:
        raise _unusable("holds no private key: export the PFX with it")
    return key, [*filter(None, [certificate]), *others]


LOCKED = "is encrypted: set ENTRA_CERTIFICATE_PASSWORD"


def _unreadable(password: str | None) -> CredentialUnusable:
    if password is None:
        return _unusable("holds a private key that cannot be read")
    return CredentialUnusable(
        sentence="ENTRA_CERTIFICATE_PASSWORD does not open the file that ENTRA_CERTIFICATE names,"
        " or the file is damaged."
    )


def _unusable(what: str) -> CredentialUnusable:
    return CredentialUnusable(sentence=f"ENTRA_CERTIFICATE {what}.")


def _belongs(certificate: x509.Certificate, key: RSAPrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def _bytes(password: str | None) -> bytes | None:
    return None if password is None else password.encode()
