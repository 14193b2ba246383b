"""Client assertions: signed tokens with which an application signs in without a secret.

Either it signs them itself with a certificate's key, or an issuer signs them that one of its
federated credentials names. learn.microsoft.com/entra/identity-platform/certificate-credentials and
…/entra/workload-id/workload-identity-federation; the texts are those that users have reported.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.replicas import Kind, Moment

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = ("PS256", "RS256")
_SKEW = timedelta(minutes=5)
"""How far clocks may differ."""

Json = dict[str, Any]


def check(directory: Directory, app_id: str, form: Mapping[str, str], moment: Moment) -> None:
    """Accept the assertion of an application that is there, or raise `SignInFailure`."""
    if form.get("client_assertion_type") != TYPE:
        message = "The request body must contain the following parameter: 'client_assertion_type'."
        raise SignInFailure(400, "invalid_request", 900144, message)
    assertion = form["client_assertion"]
    header, claims = _read(assertion)
    if claims.get("iss") == app_id:
        _check_own(directory, app_id, assertion, (header, claims), moment)
    else:
        _check_federated(directory, app_id, assertion, (header, claims), moment)


def _read(assertion: str) -> tuple[Json, Json]:
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        message = "JWT token is invalid or malformed."
        raise SignInFailure(400, "invalid_request", 50027, message) from None
    return header, claims


def _check_own(
    directory: Directory, app_id: str, assertion: str, read: tuple[Json, Json], moment: Moment
) -> None:
    header, claims = read
    if claims.get("sub") != app_id:
        message = "Client assertion application identifier doesn't match 'client_id' parameter."
        raise SignInFailure(401, "invalid_client", 700021, message)
    base = f"{directory.url}/{directory.id}"
    if claims.get("aud") not in (f"{base}/oauth2/v2.0/token", f"{base}/v2.0"):
        message = "Client assertion audience claim does not match Realm issuer."
        raise SignInFailure(401, "invalid_client", 700023, message)
    _check_times(claims)
    rows = directory.store.all_seen(Kind.CERTIFICATE, moment)
    held = [row for row in rows if row["appId"] == app_id]
    found = next((row for row in held if _is_named(header, _certificate(row))), None)
    if found is None:
        raise _bad_signature("The key was not found.")
    if not _is_signed(assertion, header, _certificate(found).public_key()):
        raise _bad_signature("Key was found, but use of the key to verify the signature failed.")
    if not _lives(found, moment.now):
        raise _bad_signature("The key used is expired.")


def _check_federated(
    directory: Directory, app_id: str, assertion: str, read: tuple[Json, Json], moment: Moment
) -> None:
    header, claims = read
    application = directory.find(Kind.APPLICATION, appId=app_id) or {"id": None}
    rows = directory.store.all_seen(Kind.FEDERATED_CREDENTIAL, moment)
    held = [row for row in rows if row["applicationId"] == application["id"]]
    named = claims.get("aud")
    for number, what, said, fits in (
        (700211, "issuer", claims.get("iss"), lambda row, said: row["issuer"] == said),
        (700213, "subject", claims.get("sub"), lambda row, said: row["subject"] == said),
        (700212, "audience", named, lambda row, said: row["audiences"][0] in _listed(said)),
    ):
        held = [row for row in held if fits(row, said)]
        if not held:
            message = (
                f"No matching federated identity record found for presented assertion {what}"
                f" '{said}'. Check your federated identity credential Subject, Audience and Issuer"
                " against the presented assertion."
            )
            raise SignInFailure(401, "invalid_client", number, message)
    _check_times(claims)
    key = directory.issuers.get(str(claims.get("iss")))
    if key is None:
        message = "Request to External OIDC endpoint failed."
        raise SignInFailure(400, "invalid_request", 50166, message)
    if not _is_signed(assertion, header, key):
        message = "Assertion failed signature validation. [Reason - The key was not found.]"
        raise SignInFailure(401, "invalid_client", 50013, message)


def _listed(audience: object) -> list[object]:
    return audience if isinstance(audience, list) else [audience]


def _check_times(claims: Json) -> None:
    """Compare with the machine's clock, not the tenant's: who signs assertions knows no other."""
    now = datetime.now(UTC)
    begins, ends = claims.get("nbf", 0), claims.get("exp")
    if not _is_number(begins) or not _is_number(ends):
        message = "JWT token is invalid or malformed."
        raise SignInFailure(400, "invalid_request", 50027, message)
    if begins > (now + _SKEW).timestamp() or ends <= (now - _SKEW).timestamp():
        message = f"Client assertion is not within its valid time range. Current time: {now}."
        raise SignInFailure(401, "invalid_client", 700024, message)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _certificate(row: Json) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(row["key"]))


def _is_named(header: Json, certificate: x509.Certificate) -> bool:
    """Whether the header names this certificate by its digest."""
    for name, digest in (("x5t#S256", hashes.SHA256()), ("x5t", hashes.SHA1())):  # noqa: S303
        if name in header:
            thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(digest)).decode()
            return str(header[name]).rstrip("=") == thumbprint.rstrip("=")
    return False


def _is_signed(assertion: str, header: Json, key: object) -> bool:
    if header.get("alg") not in _ALGORITHMS or not isinstance(key, RSAPublicKey):
        return False
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    options |= {"verify_aud": False, "verify_iss": False, "verify_sub": False, "verify_jti": False}
    try:
        jwt.decode(assertion, key, algorithms=[header["alg"]], options=options)
    except jwt.InvalidTokenError:
        return False
    return True


def _lives(row: Json, now: datetime) -> bool:
    start, end = (datetime.fromisoformat(row[f"{name}DateTime"]) for name in ("start", "end"))
    return start <= now < end


def _bad_signature(reason: str) -> SignInFailure:
    message = f"Client assertion failed signature validation. [Reason - {reason}]"
    return SignInFailure(401, "invalid_client", 700027, message)
