"""Map the answers of Microsoft Graph to errors.

Graph's own words are matched and then dropped: they may quote the request. Codes and texts:
learn.microsoft.com/graph/errors, and the trackers of tools that met them.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from graph.errors import (
    AlreadyThere,
    BadRequest,
    Conflict,
    Forbidden,
    GraphError,
    Meaning,
    NoSuchSecret,
    NotFound,
    NotThereYet,
    PolicyForbids,
    QuotaExceeded,
    Throttled,
    TokenExpired,
    Unavailable,
)

_CODE = re.compile(r"[\w.]{1,80}")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_REQUEST_ID = re.compile(r"[0-9a-fA-F-]{36}")


# Replication lag shares codes with real faults, so Graph's text must be matched here,
# although learn.microsoft.com/graph/errors advises against it. There is no other sign.
_TEXTS = {
    "does not reference a valid application object": Meaning(NotThereYet),
    "service principal being created must in the local tenant": Meaning(
        NotThereYet,
        "Entra refused the service principal: the new application has not replicated, "
        "or the bot lacks the right to create service principals.",
        "Check that the bot holds Application.ReadWrite.OwnedBy, then retry.",
    ),
    "not a valid reference update": Meaning(NotThereYet),
    "permission being assigned was not found on application": Meaning(
        NotThereYet,
        "Entra does not know the permission or its owner: the service principal has not "
        "replicated, or the permission is gone from this tenant.",
    ),
    "specified resourceid was not found": Meaning(NotThereYet),
    "no password credential found": Meaning(NoSuchSecret),
    "permission being assigned already exists": Meaning(AlreadyThere),
    "permission entry already exists": Meaning(AlreadyThere),
}
"""What a part of a refusal's text means, in lower case. It counts more than a code."""
_REFUSALS = (400, 403, 404, 409)

_CODES = {
    "Directory_ObjectNotFound": Meaning(NotThereYet),
    "Request_MultipleObjectsWithSameKeyValue": Meaning(AlreadyThere),
    "Error_MsaAppDoesNotExist": Meaning(
        BadRequest, "Entra treated the application as one for personal accounts."
    ),
    "Directory_ConcurrencyViolation": Meaning(Conflict),
    "Directory_QuotaExceeded": Meaning(QuotaExceeded),
    "Directory_ResourceSizeExceeded": Meaning(
        QuotaExceeded,
        "The object holds too many values: Entra has no room for one more.",
        "Remove old secrets, grants or redirect URIs of the application, then retry.",
    ),
    "CredentialInvalidLifetimeAsPerAppPolicy": Meaning(
        PolicyForbids,
        "The tenant's policy does not allow a secret to live that long.",
        "Ask again with a shorter life for the secret.",
    ),
    "CredentialTypeNotAllowedAsPerAppPolicy": Meaning(
        PolicyForbids, "The tenant's policy does not allow client secrets."
    ),
    "SignInAudienceNotAllowedAsPerAppPolicy": Meaning(
        PolicyForbids, "The tenant's policy does not allow applications for these accounts."
    ),
    "HostNameNotOnVerifiedDomain": Meaning(
        PolicyForbids,
        "The tenant only allows addresses on its own verified domains.",
        "Use an address on a verified domain of the tenant.",
    ),
    "InvalidUniqueTenantIdentifierAsPerAppPolicy": Meaning(
        PolicyForbids, "The tenant's policy does not allow this identifier URI."
    ),
    "ServiceTreeValueMissing": Meaning(
        PolicyForbids,
        "The tenant demands a service management reference for each application.",
        "Ask an administrator which references the tenant accepts.",
    ),
    "KeyCredentialsInvalidEndDate": Meaning(
        BadRequest,
        "Entra rejected the end date of a certificate of the application.",
        "Remove expired certificates of the application and check the bot's clock.",
    ),
    "insufficient_claims": Meaning(
        TokenExpired,
        "Conditional Access does not let this application in from here.",
        "Look at the Conditional Access policies for workload identities.",
    ),
    "Authentication_Unauthorized": Meaning(
        Forbidden,
        "Entra blocks Azure AD Graph, which was retired in August 2025.",
        "Use Microsoft Graph permissions instead.",
    ),
}
# The code for a forbidden redirect URL is not documented; its siblings all end like this.
_POLICY = "AsPerAppPolicy"
_FORBIDDEN_BY_POLICY = Meaning(
    PolicyForbids, "The tenant's policy on applications does not allow what the plan asks for."
)
_STATUSES: Mapping[int, type[GraphError]] = {
    401: TokenExpired,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    424: Unavailable,
    429: Throttled,
}


def from_response(
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    call: str,
    now: datetime | None = None,
) -> GraphError:
    """Return the error that an answer of Graph means. Pure; `body` is its JSON, or None."""
    said = _read(body)
    lowered = {name.lower(): value for name, value in headers.items()}
    if "insufficient_claims" in lowered.get("www-authenticate", ""):
        said = said._replace(codes=("insufficient_claims",))
    meaning = _meaning(status, said)
    return meaning.error(
        code=said.codes[0],
        status=status,
        request_id=lowered.get("request-id") or said.request_id,
        call=call,
        sentence=meaning.sentence,
        advice=meaning.advice,
        retry_after=retry_after(lowered, now),
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header, or None. Graph sends seconds; a proxy may send a
    date, which is compared with the answer's own date, because clocks differ, or else with `now`.

    The names of `headers` are in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until, since = _moment(value), _moment(headers.get("date", "")) or now
    return max((until - since).total_seconds(), 0.0) if until and since else None


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else None


class _Said(NamedTuple):
    codes: tuple[str, ...]
    text: str
    request_id: str | None


def _meaning(status: int, said: _Said) -> Meaning:
    """Return what was told most precisely: by a text, a code, or else the status."""
    if status >= 500:
        return Meaning(Unavailable)
    texts = _TEXTS if status in _REFUSALS else {}
    told = [meaning for text, meaning in texts.items() if text in said.text]
    told += [_CODES[code] for code in said.codes if code in _CODES]
    if any(code.endswith(_POLICY) for code in said.codes):
        told.append(_FORBIDDEN_BY_POLICY)
    kind = BadRequest if status >= 400 else GraphError
    return next(iter(told), Meaning(_STATUSES.get(status, kind)))


def _read(body: object) -> _Said:
    """Read Graph's error body as far as there is one: its code first, then those of its details."""
    error = _table(_table(body).get("error"))
    details = error.get("details")
    parts = [error, *map(_table, details if isinstance(details, list) else ())]
    return _Said(
        codes=tuple(_code(part.get("code")) for part in parts),
        text=str(error.get("message", "")).casefold(),
        request_id=_id(error),
    )


def _id(error: dict[str, Any]) -> str | None:
    """Return the request id inside the error: within a `$batch`, answers may have no header."""
    inner = error.get("innerError", error.get("innererror"))  # both are written in the wild
    id = _table(inner).get("request-id")
    return id if isinstance(id, str) and _REQUEST_ID.fullmatch(id) else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _code(value: object) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
