"""The endpoint of managed identities on a machine in Azure: what its answers mean.

msal knows two forms that this bot uses: the metadata service of virtual machines and containers
(IMDS), and App Service's, which Container Apps and Functions have, too. Neither takes a credential
of ours: what can reach the endpoint is the machine. msal repeats nothing and checks little, so
answers pass through here first.
learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import msal  # type: ignore[import-untyped]  # msal ships no types
from msal import managed_identity

from graph.calls import Answer, filled
from graph.clouds import Cloud
from graph.credentials import ManagedIdentity
from graph.error_mapping import retry_after
from graph.errors import GraphError, SignInFailed, Throttled, Unavailable, Unreachable
from graph.http import UNCOMPRESSED, exchange
from graph.signin_errors import from_token_answer

CALL = "managed identity"

TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""Seconds. The endpoint is on the machine itself: if it is there, it takes a connection at once."""

SETTLING = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
"""What it answers while it is being updated, for 70 seconds at most."""


class IdentityUnreachable(Unreachable):
    TEXT = "No managed identity endpoint answers on the machine that the bot runs on."
    ADVICE = (
        "ENTRA_MANAGED_IDENTITY works only in Azure: on a virtual machine, or in App Service or"
        " Container Apps with an identity. Check that no firewall on the machine blocks"
        " 169.254.169.254."
    )


class IdentityUnavailable(Unavailable):
    TEXT = "The machine's managed identity endpoint had an outage and did not recover in time."
    ADVICE = "Retry in some minutes. If the bot does not run in Azure, use another credential."


class IdentityNotAssigned(SignInFailed):
    TEXT = "The machine that the bot runs on does not have the managed identity that it asks for."
    ADVICE = (
        "Look at the machine's Identity page in the Azure portal. For “system” its own must be on;"
        " an identity with a client id must be assigned to it."
    )


class IdentityDiffers(SignInFailed):
    TEXT = "The machine's managed identity is not the application in ENTRA_CLIENT_ID."
    ADVICE = (
        "Set ENTRA_CLIENT_ID and ENTRA_TENANT_ID to those of the identity, which the Entra admin"
        " centre lists under “Enterprise applications”, type “Managed Identities”."
    )


class IdentityUnsupported(SignInFailed):
    TEXT = "Managed identities of this kind of machine are not supported."
    ADVICE = (
        "They work on virtual machines, in App Service, Functions and Container Apps. Use"
        " ENTRA_CERTIFICATE or ENTRA_FEDERATED_TOKEN_FILE here."
    )


def identity_answer(identity: ManagedIdentity, cloud: Cloud) -> dict[str, Any]:
    """Return msal's answer with a token for Graph. Raises SignInFailed, Throttled or Unavailable.

    Which endpoint the machine has, msal reads from the environment of the process.
    """
    source = managed_identity.get_managed_identity_source()
    if source not in (managed_identity.APP_SERVICE, managed_identity.DEFAULT_TO_VM):
        raise IdentityUnsupported(call=CALL)
    wanted = msal.SystemAssignedManagedIdentity()
    if identity.client_id is not None:
        wanted = msal.UserAssignedManagedIdentity(client_id=identity.client_id)
    # The endpoint is on the machine itself: never through a proxy.
    with httpx.Client(timeout=TIMEOUT, headers=UNCOMPRESSED, trust_env=False) as http:
        client = msal.ManagedIdentityClient(wanted, http_client=_Channel(http, cloud))
        answer: dict[str, Any] = client.acquire_token_for_client(resource=cloud.graph)
    return answer


class _Channel:
    """The HTTP client that msal is given. It raises our errors before msal sees a refusal."""

    def __init__(self, http: httpx.Client, cloud: Cloud) -> None:
        self._http = http
        self._cloud = cloud

    def get(self, url: str, **options: Any) -> httpx.Response:
        request = self._http.stream("GET", url, **options)
        response, body = exchange(request, call=CALL, unreachable=IdentityUnreachable)
        if response.status_code != HTTPStatus.OK or not isinstance(body, dict):
            wait = retry_after(response.headers)
            raise from_identity_answer(response.status_code, body, wait, self._cloud)
        answer = Answer(status=response.status_code, body=body, request_id=None, call=CALL)
        shape = _APP_SERVICE if _HEADER in options["headers"] else _IMDS
        told = {name: answer.read(shape)[name] for name in shape}
        return httpx.Response(HTTPStatus.OK, json=told)


def from_identity_answer(status: int, body: object, wait: float | None, cloud: Cloud) -> GraphError:
    """Return the error that a refusal means. Pure; of the answer only numbers are kept."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(status=status, call=CALL, retry_after=wait)
    if status in SETTLING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.OK:
        return IdentityUnavailable(status=status, call=CALL, retry_after=wait)
    told = body if isinstance(body, Mapping) else {}
    # What Entra has refused to the endpoint is passed on in its own words.
    numbers = [int(each) for each in _NUMBER.findall(str(told.get("error_description")))]
    if numbers:
        refusal = {"error_codes": numbers, "error": told.get("error")}
        error = from_token_answer(status, refusal, wait, cloud)
        error.call = CALL
        return error
    if status == HTTPStatus.BAD_REQUEST:
        return IdentityNotAssigned(status=status, call=CALL)
    return SignInFailed(
        status=status,
        call=CALL,
        sentence=f"The machine's managed identity endpoint refused the bot with status {status}.",
        advice=IdentityUnreachable.ADVICE,
    )


_NUMBER = re.compile(r"AADSTS(\d{4,9})\b")


def _number(value: object) -> bool:
    """Fit a whole number, which both forms write as text."""
    return bool(re.fullmatch(r"[0-9]{1,12}", str(value))) and not isinstance(value, bool)


_HEADER = "X-IDENTITY-HEADER"
_IMDS = {"access_token": filled, "expires_in": _number}
_APP_SERVICE = {"access_token": filled, "expires_on": _number}
"""App Service tells when the token ends, the metadata service in how many seconds."""
