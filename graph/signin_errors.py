"""What the token endpoint's refusals mean: the SignInFailed branch of the tree in graph/errors.py.

    SignInFailed
    ├── SecretNotThereYet          7000215: wrong, or not replicated yet
    ├── AssertionNotThereYet       700027: the certificate is wrong, or not replicated yet
    ├── ApplicationNotThereYet     700016, 700011: not in this tenant, or not replicated yet
    ├── ConsentNotThereYet         65001: nobody consented, or the consent has not replicated
    ├── SecretExpired · ApplicationDisabled · TenantUnknown · ResourceUnknown
    └── SignInBlocked              Conditional Access or security defaults

`error` is meant for programs, but only the numbers tell a missing application from a missing
tenant. Numbers: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from graph.errors import GraphError, SignInFailed, Throttled, Unavailable


class SecretNotThereYet(SignInFailed):
    WHAT = "Entra does not accept the client secret: it is wrong, or it has not replicated yet."
    ADVICE = "Check that the secret's value was given, not its id, and that it was not removed."


class AssertionNotThereYet(SignInFailed):
    WHAT = "Entra does not accept the certificate's signature: wrong key, or not replicated yet."
    ADVICE = "Check that the certificate of the application is the one the bot signs in with."


class ApplicationNotThereYet(SignInFailed):
    WHAT = (
        "Entra's sign-in service does not know the application in this tenant: "
        "it has not replicated, or the tenant is the wrong one, or it was removed."
    )
    ADVICE = "Check the tenant id and that the application exists, then retry."


class ConsentNotThereYet(SignInFailed):
    WHAT = "Nobody has consented for the application, or the consent has not replicated yet."
    ADVICE = "Grant admin consent on the application's permissions page, then retry."


class SecretExpired(SignInFailed):
    WHAT = "The client secret has expired."
    ADVICE = "Make a new secret."


class ApplicationDisabled(SignInFailed):
    WHAT = "The application has been disabled."
    ADVICE = "Enable it in the Entra admin centre under “Enterprise applications”."


class TenantUnknown(SignInFailed):
    WHAT = "Entra knows no tenant with this id."
    ADVICE = "Check ENTRA_TENANT_ID and ENTRA_CLOUD."


class ResourceUnknown(SignInFailed):
    WHAT = "The tenant does not know the API that the sign-in is for, or the application lacks it."
    ADVICE = "Check ENTRA_CLOUD and GRAPH_URL, and that the application lists Microsoft Graph."


class SignInBlocked(SignInFailed):
    WHAT = "Conditional Access or the security defaults of the tenant block this sign-in."
    ADVICE = "Look at the application's sign-in logs and exempt it from that policy."


class PersonNeeded(SignInFailed):
    WHAT = "Entra wants a person to sign in again, with a second factor."
    ADVICE = "Sign in again."


class SignInMalformed(SignInFailed):
    WHAT = "Entra did not understand the sign-in."
    ADVICE = "This is a fault of the bot. Report it with the request id."


SETTLING = (
    SecretNotThereYet,
    AssertionNotThereYet,
    ApplicationNotThereYet,
    ConsentNotThereYet,
)
"""The refusals that end by themselves while a new application replicates."""

_NUMBERS: Mapping[int, type[SignInFailed]] = {
    7000215: SecretNotThereYet,
    700027: AssertionNotThereYet,
    700016: ApplicationNotThereYet,
    700011: ApplicationNotThereYet,
    65001: ConsentNotThereYet,
    7000222: SecretExpired,
    7000112: ApplicationDisabled,
    70001: ApplicationDisabled,
    90002: TenantUnknown,
    900023: TenantUnknown,
    500011: ResourceUnknown,
    650057: ResourceUnknown,
    53003: SignInBlocked,
    530035: SignInBlocked,
    50076: PersonNeeded,
    50079: PersonNeeded,
    700082: PersonNeeded,
    70043: PersonNeeded,
    1002012: SignInMalformed,
}

_WORDS: Mapping[str, type[GraphError]] = {
    "unauthorized_client": ApplicationNotThereYet,
    "invalid_client": SecretNotThereYet,
    "invalid_resource": ResourceUnknown,
    "invalid_scope": SignInMalformed,
    "interaction_required": PersonNeeded,
    "temporarily_unavailable": Unavailable,
    "server_error": Unavailable,
}


def from_token_answer(status: int, answer: Mapping[str, Any], wait: float | None) -> GraphError:
    """Tell which error an answer of the token endpoint means. Pure.

    `answer` is its JSON; of that only numbers and ids are kept. `wait` is its Retry-After, if any.
    """
    numbers = _numbers(answer.get("error_codes"))
    known = next((_NUMBERS[number] for number in numbers if number in _NUMBERS), None)
    error = _by_status(status) or known or _WORDS.get(str(answer.get("error")), SignInFailed)
    trace = answer.get("trace_id")
    return error(
        code=f"AADSTS{numbers[0]}" if numbers else "",
        status=status,
        request_id=trace if isinstance(trace, str) else None,
        call="sign-in",
        retry_after=wait,
    )


def _by_status(status: int) -> type[GraphError] | None:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled
    return Unavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None


def _numbers(codes: object) -> list[int]:
    if not isinstance(codes, Iterable) or isinstance(codes, str):
        return []
    return [code for code in codes if isinstance(code, int)]
