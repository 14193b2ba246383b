"""Every documented refusal of the token endpoint means one class of error."""

from datetime import timedelta

import pytest

from graph import signin_errors as refusals
from graph.clouds import CLOUDS, PUBLIC, Cloud
from graph.errors import GraphError, SignInFailed, Throttled, Unavailable
from graph.retry import REPLICATION_TIME as SETTLING_TIME
from graph.retry import through_outage, until_replicated
from tests.support.still_clock import StillClock

NUMBERS: list[tuple[type[GraphError], int, str, tuple[int, ...]]] = [
    (refusals.ApplicationDisabled, 400, "invalid_grant", (1000031,)),
    (refusals.ApplicationDisabled, 400, "unauthorized_client", (7000112,)),
    (refusals.ApplicationDisabled, 401, "invalid_client", (70001,)),
    (refusals.ApplicationNotThereYet, 400, "unauthorized_client", (700016, 700011)),
    (refusals.ApplicationNotThereYet, 401, "invalid_client", (7000229,)),
    (refusals.AssertionNotThereYet, 401, "invalid_client", (700027,)),
    (refusals.AssertionRefused, 400, "invalid_request", (700213,)),
    (refusals.AssertionRefused, 401, "invalid_client", (700024,)),
    (refusals.ConsentNotThereYet, 400, "invalid_client", (650056,)),
    (refusals.ConsentNotThereYet, 400, "invalid_grant", (65001,)),
    (refusals.CredentialMissing, 401, "invalid_client", (7000218,)),
    (refusals.PersonNeeded, 400, "interaction_required", (50079, 50058)),
    (refusals.PersonNeeded, 400, "invalid_grant", (50076, 700082, 70043)),
    (refusals.PublicClient, 401, "invalid_client", (700025,)),
    (refusals.ResourceDisabled, 400, "invalid_resource", (650052,)),
    (refusals.ResourceDisabled, 400, "unauthorized_client", (500014,)),
    (refusals.ResourceUnknown, 400, "invalid_resource", (650057, 500011, 50001)),
    (refusals.SecretExpired, 401, "invalid_client", (7000222,)),
    (refusals.SecretNotThereYet, 401, "invalid_client", (7000215, 70002)),
    (refusals.SignInBlocked, 400, "invalid_grant", (53003, 530035, 530032, 53011)),
    (refusals.SignInMalformed, 400, "invalid_request", (900144,)),
    (refusals.SignInMalformed, 400, "invalid_scope", (1002012,)),
    (refusals.TenantRestricted, 400, "access_denied", (500021,)),
    (refusals.TenantUnknown, 400, "invalid_request", (90002, 900023)),
    (refusals.WrongCloud, 400, "invalid_request", (90038,)),
]
"""What each error is told by: a status, a word, and numbers of AADSTS."""
DOCUMENTED = [
    (status, word, number, expected)
    for expected, status, word, numbers in NUMBERS
    for number in numbers
]

TRANSIENT = [
    (400, "invalid_grant", 50196, refusals.SignInThrottled),
    (400, "invalid_request", 90055, refusals.SignInThrottled),
    (400, "invalid_request", 90033, Unavailable),
    (400, "temporarily_unavailable", 999, Unavailable),
]


@pytest.mark.parametrize(("status", "word", "number", "expected"), TRANSIENT)
def test_what_ends_by_itself_is_waited_out(
    status: int, word: str, number: int, expected: type[GraphError]
) -> None:
    error = read(status, word, number)
    assert type(error) is expected
    assert through_outage(lambda: 1.0)(error, 1) is not None


def test_after_too_many_equal_sign_ins_the_next_one_waits_for_a_minute() -> None:
    assert read(400, "invalid_grant", 50196).retry_after == 60.0
    answer = {"error": "invalid_grant", "error_codes": [50196]}
    assert refusals.from_token_answer(400, answer, 90.0, PUBLIC).retry_after == 90.0


@pytest.mark.parametrize(
    ("number", "word", "told", "untrue"),
    [
        (500014, "invalid_resource", "disabled in this tenant", "does not know"),
        (530032, "invalid_grant", "security policy", "Conditional Access"),
        (650052, "invalid_resource", "not subscribed", "does not know"),
        (53011, "invalid_grant", "risky", "Conditional Access"),
        (700211, "invalid_client", "issuer", "subject"),
        (700212, "invalid_client", "audience", "issuer"),
        (700213, "invalid_client", "subject", "issuer"),
        (7002138, "invalid_client", "subject", "issuer"),
        (700024, "invalid_client", "not valid at this time", "subject"),
        (50166, "invalid_request", "keys", "subject"),
        (7000218, "invalid_client", "Sign-in of the bot", "certificate"),
        (7000222, "invalid_client", "ENTRA_CLIENT_SECRET", "new secret"),
        (53000, "invalid_grant", "Sign in on a managed device", "exempt"),
        (123456, "unauthorized_client", "AADSTS123456", "has not replicated"),
        (123456, "invalid_client", "AADSTS123456", "secret"),
        (123456, "interaction_required", "AADSTS123456", "person"),
    ],
)
def test_a_sentence_says_no_more_than_the_number_does(
    number: int, word: str, told: str, untrue: str
) -> None:
    error = read(400, word, number)
    assert told in f"{error.sentence} {error.advice}"
    assert untrue not in f"{error.sentence} {error.advice}"


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_a_waiting_sign_in_is_tried_rarely(random: float) -> None:
    clock, tries = StillClock(), 0
    start, times = clock.now(), []
    wait = until_replicated(clock, lambda: random, written=start, settling=refusals.SETTLING)
    while (seconds := wait(refusals.SecretNotThereYet(), tries := tries + 1)) is not None:
        times.append((clock.now() - start).total_seconds())
        clock.move(timedelta(seconds=seconds))
    assert sum(each <= 60 for each in times) <= 7
    assert sum(each <= 300 for each in times) <= 12  # fifteen are taken for a loop
    assert sum(each <= 600 for each in times) <= 20
    assert clock.now() - start >= SETTLING_TIME


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
    ("word", "number", "expected"),
    [
        ("unauthorized_client", 999, refusals.ApplicationNotThereYet),
        ("invalid_client", 999, refusals.SecretNotThereYet),
        ("temporarily_unavailable", 999, Unavailable),
        ("something_new", 999, SignInFailed),
        # Of a code for a device the word says what became, whatever the number.
        ("authorization_pending", 70016, refusals.CodePending),
        ("slow_down", 70016, refusals.AskedTooOften),
        ("expired_token", 70020, refusals.CodeExpired),
        ("authorization_declined", 70018, refusals.CodeDeclined),
        ("authorization_declined", 1, refusals.CodeDeclined),
    ],
)
def test_an_unknown_number_falls_back_to_the_word(
    word: str, number: int, expected: type[GraphError]
) -> None:
    assert type(read(400, word, number)) is expected


@pytest.mark.parametrize(("status", "expected"), [(429, Throttled), (503, Unavailable)])
def test_throttling_and_outages_are_told_by_status(status: int, expected: type[GraphError]) -> None:
    error = refusals.from_token_answer(status, {}, 9.0, PUBLIC)
    assert type(error) is expected
    assert error.retry_after == 9.0


def test_only_what_replication_explains_is_waited_for() -> None:
    waited_for = {
        expected for *_, expected in DOCUMENTED if issubclass(expected, refusals.SETTLING)
    }
    assert waited_for == {
        refusals.SecretNotThereYet,
        refusals.AssertionNotThereYet,
        refusals.ApplicationNotThereYet,
        refusals.ConsentNotThereYet,
    }


def test_the_description_is_never_kept() -> None:
    answer = {
        "error": "invalid_client",
        "error_codes": [7000215],
        "error_description": "AADSTS7000215: Invalid client secret hunter2",
        "trace_id": "t1",
    }
    error = refusals.from_token_answer(401, answer, None, PUBLIC)
    assert "hunter2" not in f"{error} {error!r} {vars(error)}"
    assert error.request_id == "t1"


def read(status: int, word: str, number: int) -> GraphError:
    return refusals.from_token_answer(
        status, {"error": word, "error_codes": [number]}, None, PUBLIC
    )


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_an_unknown_number_is_looked_up_in_its_own_cloud(cloud: Cloud) -> None:
    error = refusals.from_token_answer(400, {"error": "new", "error_codes": [999]}, None, cloud)
    assert f"{cloud.login}/error?code=999" in error.advice
