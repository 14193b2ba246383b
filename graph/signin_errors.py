"""Errors of the token endpoint: the SignInFailed branch of the tree in graph/errors.py.

    SignInFailed
    ├── SecretNotThereYet          7000215: wrong, or not replicated yet
    ├── AssertionNotThereYet       700027: the certificate is unknown, or not replicated yet
    ├── ApplicationNotThereYet     700016: not in this tenant, or not replicated yet
    ├── ConsentNotThereYet         65001: no consent, or it has not replicated
    ├── SecretExpired · AssertionRefused · CredentialMissing · PublicClient
    ├── ApplicationDisabled · TenantUnknown · WrongCloud · TenantRestricted
    ├── ResourceUnknown · ResourceDisabled
    ├── SignInBlocked              Conditional Access, security defaults, policies, risk
    ├── PersonNeeded · SignInMalformed
    └── CodeUnused                 no sign-in came of a code for a device:
        CodePending (ask again), AskedTooOften (more slowly), CodeExpired, CodeDeclined

Three more are no refusals: SignInThrottled (Entra asks for fewer sign-ins), Throttled and
Unavailable are waited out. `error` is meant for programs, but only the numbers tell a missing
application from a missing tenant. The numbers are those of
learn.microsoft.com/entra/identity-platform/reference-error-codes that an application can meet which
signs in for itself, and those that the page lacks and users have reported (500014, 50166, 7000229,
700024, 70021, 7002xx, 700213x). For another number the sentence says only that it is unknown,
whatever the `error` beside it makes the bot do.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from graph.clouds import Cloud
from graph.errors import GraphError, Meaning, SignInFailed, Throttled, Unavailable

PAUSE_SECONDS = 60.0
"""How long to stay away after “too many equal sign-ins”, for which Entra sends no Retry-After."""


class SignInThrottled(Throttled):
    TEXT = (
        "Entra was asked for too many sign-ins in a short time, and did not let the bot in again."
    )
    ADVICE = "Retry in some minutes. Look for other programs that sign in with this application."


class SecretNotThereYet(SignInFailed):
    TEXT = "Entra does not accept the client secret: it is wrong, or it has not replicated yet."
    ADVICE = "Check that the secret's value was given, not its id, and that it was not removed."


class AssertionNotThereYet(SignInFailed):
    TEXT = (
        "Entra does not know the certificate that signed the sign-in: it is not the application's,"
        " it has expired, or it has not replicated yet."
    )
    ADVICE = (
        "Look under “Certificates & secrets” of the application whether the certificate is there"
        " that the bot signs in with."
    )


class ApplicationNotThereYet(SignInFailed):
    TEXT = (
        "Entra's sign-in service does not know the application in this tenant: "
        "it has not replicated, or the tenant is the wrong one, or it was removed."
    )
    ADVICE = "Check the tenant id and that the application exists, then retry."


class ConsentNotThereYet(SignInFailed):
    TEXT = "The application has no consent, or it has not replicated yet."
    ADVICE = "Grant admin consent on the application's permissions page, then retry."


class SecretExpired(SignInFailed):
    TEXT = "The client secret has expired."
    ADVICE = (
        "Create another one in Entra, set it as ENTRA_CLIENT_SECRET (the consent client's as"
        " CONSENT_CLIENT_SECRET) and restart the bot."
    )


class AssertionRefused(SignInFailed):
    TEXT = "Entra does not accept the certificate or the federated token of the application."
    ADVICE = (
        "Check the clock of the machine, that the certificate is valid, and that the federated"
        " credential names the issuer, subject and audience of the token."
    )


class CredentialMissing(SignInFailed):
    TEXT = "The sign-in carried no credential that Entra recognises."
    ADVICE = (
        "Check the setting of the bot's credential (SETUP.md, Sign-in of the bot), or the consent"
        " client's CONSENT_CLIENT_SECRET."
    )


class PublicClient(SignInFailed):
    TEXT = "The application is registered as a public client, which signs in without a secret."
    ADVICE = "Switch off “Allow public client flows” under its authentication settings."


class ApplicationDisabled(SignInFailed):
    TEXT = "The application has been disabled."
    ADVICE = "Enable it in the Entra admin centre under “Enterprise applications”."


class TenantUnknown(SignInFailed):
    TEXT = "Entra knows no tenant with this id."
    ADVICE = "Check ENTRA_TENANT_ID and ENTRA_CLOUD."


class WrongCloud(TenantUnknown):
    TEXT = "The tenant belongs to another national cloud."
    ADVICE = "Check ENTRA_CLOUD, ENTRA_AUTHORITY and GRAPH_URL."


class TenantRestricted(SignInFailed):
    TEXT = "A proxy or a cross-tenant policy does not allow sign-ins to this tenant from here."
    ADVICE = "Check the tenant restrictions of the network that the bot runs in."


class ResourceUnknown(SignInFailed):
    TEXT = "The tenant does not know the API that the sign-in is for, or the application lacks it."
    ADVICE = "Check ENTRA_CLOUD and GRAPH_URL, and that the application lists Microsoft Graph."


class ResourceDisabled(SignInFailed):
    TEXT = "The API that the sign-in is for is disabled in this tenant."
    ADVICE = (
        "Look at its service principal under “Enterprise applications” in the Entra admin centre,"
        " and at the tenant's subscriptions."
    )


class SignInBlocked(SignInFailed):
    TEXT = "Conditional Access or the security defaults of the tenant block this sign-in."
    ADVICE = "Look at the application's sign-in logs and exempt it from that policy."


class PersonNeeded(SignInFailed):
    TEXT = "Entra requires a new sign-in."
    ADVICE = "Sign in again."


class SignInMalformed(SignInFailed):
    TEXT = "Entra did not understand the sign-in."
    ADVICE = "Something is wrong on our side. Give the request ID to this bot's administrators."


class CodeUnused(SignInFailed):
    ADVICE = ""


class CodePending(CodeUnused):
    pass


class AskedTooOften(CodePending):
    pass


class CodeExpired(CodeUnused):
    TEXT = "The code has expired: it was not used in time."


class CodeDeclined(CodeUnused):
    TEXT = "The sign-in was cancelled."


SETTLING = (
    SecretNotThereYet,
    AssertionNotThereYet,
    ApplicationNotThereYet,
    ConsentNotThereYet,
)
"""The refusals that end by themselves while a new application replicates."""


def _rows(error: type[GraphError], *numbers: int) -> dict[int, Meaning]:
    return dict.fromkeys(numbers, Meaning(error))


def _no_match(claim: str) -> Meaning:
    return Meaning(
        AssertionRefused,
        f"No federated credential of the application has the {claim} of the federated token.",
        f"Compare the token's {claim} with the application's federated credentials, letter by"
        " letter: capitals and a slash at the end count.",
    )


_SECOND_FACTOR = "Entra requires a new sign-in, with a second factor."
_RISK = "Entra blocks this sign-in because it considers it risky."
_RISK_ADVICE = "Look at “Risky workload identities” in the Entra admin centre."

_NUMBERS: Mapping[int, Meaning] = {
    # Ends by itself: waited for.
    **_rows(SignInThrottled, 50196, 90055),
    **_rows(Unavailable, 50000, 50033, 90006, 90012, 90024, 90033, 90090, 90091),
    **_rows(SecretNotThereYet, 7000215, 70002),
    **_rows(AssertionNotThereYet, 700027),
    **_rows(ApplicationNotThereYet, 700016, 700011, 7000229),
    **_rows(ConsentNotThereYet, 65001, 90008, 90094, 650056),
    # The application and its credential.
    **_rows(SecretExpired, 7000222),
    **_rows(AssertionRefused, 50006, 50012, 50013, 500133, 50017, 50027, 50048, 700030),
    **_rows(AssertionRefused, 70021, 700222, 700223, 700229, 900384),
    700024: Meaning(
        AssertionRefused,
        "The certificate's signature or the federated token is not valid at this time.",
        "Check the clock of the machine. A federated token must be replaced in its file before it"
        " ends: check whatever writes it.",
    ),
    700211: _no_match("issuer (iss)"),
    700212: _no_match("audience (aud)"),
    **dict.fromkeys((700213, 7002137, 7002138), _no_match("subject (sub)")),
    50166: Meaning(
        AssertionRefused,
        "Entra cannot fetch the keys of the federated token's issuer.",
        "The issuer's address must be reachable from the internet and serve its OpenID"
        " configuration.",
    ),
    **_rows(CredentialMissing, 7000216, 7000218),
    **_rows(PublicClient, 700025),
    **_rows(ApplicationDisabled, 7000112, 70001),
    1000031: Meaning(
        ApplicationDisabled,
        "Entra says that the application cannot be used at this time.",
        "Look at its properties in the Entra admin centre, or ask Microsoft's support.",
    ),
    # The tenant.
    **_rows(TenantUnknown, 90002, 900023, 50059, 50128, 90019),
    **_rows(WrongCloud, 90038, 90051, 900382, 900432, 1000104),
    **_rows(TenantRestricted, 50002, 500021, 500022, 500212, 500213),
    # The API.
    **_rows(ResourceUnknown, 50001, 500011, 65005, 650057),
    500014: Meaning(ResourceDisabled),
    650052: Meaning(
        ResourceDisabled,
        "The tenant has not subscribed to the API that the sign-in is for, or not enabled it.",
    ),
    650054: Meaning(
        ResourceDisabled,
        "The application asks for permissions of an API that was removed or is not available.",
        "Remove that API from the application's permissions.",
    ),
    # Policies.
    **_rows(SignInBlocked, 53003, 530035, 50131),
    530032: Meaning(
        SignInBlocked,
        "A security policy that the tenant's administrators have set up blocks this sign-in.",
        "Look at the application's sign-in logs for the policy, and exempt it from that policy.",
    ),
    **dict.fromkeys((53011, 530034), Meaning(SignInBlocked, _RISK, _RISK_ADVICE)),
    50053: Meaning(
        SignInBlocked,
        "Entra blocks this sign-in: it came from an address with malicious activity, or failed"
        " too often.",
        "Look at the sign-in logs, and at the address that the bot's calls come from.",
    ),
    **dict.fromkeys(
        (53000, 53001, 53002, 50005, 50097),
        Meaning(
            SignInBlocked,
            "Conditional Access demands a managed device or an approved app for this sign-in.",
            "Sign in on a managed device or with an approved app.",
        ),
    ),
    # People, in the consent modes in which one signs in.
    50105: Meaning(
        SignInBlocked,
        "This account is not assigned to the application, which lets only assigned users sign in.",
        "Ask your Entra administrator to assign it under “Users and groups” of the enterprise"
        " application.",
    ),
    **dict.fromkeys((50072, 50074, 50076, 50078, 50079), Meaning(PersonNeeded, _SECOND_FACTOR)),
    **_rows(PersonNeeded, 50058, 50089, 50132, 50133, 50173, 54005, 65004),
    **_rows(PersonNeeded, 70000, 70008, 70043, 700020, 700082, 700084),
    # Requests that this bot must not send.
    **_rows(SignInMalformed, 1002012, 28002, 28003, 70011, 700022, 700023, 901002),
    **_rows(SignInMalformed, 70003, 9001023, 50049, 50050, 50194, 900561, 90056),
    **_rows(SignInMalformed, 90004, 90013, 90014, 900144, 90015, 90023, 9002313, 90100),
    **_rows(SignInMalformed, 90102, 90107, 90117, 90121, 165900),
}

_WORDS: Mapping[str, type[GraphError]] = {
    "unauthorized_client": ApplicationNotThereYet,
    "invalid_client": SecretNotThereYet,
    "invalid_resource": ResourceUnknown,
    "invalid_scope": SignInMalformed,
    "interaction_required": PersonNeeded,
    "temporarily_unavailable": Unavailable,
    "server_error": Unavailable,
    "authorization_pending": CodePending,
    "slow_down": AskedTooOften,
    "expired_token": CodeExpired,
    "authorization_declined": CodeDeclined,
}


def from_token_answer(
    status: int, answer: Mapping[str, Any], wait: float | None, cloud: Cloud
) -> GraphError:
    """Return the error that an answer of the token endpoint means. Pure.

    `answer` is its JSON; of that only numbers and ids are kept. `wait` is its Retry-After, if any.
    """
    numbers = _numbers(answer.get("error_codes"))
    meaning = _meaning(status, answer, numbers, cloud)
    if issubclass(meaning.error, SignInThrottled):
        wait = max(wait or 0.0, PAUSE_SECONDS)
    trace = answer.get("trace_id")
    return meaning.error(
        code=f"AADSTS{numbers[0]}" if numbers else "",
        status=status,
        request_id=trace if isinstance(trace, str) else None,
        call="sign-in",
        sentence=meaning.sentence,
        advice=meaning.advice,
        retry_after=wait,
    )


def _meaning(status: int, answer: Mapping[str, Any], numbers: list[int], cloud: Cloud) -> Meaning:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Meaning(Throttled)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Meaning(Unavailable)
    error = _WORDS.get(str(answer.get("error")), SignInFailed)
    if issubclass(error, CodeUnused):
        return Meaning(error)
    if known := next((_NUMBERS[number] for number in numbers if number in _NUMBERS), None):
        return known
    if not numbers or issubclass(error, Unavailable):
        return Meaning(error)
    sentence = f"Entra refused the sign-in for a reason this bot does not know: AADSTS{numbers[0]}."
    return Meaning(error, sentence, f"Look it up at {cloud.error_page(numbers[0])}.")


def _numbers(codes: object) -> list[int]:
    if not isinstance(codes, Iterable) or isinstance(codes, str):
        return []
    return [code for code in codes if isinstance(code, int) and 0 < code < 10**9]
