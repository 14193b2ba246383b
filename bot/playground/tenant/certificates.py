"""`keyCredentials`: the certificates of an application, of which a PATCH sends the whole list.

A new one needs its key, the DER of a certificate; one that is there may be named by its `keyId`
alone. The service computes the thumbprint if it is not named, and never shows the key again. An end
outside the certificate's life, or one that has passed, refuses the whole list, old entries
included (`KeyCredentialsInvalidEndDate`). learn.microsoft.com/graph/api/resources/keycredential.
"""

import base64
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from bot.playground.tenant.app_policies import check_certificate
from bot.playground.tenant.checks import invalid, read_time
from bot.playground.tenant.directory import Directory, stamp
from bot.playground.tenant.errors import GraphFailure, bad_request
from bot.playground.tenant.replicas import Kind

_NAME = "keyCredentials"
_TYPE, _USAGE = "AsymmetricX509Cert", "Verify"


def replaced(
    directory: Directory, application: dict[str, Any], wanted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the new list in full, or raise; nothing is written yet."""
    held = {key["keyId"]: key for key in application[_NAME]}
    ids = [key["keyId"] for key in wanted if key.get("keyId") is not None]
    if len(set(ids)) != len(ids):
        raise invalid(_NAME)
    return [_key(directory, application, held.get(key.get("keyId", "")), key) for key in wanted]


def announce(
    directory: Directory, application: dict[str, Any], wanted: list[dict[str, Any]]
) -> None:
    """Send the certificates of a list that was written on their way to the token endpoint.

    `wanted` is the list as it was sent, which alone holds the new ones' own bytes.
    """
    app_id, left = application["appId"], set()
    for key, sent in zip(application[_NAME], wanted, strict=True):
        left.add(place := f"{app_id}/{key['keyId']}")
        if sent.get("key") is not None:
            bound = {**key, "key": sent["key"], "appId": app_id, "place": place}
            directory.store.put(Kind.CERTIFICATE, place, bound)
    for row in directory.store.all(Kind.CERTIFICATE):
        if row["appId"] == app_id and row["place"] not in left:
            directory.store.remove(Kind.CERTIFICATE, row["place"])


def _key(
    directory: Directory,
    application: dict[str, Any],
    held: dict[str, Any] | None,
    wanted: dict[str, Any],
) -> dict[str, Any]:
    if held is not None and wanted.get("key") is None:
        return _kept(directory, held, wanted)
    certificate = _certificate(wanted.get("key"))
    if wanted.get("type") != _TYPE or wanted.get("usage") != _USAGE:
        raise invalid(_NAME)
    start = read_time(wanted.get("startDateTime") or "") or certificate.not_valid_before_utc
    end = read_time(wanted.get("endDateTime") or "") or certificate.not_valid_after_utc
    _check_life(directory, certificate, start, end)
    check_certificate(directory, application, start=start, end=end)
    thumbprint = certificate.fingerprint(hashes.SHA1())  # noqa: S303 the service's own choice
    return {
        "customKeyIdentifier": wanted.get("customKeyIdentifier") or thumbprint.hex().upper(),
        "displayName": wanted.get("displayName"),
        "endDateTime": stamp(end),
        "key": None,
        "keyId": wanted.get("keyId") or directory.new_id(),
        "startDateTime": stamp(start),
        "type": _TYPE,
        "usage": _USAGE,
    }


def _kept(directory: Directory, held: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """An entry that is there stays as it is; only its name may differ."""
    fixed = [name for name in wanted if name not in ("displayName", "key")]
    times = {"startDateTime", "endDateTime"}
    for name in fixed:
        same = read_time(wanted[name] or "") == read_time(held[name]) if name in times else None
        if not (same if same is not None else wanted[name] == held[name]):
            raise invalid(_NAME)
    if datetime.fromisoformat(held["endDateTime"]) <= directory.now():
        raise _wrong_end()
    return {**held, "displayName": wanted.get("displayName", held["displayName"])}


def _certificate(key: str | None) -> x509.Certificate:
    if key is None:
        raise bad_request("A value is required for property 'key' of resource 'KeyCredential'.")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(key))
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc  # parsed when asked
        return certificate
    except ValueError:
        raise bad_request("Key credential is invalid.", code="KeyCredentialsInvalid") from None


def _check_life(
    directory: Directory, certificate: x509.Certificate, start: datetime, end: datetime
) -> None:
    if start >= end or start < certificate.not_valid_before_utc:
        message = "Key credential start date is invalid."
        raise bad_request(message, code="KeyCredentialsInvalidStartDate")
    if end > certificate.not_valid_after_utc or end <= directory.now():
        raise _wrong_end()


def _wrong_end() -> GraphFailure:
    message = "Key credential end date is invalid."
    return bad_request(message, code="KeyCredentialsInvalidEndDate")
