"""Files to sign in with: what is read from them, and why one cannot be used."""

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from graph.credentials import MOST_BYTES, Certificate, CredentialUnusable, FederatedToken
from tests.support.credentials import PASSWORD, certificate, issuer, key_pem, pem, pfx, rsa_key
from tests.support.scripted_sign_in import AUTHORITY, scripted, token_of


@cache
def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def own() -> rsa.RSAPrivateKey:
    return rsa_key(0)


def signed(key: rsa.RSAPrivateKey) -> bytes:
    return certificate(key).public_bytes(Encoding.PEM)


def written(folder: Path, content: bytes) -> Path:
    file = folder / "credential"
    file.write_bytes(content)
    return file


USABLE: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "key first": (lambda: pem(own()), None),
    "certificate first": (lambda: signed(own()) + key_pem(own()), None),
    "with another certificate": (lambda: signed(rsa_key(1)) + pem(own()), None),
    "encrypted PEM": (lambda: pem(own(), password=PASSWORD), PASSWORD),
    "PFX": (lambda: pfx(own()), None),
    "encrypted PFX": (lambda: pfx(own(), password=PASSWORD), PASSWORD),
}


@pytest.mark.parametrize("what", USABLE)
def test_a_key_and_its_certificate_are_found_in_any_order_and_form(
    tmp_path: Path, what: str
) -> None:
    content, password = USABLE[what]
    credential = Certificate(path=written(tmp_path, content()), password=password)
    pair = credential.read()
    assert pair.certificate == certificate(own())
    assert pair.key.private_numbers() == own().private_numbers()
    assert PASSWORD not in repr(credential)
    assert "RSAPrivateKey" not in repr(pair)


CUT_KEY, CUT_CERTIFICATE = (
    f"\n-----END {name}-----\n".encode() for name in ("PRIVATE KEY", "CERTIFICATE")
)
LOCKED, SHUT = "set ENTRA_CERTIFICATE_PASSWORD", "ENTRA_CERTIFICATE_PASSWORD does not open"
STRANGE = "no certificate that belongs to its private key"
CUT = "cannot be read"
UNUSABLE: dict[str, tuple[Callable[[], bytes], str | None, str]] = {
    "empty": (lambda: b"", None, "neither PEM nor PFX"),
    "a password": (lambda: b"hunter2", None, "neither PEM nor PFX"),
    "no key": (lambda: signed(own()), None, "no private key"),
    "no certificate": (lambda: key_pem(own()), None, "no certificate:"),
    "another's certificate": (lambda: key_pem(rsa_key(1)) + signed(own()), None, STRANGE),
    "elliptic PEM": (lambda: pem(elliptic()), None, "not RSA"),
    "elliptic PFX": (lambda: pfx(elliptic()), None, "not RSA"),
    "locked PEM": (lambda: pem(own(), password=PASSWORD), None, LOCKED),
    "locked PFX": (lambda: pfx(own(), password=PASSWORD), None, LOCKED),
    "wrong password of a PEM": (lambda: pem(own(), password=PASSWORD), "hunter2", SHUT),
    "wrong password of a PFX": (lambda: pfx(own(), password=PASSWORD), "hunter2", SHUT),
    "needless password": (lambda: pem(own()), PASSWORD, "ENTRA_CERTIFICATE_PASSWORD is set, but"),
    "cut PFX": (lambda: pfx(own())[:100], "hunter2", "does not open"),
    "cut key": (lambda: key_pem(own())[:200] + CUT_KEY + signed(own()), None, CUT),
    "cut certificate": (lambda: key_pem(own()) + signed(own())[:200] + CUT_CERTIFICATE, None, CUT),
    "too large": (lambda: b"0" * (MOST_BYTES + 1), None, "too large"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_why_a_certificate_cannot_be_used(tmp_path: Path, what: str) -> None:
    content, password, words = UNUSABLE[what]
    credential = Certificate(path=written(tmp_path, content()), password=password)
    with pytest.raises(CredentialUnusable) as caught:
        credential.read()
    said = f"{caught.value.sentence} {caught.value.advice} {caught.value!r} {caught.value}"
    assert words in said
    assert caught.value.sentence.startswith("ENTRA_CERTIFICATE")
    assert caught.value.sentence.endswith(".")
    assert "hunter2" not in said
    assert PASSWORD not in said
    assert "BEGIN" not in said


@pytest.mark.parametrize("path", ["/no/such/file", "/", "x" * 5000, "a\x00b"])
def test_a_file_that_cannot_be_read_is_named_by_its_setting(path: str) -> None:
    for credential in (Certificate(path=Path(path)), FederatedToken(path=Path(path))):
        with pytest.raises(CredentialUnusable, match="CredentialUnusable") as caught:
            credential.read()
        assert caught.value.sentence.startswith("ENTRA_")
        assert "must name a file that the bot can read." in caught.value.sentence
        assert path not in caught.value.sentence or path == "/"


def test_a_token_is_read_without_what_is_around_it(tmp_path: Path) -> None:
    token = issuer().token(subject="somebody")
    credential = FederatedToken(path=written(tmp_path, f"\n{token}\n".encode()))
    assert credential.read() == token
    assert credential.audiences() == {"api://AzureADTokenExchange"}
    assert token not in repr(credential)


@pytest.mark.parametrize("content", [b"", b"a.b.c", b"e30.e30.e30\n" * 2, b"\xff" * 9, b"[1]"])
def test_what_is_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CredentialUnusable) as caught:
        FederatedToken(path=written(tmp_path, content)).read()
    assert "one signed token" in caught.value.sentence


async def test_a_certificate_signs_ps256_and_is_named_by_sha_256_alone(tmp_path: Path) -> None:
    """With a thumbprint that is given, msal would take RS256 and SHA-1."""
    sent: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(dict(parse_qsl(request.content.decode())))
        access = jwt.encode({"exp": 1_800_000_000}, "k" * 32)
        return httpx.Response(200, json={**token_of(), "access_token": access})

    sign_in = scripted(answer)
    for content in (pem(own()), pfx(own())):
        await sign_in.token("app", Certificate(path=written(tmp_path, content)))
    assert len(sent) == 2
    for form in sent:
        header = jwt.get_unverified_header(form["client_assertion"])
        assert header["alg"] == "PS256"
        assert "x5t" not in header
        fingerprint = certificate(own()).fingerprint(SHA256())
        assert base64.urlsafe_b64decode(header["x5t#S256"]) == fingerprint
        options: Any = {"verify_aud": False}
        key = own().public_key()
        claims = jwt.decode(form["client_assertion"], key, algorithms=["PS256"], options=options)
        assert (claims["iss"], claims["sub"]) == ("app", "app")
        assert claims["aud"] == f"{AUTHORITY}/token_endpoint"
        assert "client_secret" not in form
    sign_in.close()
