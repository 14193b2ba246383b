"""Every documented answer of Graph means one class of error, with a sentence and advice."""

import pytest

from graph.error_mapping import from_response
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
from tests.support.graph_fakes import EPOCH

BAD_REQUESTS = [
    (
        "The appId 'x' of the service principal does not reference a valid application object.",
        NotThereYet,
    ),
    ("Not a valid reference update.", NotThereYet),
    ("Permission being assigned was not found on application 'x'", NotThereYet),
    ("Permission being assigned already exists on the object", AlreadyThere),
    ("Specified resourceId was not found", NotThereYet),
    ("No password credential found with keyId 'x'.", NoSuchSecret),
    ("Permission entry already exists.", AlreadyThere),
    ("Invalid value specified for property 'tags'", BadRequest),
]
"""What 400 Request_BadRequest may say."""
DOCUMENTED = [
    (404, "Request_ResourceNotFound", "Resource 'x' does not exist or one of its …", NotFound),
    (404, "Directory_ObjectNotFound", "Unable to read the company information", NotThereYet),
    (
        403,
        "Authorization_RequestDenied",
        "When using this permission, the backing application of the service principal being "
        "created must in the local tenant",
        NotThereYet,
    ),
    (
        409,
        "Request_MultipleObjectsWithSameKeyValue",
        "Permission entry already exists.",
        AlreadyThere,
    ),
    (409, "Request_MultipleObjectsWithSameKeyValue", "is already in use", AlreadyThere),
    (409, "Directory_ConcurrencyViolation", "Error due to concurrent requests", Conflict),
    (409, "ObjectConflict", "", Conflict),
    (409, "Error_MsaAppDoesNotExist", "", BadRequest),
    (403, "Directory_QuotaExceeded", "The directory object quota limit", QuotaExceeded),
    (400, "Directory_ResourceSizeExceeded", "", QuotaExceeded),
    (403, "Directory_ResourceSizeExceeded", "", QuotaExceeded),
    (403, "Authorization_RequestDenied", "Insufficient privileges to complete", Forbidden),
    (403, "Authentication_Unauthorized", "Access blocked to AAD Graph API", Forbidden),
    (401, "InvalidAuthenticationToken", "Access token has expired", TokenExpired),
    (400, "CredentialInvalidLifetimeAsPerAppPolicy", "Credential lifetime exceeds", PolicyForbids),
    (400, "CredentialTypeNotAllowedAsPerAppPolicy", "", PolicyForbids),
    (400, "SignInAudienceNotAllowedAsPerAppPolicy", "", PolicyForbids),
    (400, "HostNameNotOnVerifiedDomain", "", PolicyForbids),
    (400, "InvalidUniqueTenantIdentifierAsPerAppPolicy", "Failed to add identifier", PolicyForbids),
    (400, "RedirectUriNotAllowedAsPerAppPolicy", "", PolicyForbids),
    (400, "ServiceTreeValueMissing", "ServiceManagementReference field is", PolicyForbids),
    (400, "KeyCredentialsInvalidEndDate", "Key credential end date is invalid.", BadRequest),
    (424, "", "", Unavailable),
    (429, "TooManyRequests", "", Throttled),
    (500, "InternalServerError", "", Unavailable),
    (502, "", "", Unavailable),
    (503, "ServiceUnavailable", "", Unavailable),
    (504, "", "", Unavailable),
    *((400, "Request_BadRequest", message, expected) for message, expected in BAD_REQUESTS),
]


@pytest.mark.parametrize(("status", "code", "message", "expected"), DOCUMENTED)
def test_each_documented_answer_has_its_class_a_sentence_and_advice(
    status: int, code: str, message: str, expected: type[GraphError]
) -> None:
    error = read(status, {"error": {"code": code, "message": message}})
    assert type(error) is expected
    assert error.sentence.endswith(".")
    assert error.advice.endswith(".")
    assert error.status == status
    assert error.code == (code or expected.__name__)


@pytest.mark.parametrize(("text", "meaning"), BAD_REQUESTS[:-1])
def test_what_refuses_nothing_is_not_read_for_its_text(
    text: str, meaning: type[GraphError]
) -> None:
    """A proxy's error that quotes an earlier answer must not end a secret's removal."""
    for status in (401, 408, 429, 500, 503):
        assert not isinstance(read(status, {"error": {"code": "", "message": text}}), meaning)
    codes = {"code": "Request_MultipleObjectsWithSameKeyValue", "message": text}
    assert type(read(503, {"error": codes})) is Unavailable


def test_the_code_of_a_detail_counts() -> None:
    details = [{"code": "CredentialInvalidLifetimeAsPerAppPolicy", "target": "EndDate"}]
    error = read(400, {"error": {"code": "Request_BadRequest", "message": "", "details": details}})
    assert isinstance(error, PolicyForbids)


def test_a_claims_challenge_asks_for_another_token() -> None:
    challenge = 'Bearer realm="", error="insufficient_claims", claims="e30="'
    error = read(403, None, {"WWW-Authenticate": challenge})
    assert isinstance(error, TokenExpired)
    assert "Conditional Access" in error.sentence


@pytest.mark.parametrize("body", [None, [], "no", {"error": "text"}, {"error": {"details": 1}}])
def test_a_body_of_any_shape_is_survived(body: object) -> None:
    assert isinstance(read(418, body), BadRequest)


def test_request_id_and_retry_after_are_kept() -> None:
    error = read(429, None, {"request-id": "r1", "Retry-After": "17"})
    assert (error.request_id, error.retry_after) == ("r1", 17.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": " 3 "}, 3.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:30 GMT"}, 90.0),
        # Clocks differ: the answer's own date counts, where there is one.
        (
            {
                "Retry-After": "Sun, 01 Mar 2026 00:00:20 GMT",
                "Date": "Sun, 01 Mar 2026 00:00:00 GMT",
            },
            20.0,
        ),
        ({"Retry-After": "Wed, 31 Dec 2025 23:00:00 GMT"}, 0.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Thu, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:30"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    error = from_response(429, None, headers, call="GET /x", now=EPOCH)
    assert error.retry_after == seconds


@pytest.mark.parametrize("inner", ["innerError", "innererror"])
def test_without_a_header_the_request_id_inside_the_error_is_kept(inner: str) -> None:
    id = "0f1e2d3c-4b5a-4968-8776-655443322110"
    body = {"error": {"code": "Oops", inner: {"request-id": id, "client-request-id": "ours"}}}
    assert read(400, body).request_id == id
    assert read(400, body, {"request-id": "r1"}).request_id == "r1"


@pytest.mark.parametrize("inner", [None, "text", {}, {"request-id": 7}, {"request-id": "hunter2"}])
def test_what_is_no_request_id_is_none(inner: object) -> None:
    assert read(400, {"error": {"code": "Oops", "innerError": inner}}).request_id is None


def test_nothing_of_what_was_sent_or_answered_is_in_an_error() -> None:
    body = {"error": {"code": "Oops: hunter2", "message": "Invalid value 'hunter2'"}}
    error = read(400, body)
    assert "hunter2" not in f"{error} {error!r} {error.args} {vars(error)}"


def test_the_misleading_403_names_both_of_its_causes() -> None:
    text = "the service principal being created must in the local tenant"
    error = read(403, {"error": {"code": "Authorization_RequestDenied", "message": text}})
    assert "has not replicated, or the bot lacks the right" in error.sentence


def read(status: int, body: object, headers: dict[str, str] | None = None) -> GraphError:
    return from_response(status, body, headers or {}, call="GET /x")
