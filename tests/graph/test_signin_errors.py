"""Every documented refusal of the token endpoint means one class of error."""

import pytest

from graph.errors import GraphError, SignInFailed, Throttled, Unavailable
from graph.signin_errors import (
    SETTLING,
    ApplicationDisabled,
    ApplicationNotThereYet,
    AssertionNotThereYet,
    ConsentNotThereYet,
    PersonNeeded,
    ResourceUnknown,
    SecretExpired,
    SecretNotThereYet,
    SignInBlocked,
    SignInMalformed,
    TenantUnknown,
    from_token_answer,
)

DOCUMENTED = [
    (400, "unauthorized_client", 700016, ApplicationNotThereYet),
    (400, "unauthorized_client", 700011, ApplicationNotThereYet),
    (401, "invalid_client", 7000215, SecretNotThereYet),
    (401, "invalid_client", 7000222, SecretExpired),
    (400, "unauthorized_client", 7000112, ApplicationDisabled),
    (401, "invalid_client", 70001, ApplicationDisabled),
    (401, "invalid_client", 700027, AssertionNotThereYet),
    (400, "invalid_resource", 650057, ResourceUnknown),
    (400, "invalid_request", 90002, TenantUnknown),
    (400, "invalid_request", 900023, TenantUnknown),
    (400, "invalid_scope", 1002012, SignInMalformed),
    (400, "invalid_grant", 50076, PersonNeeded),
    (400, "interaction_required", 50079, PersonNeeded),
    (400, "invalid_grant", 53003, SignInBlocked),
    (400, "invalid_grant", 530035, SignInBlocked),
    (400, "invalid_grant", 65001, ConsentNotThereYet),
    (400, "invalid_resource", 500011, ResourceUnknown),
    (400, "invalid_grant", 700082, PersonNeeded),
    (400, "invalid_grant", 70043, PersonNeeded),
]


@pytest.mark.parametrize(("status", "word", "number", "expected"), DOCUMENTED)
def test_each_documented_number_has_its_class_a_sentence_and_advice(
    status: int, word: str, number: int, expected: type[GraphError]
) -> None:
    error = read(status, word, number)
    assert type(error) is expected
    assert isinstance(error, SignInFailed)
    assert error.code == f"AADSTS{number}"
    assert error.sentence.endswith(".")
    assert error.advice.endswith(".")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("unauthorized_client", ApplicationNotThereYet),
        ("invalid_client", SecretNotThereYet),
        ("temporarily_unavailable", Unavailable),
        ("something_new", SignInFailed),
    ],
)
def test_an_unknown_number_falls_back_to_the_word(word: str, expected: type[GraphError]) -> None:
    assert type(read(400, word, 999)) is expected


@pytest.mark.parametrize(("status", "expected"), [(429, Throttled), (503, Unavailable)])
def test_throttling_and_outages_are_told_by_status(status: int, expected: type[GraphError]) -> None:
    error = from_token_answer(status, {}, 9.0)
    assert type(error) is expected
    assert error.retry_after == 9.0


def test_only_what_replication_explains_is_waited_for() -> None:
    waited_for = {expected for *_, expected in DOCUMENTED if issubclass(expected, SETTLING)}
    assert waited_for == {
        SecretNotThereYet,
        AssertionNotThereYet,
        ApplicationNotThereYet,
        ConsentNotThereYet,
    }


def test_the_description_is_never_kept() -> None:
    answer = {
        "error": "invalid_client",
        "error_codes": [7000215],
        "error_description": "AADSTS7000215: Invalid client secret hunter2",
        "trace_id": "t1",
    }
    error = from_token_answer(401, answer, None)
    assert "hunter2" not in f"{error} {error!r} {vars(error)}"
    assert error.request_id == "t1"


def read(status: int, word: str, number: int) -> GraphError:
    return from_token_answer(status, {"error": word, "error_codes": [number]}, None)
