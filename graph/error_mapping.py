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


class _Row(NamedTuple):
    """One meaning: the first row whose every given part fits the answer wins."""

    error: type[GraphError]
    status: int | None = None
    least: int = 0
    """The lowest status that fits."""
    code: str = ""
    code_ends: str = ""
    text: str = ""
    sentence: str = ""
    advice: str = ""


# Replication lag shares codes with real faults, so Graph's text must be matched here,
# although learn.microsoft.com/graph/errors advises against it. There is no other sign.
_MEANINGS = (
    _Row(NotThereYet, text="does not reference a valid application object"),
    _Row(
        NotThereYet,
        text="service principal being created must in the local tenant",
        sentence="Entra refused the service principal: the new application has not replicated, "
        "or the bot lacks the right to create service principals.",
        advice="Check that the bot holds Application.ReadWrite.OwnedBy, then retry.",
    ),
    _Row(NotThereYet, text="not a valid reference update"),
    _Row(
        NotThereYet,
        text="permission being assigned was not found on application",
        sentence="Entra does not know the permission or its owner: the service principal has not "
        "replicated, or the permission is gone from this tenant.",
    ),
    _Row(NotThereYet, text="specified resourceid was not found"),
    _Row(NotThereYet, code="Directory_ObjectNotFound"),
    _Row(NoSuchSecret, status=400, text="no password credential found"),
    _Row(AlreadyThere, text="permission being assigned already exists"),
    _Row(AlreadyThere, text="permission entry already exists"),
    _Row(AlreadyThere, code="Request_MultipleObjectsWithSameKeyValue"),
    _Row(
        BadRequest,
        code="Error_MsaAppDoesNotExist",
        sentence="Entra treated the application as one for personal accounts.",
    ),
    _Row(Conflict, code="Directory_ConcurrencyViolation"),
    _Row(Conflict, status=409),
    _Row(QuotaExceeded, code="Directory_QuotaExceeded"),
    _Row(
        QuotaExceeded,
        code="Directory_ResourceSizeExceeded",
        sentence="The object holds too many values: Entra has no room for one more.",
        advice="Remove old secrets, grants or redirect URIs of the application, then retry.",
    ),
    _Row(
        PolicyForbids,
        code="CredentialInvalidLifetimeAsPerAppPolicy",
        sentence="The tenant's policy does not allow a secret to live that long.",
        advice="Ask again with a shorter life for the secret.",
    ),
    _Row(
        PolicyForbids,
        code="CredentialTypeNotAllowedAsPerAppPolicy",
        sentence="The tenant's policy does not allow client secrets.",
    ),
    _Row(
        PolicyForbids,
        code="SignInAudienceNotAllowedAsPerAppPolicy",
        sentence="The tenant's policy does not allow applications for these accounts.",
    ),
    _Row(
        PolicyForbids,
        code="HostNameNotOnVerifiedDomain",
        sentence="The tenant only allows addresses on its own verified domains.",
        advice="Use an address on a verified domain of the tenant.",
    ),
    _Row(
        PolicyForbids,
        code="InvalidUniqueTenantIdentifierAsPerAppPolicy",
        sentence="The tenant's policy does not allow this identifier URI.",
    ),
    # The code for a forbidden redirect URL is not documented; its siblings all end like this.
    _Row(
        PolicyForbids,
        code_ends="AsPerAppPolicy",
        sentence="The tenant's policy on applications does not allow what the plan asks for.",
    ),
    _Row(
        PolicyForbids,
        code="ServiceTreeValueMissing",
        sentence="The tenant demands a service management reference for each application.",
        advice="Ask an administrator which references the tenant accepts.",
    ),
    _Row(
        BadRequest,
        code="KeyCredentialsInvalidEndDate",
        sentence="Entra rejected the end date of a certificate of the application.",
        advice="Remove expired certificates of the application and check the bot's clock.",
    ),
    _Row(
        TokenExpired,
        code="insufficient_claims",
        sentence="Conditional Access does not let this application in from here.",
        advice="Look at the Conditional Access policies for workload identities.",
    ),
    _Row(TokenExpired, status=401),
    _Row(
        Forbidden,
        code="Authentication_Unauthorized",
        sentence="Entra blocks Azure AD Graph, which was retired in August 2025.",
        advice="Use Microsoft Graph permissions instead.",
    ),
    _Row(Forbidden, status=403),
    _Row(NotFound, status=404),
    _Row(Throttled, status=429),
    _Row(Unavailable, status=408),
    _Row(Unavailable, status=424),
    _Row(Unavailable, least=500),
    _Row(BadRequest, least=400),
    _Row(GraphError),
)


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
    row = next(row for row in _MEANINGS if _fits(row, status, said))
    return row.error(
        code=said.codes[0],
        status=status,
        request_id=lowered.get("request-id") or said.request_id,
        call=call,
        sentence=row.sentence,
        advice=row.advice,
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


def _fits(row: _Row, status: int, said: _Said) -> bool:
    return (
        row.status in (None, status)
        and row.least <= status
        and (not row.code or row.code in said.codes)
        and (not row.code_ends or any(code.endswith(row.code_ends) for code in said.codes))
        and row.text in said.text
    )


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
