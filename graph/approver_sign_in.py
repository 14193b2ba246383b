"""Sign an approver in at the consent client, for one set of grants.

The consent client is an application of its own: authorization code with PKCE, no refresh token.
The other way to get a token there is in graph/device_sign_in.py; what it must show is the same.
msal makes state, verifier and nonce, and compares them; it checks nothing else of the ID token,
which comes straight from the token endpoint over TLS.

    SignInFailed
    ├── Cancelled        the approver, or Entra for them, broke it off
    ├── Unproven         the answer is not to the request that was sent
    ├── WrongTenant · WrongPerson
    ├── ContextMissing   the sign-in was not under the authentication context
    └── ScopesMissing    the consent client may not grant

learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow, …/id-token-claims-reference
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from graph.calls import Json, filled, misfit
from graph.client import Token, claims_of
from graph.clock import Clock
from graph.clouds import Cloud
from graph.connection import Access
from graph.errors import GraphError, SignInFailed
from graph.signin import TOKEN, SignIn
from graph.signin_errors import (
    CodeUnused,
    CredentialMissing,
    PersonNeeded,
    SecretExpired,
    SecretNotThereYet,
    SignInBlocked,
    from_token_answer,
)

SCOPES = (
    "Application.Read.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
"""The delegated permissions of the consent client."""
NUMBER = re.compile(r"AADSTS(\d{4,8})\b", re.ASCII)
DECLINED = 65004
"""The number with which Entra says that the user has pressed Cancel."""
FOR_PEOPLE = frozenset(f"AADSTS{it}" for it in (50105, 53000, 53001, 53002, 50005, 50097))
"""Refusals by a policy with advice for the user who signs in; that of others is for the bot."""
LOGS = "The consent client's sign-in logs in the Entra admin centre say why."
RENEW = "Ask this bot's administrators to renew CONSENT_CLIENT_SECRET."
LONGEST_NAME = 120


class Cancelled(SignInFailed):
    TEXT = "The sign-in was cancelled."
    ADVICE = ""


class Unproven(SignInFailed):
    TEXT = "Entra's answer does not belong to the sign-in that this bot began."
    ADVICE = ""


class WrongTenant(SignInFailed):
    TEXT = "The account that signed in belongs to another tenant."
    ADVICE = "Sign in with your account of this tenant."


class WrongPerson(SignInFailed):
    TEXT = (
        "The account that signed in is not the one that belongs to this approver in"
        " APPROVER_IDENTITIES."
    )
    ADVICE = "Sign in with your own account."


class ContextMissing(SignInFailed):
    TEXT = "The sign-in was not under the authentication context that CONSENT_AUTH_CONTEXT names."
    ADVICE = (
        "A Conditional Access policy must require something for that context, and not exclude this"
        " account or the consent client."
    )


class ScopesMissing(SignInFailed):
    TEXT = "The consent client lacks a delegated permission that it needs to grant."
    ADVICE = "An administrator grants it on the consent client's API permissions page: SETUP.md."


@dataclass(frozen=True, kw_only=True)
class ConsentClient:
    """The application at which approvers sign in, and what their sign-in must show."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    auth_context: str | None
    """An authentication context of Conditional Access, c1 to c99."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A sign-in that has begun: where the browser goes, and what is kept until it comes back."""

    uri: str = field(repr=False)
    state: str = field(repr=False)
    flow: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """An approver who has signed in. The token is for the grants, and is then dropped."""

    token: Token
    name: str
    """As the tenant names the account, for people."""


@dataclass(frozen=True, kw_only=True)
class ApproverSignIn:
    """Begin and end sign-ins at the consent client."""

    sign_in: SignIn
    consent_client: ConsentClient
    access: Access
    clock: Clock

    async def begin(self) -> Begun:
        """Return a new request. Raises GraphError."""
        return await asyncio.to_thread(self._begin)

    async def redeem(self, flow: Json, form: Mapping[str, str], *, object_id: str) -> SignedIn:
        """Return who signed in, who must be the user of that object id. `form` is what the browser
        has brought back from Entra. Raises GraphError.
        """
        if "error" in form:
            raise refusal_of(form, self.access.cloud)
        return self.signed_in(await asyncio.to_thread(self._redeem, flow, form), object_id)

    def signed_in(self, answer: Json, object_id: str) -> SignedIn:
        """Return who signed in, if the answer shows what it must. Raises GraphError."""
        claims = claims_of(answer["id_token"]) or {}
        self._check(claims, object_id)
        granted = {each.rpartition("/")[2] for each in answer["scope"].split()}
        if lacking := sorted({*SCOPES} - granted):
            sentence = f"{ScopesMissing.TEXT} Missing: {', '.join(lacking)}."
            raise ScopesMissing(sentence=sentence)
        lifetime = timedelta(seconds=answer["expires_in"])
        token = Token(
            access=answer["access_token"],
            roles=frozenset(),
            expires_at=self.clock.now() + lifetime,
            tenant_id=self.access.tenant_id,
            lifetime=lifetime,
        )
        return SignedIn(token=token, name=_name_of(claims))

    def _begin(self) -> Begun:
        flow: Json = self._msal().initiate_auth_code_flow(
            **self.wanted(),
            redirect_uri=self.consent_client.redirect_uri,
            response_mode="form_post",  # a query would leave the code in the proxy's log
            prompt="select_account",  # administrators have several, and nothing happens unasked
        )
        uri = str(flow.pop("auth_uri"))
        if urlsplit(uri)[:2] != ("https", urlsplit(self.access.authority).netloc):
            raise Unproven(sentence="Entra's sign-in page is not where it should be.")
        return Begun(uri=uri, state=flow["state"], flow=flow)

    def wanted(self) -> dict[str, Any]:
        """Return the parameters that are the same for each way to sign in."""
        context = self.consent_client.auth_context
        acrs = {"id_token": {"acrs": {"essential": True, "value": context}}}
        return {
            "scopes": [f"{self.access.cloud.graph}/{scope}" for scope in SCOPES],
            "claims_challenge": json.dumps(acrs) if context else None,
        }

    def _redeem(self, flow: Json, form: Mapping[str, str]) -> Json:
        brought = {"code": form.get("code", ""), "state": form.get("state", "")}
        with told_to_approver():
            answer: Json = self._msal().acquire_token_by_auth_code_flow(dict(flow), brought)
        return answer

    def _msal(self) -> Any:
        return self.client(self.consent_client.client_secret, ANSWER)

    def client(self, secret: str | None, shape: Json) -> Any:
        """Return the consent client as one of msal's; without a secret it is a public one."""
        id, unwanted = self.consent_client.client_id, ["offline_access"]
        return self.sign_in.client(id, secret, shape=shape, exclude_scopes=unwanted)

    def _check(self, claims: Json, object_id: str) -> None:
        """Raise unless these are the claims of that user's sign-in, of this tenant and client."""
        client = self.consent_client
        if misfit(claims, _CLAIMS) or claims["aud"] != client.client_id:
            raise Unproven
        if claims["tid"] != self.access.tenant_id:
            raise WrongTenant
        if claims["oid"] != object_id:
            raise WrongPerson
        if client.auth_context and client.auth_context not in (claims.get("acrs") or ()):
            raise ContextMissing


def refusal_of(form: Mapping[str, str], cloud: Cloud) -> GraphError:
    """Return the error that Entra has sent back with the browser. Pure.

    Of its description, which anybody could have written, only the number is kept.
    """
    found = NUMBER.match(form.get("error_description", ""))
    number = int(found[1]) if found else 0
    is_denied = form["error"] == "access_denied" and number in (0, DECLINED)
    if is_denied or form.get("error_subcode") == "cancel":
        return Cancelled()
    told = {"error": form["error"], "error_codes": [number] if number else []}
    error = from_token_answer(HTTPStatus.BAD_REQUEST, told, None, cloud)
    _advise_approver(error)
    return error


@contextmanager
def told_to_approver(*, otherwise: str = Unproven.TEXT) -> Iterator[None]:
    """Raise errors of the token endpoint in words for an approver, and Unproven for msal's own."""
    try:
        yield
    except (ValueError, RuntimeError, KeyError):  # their texts quote state and nonce
        raise Unproven(sentence=otherwise) from None
    except SignInFailed as error:
        if not isinstance(error, SignInBlocked | PersonNeeded | CodeUnused):
            error.sentence = f"The consent client itself could not sign in. {error.sentence}"
        _advise_approver(error)
        raise error from None


def _advise_approver(error: GraphError) -> None:
    """Replace advice that is for those who run the bot."""
    if isinstance(error, SignInBlocked) and error.code not in FOR_PEOPLE:
        error.advice = LOGS
    elif isinstance(error, PersonNeeded):
        error.advice = ""
    elif isinstance(error, SecretExpired | SecretNotThereYet | CredentialMissing):
        error.advice = RENEW


def _id_token(value: object) -> bool:
    return filled(value) and claims_of(str(value)) is not None


def _name_of(claims: Json) -> str:
    """Return a name for people on one line. It proves nothing: accounts choose theirs."""
    said = next((claims[it] for it in ("name", "preferred_username") if claims.get(it)), "")
    seen = "".join(each if each.isprintable() else " " for each in said)
    return " ".join(seen.split())[:LONGEST_NAME] or "an account without a name"


ANSWER = {**TOKEN, "id_token": _id_token, "scope": str}
_CLAIMS = {
    "aud": str,
    "tid": str,
    "oid": str,
    "acrs?": [str],
    "name?": str,
    "preferred_username?": str,
}
