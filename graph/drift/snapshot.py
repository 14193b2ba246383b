"""A registration's objects in the tenant, read in one `$batch`.

A part may be gone, or refused to the bot. Both are kept as they are, for graph/drift to judge. Any
other failure is raised.

Federated credentials are no property but a collection beside the application (its `$select` does
not give them, and whether `$expand` does on one application is not documented), so they are a read
of their own in the same batch: …/graph/api/application-list-federatedidentitycredentials.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graph.calls import Answer, Call, Json, Shape, filled, identifier, moment, selection
from graph.client import Client
from graph.errors import Forbidden, GraphError, NotFound
from graph.rights import may_see_scopes
from graph.step_context import GrantContext

APPLICATION, PRINCIPAL = "application", "service principal"
OWNERS, PRINCIPAL_OWNERS = "owners", "service principal's owners"
ROLES, SCOPES = "application permissions", "delegated permissions"
FEDERATED = "federated credentials"
STANDING = "service principal by client id"
"""Whichever one the application has now: ours, or another that stands in its place."""
BOT = "bot"

_PARTS_OF = {
    OWNERS: APPLICATION,
    FEDERATED: APPLICATION,
    PRINCIPAL_OWNERS: PRINCIPAL,
    ROLES: PRINCIPAL,
}
"""Parts that cannot be missing while their owner is there: then a replica lags."""

OWNS_ALL = "Application.ReadWrite.All"
"""With this right the caller does not become the owner of the objects that it creates."""

_SECRET = {"keyId": identifier, "displayName?": str, "endDateTime?": moment}
_KEY = {"displayName?": str, "endDateTime?": moment}
_PLATFORM = {"redirectUris?": [str]}
_IMPLICIT = {"enableAccessTokenIssuance?": bool, "enableIdTokenIssuance?": bool}
_API = {
    "oauth2PermissionScopes?": [{"id": str, "value?": str}],
    "preAuthorizedApplications?": [{"appId": str}],
}
_REQUIRED = {"resourceAppId": str, "resourceAccess": [{"id": str, "type": str}]}


def _many(of: Shape) -> Shape:
    return {"value": [of], "@odata.nextLink?": str}


SHAPES: Mapping[str, Shape] = {
    APPLICATION: {
        "displayName": str | None,
        "signInAudience": str | None,
        "isDisabled?": bool,
        "disabledByMicrosoftStatus?": str,
        "web?": {**_PLATFORM, "implicitGrantSettings?": _IMPLICIT},
        "spa?": _PLATFORM,
        "publicClient?": _PLATFORM,
        "isFallbackPublicClient?": bool,
        "identifierUris": [str],
        "appRoles": [{"id": str, "displayName?": str, "value?": str}],
        "api?": _API,
        "requiredResourceAccess": [_REQUIRED],
        "passwordCredentials": [_SECRET],
        "keyCredentials": [_KEY],
        "tags": [str],
        "notes": str | None,
        "serviceManagementReference": str | None,
    },
    PRINCIPAL: {
        "accountEnabled": bool,
        "isDisabled?": bool,
        "disabledByMicrosoftStatus?": str,
        "passwordCredentials": [_KEY],
        "keyCredentials": [_KEY],
    },
    OWNERS: _many({"id": identifier, "displayName?": str}),
    PRINCIPAL_OWNERS: _many({"id": identifier, "displayName?": str}),
    ROLES: _many({"appRoleId": str, "resourceId": str, "resourceDisplayName?": str}),
    SCOPES: _many({"resourceId": str, "consentType": str, "scope": str | None}),
    FEDERATED: _many(
        {
            "name": filled,
            "issuer": str,
            "subject?": str,
            "claimsMatchingExpression?": {"value?": str},
        }
    ),
    STANDING: {"id": identifier},
    BOT: {"id": identifier},
}
"""The compared properties of each part."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The parts that were read, those that are not there, and those that the bot may not read."""

    parts: Mapping[str, Json] = field(default_factory=dict)
    """By name: an object, or a collection with all its items in `value`."""
    gone: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    deleted_at: Mapping[str, str] = field(default_factory=dict)
    """When a part that is gone was deleted, if it can still be restored."""
    remade: str | None = None
    """The object id of a foreign service principal in place of ours. The parts that belong to a
    service principal are then of that one."""
    must_own: bool = True
    """Whether the bot has become the owner of the objects that it created."""

    def items(self, name: str) -> list[Json] | None:
        """Return a collection, or None if it was not read."""
        return self.parts[name]["value"] if name in self.parts else None


def reads(context: GrantContext) -> dict[str, Call]:
    """Return everything to look at. None of it needs a right that the bot's other work does not."""
    # Owners without `$select`: their type, directoryObject, declares no displayName.
    application = f"/applications/{context.fact('application', 'object_id')}"
    by_client_id = f"/servicePrincipals(appId='{context.fact('application', 'app_id')}')"
    return {
        APPLICATION: _get(APPLICATION, application),
        OWNERS: Call("GET", f"{application}/owners"),
        FEDERATED: Call("GET", f"{application}/federatedIdentityCredentials"),
        STANDING: _get(STANDING, by_client_id),
        BOT: _get(BOT, f"/servicePrincipals(appId='{context.bot_client_id}')"),
        **_of_principal(context.fact("service_principal", "object_id")),
    }


def _get(part: str, path: str) -> Call:
    return Call("GET", path, {"$select": selection(SHAPES[part])})


def _of_principal(id: str) -> dict[str, Call]:
    principal = f"/servicePrincipals/{id}"
    return {
        PRINCIPAL: _get(PRINCIPAL, principal),
        PRINCIPAL_OWNERS: Call("GET", f"{principal}/owners"),
        **grants_of(id),
    }


def grants_of(principal_id: str) -> dict[str, Call]:
    """Return the reads of what was granted to a service principal."""
    granted = {"$filter": f"clientId eq '{principal_id}'"}
    return {
        ROLES: Call("GET", f"/servicePrincipals/{principal_id}/appRoleAssignments"),
        SCOPES: Call("GET", "/oauth2PermissionGrants", granted),
    }


async def read(context: GrantContext) -> Snapshot:
    """Look at everything. Raises GraphError, Forbidden if the bot may see nothing at all."""
    sees_scopes = await context.graph.may(may_see_scopes)
    calls = reads(context)
    if not sees_scopes:
        del calls[SCOPES]
    answers = await context.graph.batch(calls)
    _believe(answers)
    remade = _remade(context, answers)
    if remade is not None:
        again = {part: it for part, it in _of_principal(remade).items() if part in calls}
        calls |= again
        answers |= await context.graph.batch(again)
        _believe(answers)
    refused = {name: it for name, it in answers.items() if isinstance(it, Forbidden)}
    if len(refused) == len(calls):
        raise refused[APPLICATION]
    gone = {name for name, it in answers.items() if isinstance(it, NotFound)}
    return Snapshot(
        parts={
            name: await whole(context.graph, calls[name], it, SHAPES[name])
            for name, it in answers.items()
            if isinstance(it, Answer)
        },
        gone=frozenset(gone),
        refused=frozenset(refused) | (frozenset() if sees_scopes else {SCOPES}),
        deleted_at=await _deleted_at(context, gone & {APPLICATION, PRINCIPAL}),
        remade=remade,
        must_own=OWNS_ALL not in await context.graph.roles(),
    )


def _believe(answers: Mapping[str, Answer | GraphError]) -> None:
    """Raise errors that are no findings: another failure, or a replica that lags."""
    for answer in answers.values():
        if isinstance(answer, GraphError) and not isinstance(answer, NotFound | Forbidden):
            raise answer
    for part, whole in _PARTS_OF.items():
        lost = answers[part]
        if isinstance(lost, NotFound) and not isinstance(answers[whole], NotFound):
            raise lost


def _remade(context: GrantContext, answers: Mapping[str, Answer | GraphError]) -> str | None:
    """Return the id of the service principal that stands where ours is gone, if there is one."""
    ours, standing = answers[PRINCIPAL], answers[STANDING]
    if not isinstance(ours, NotFound) or not isinstance(standing, Answer):
        return None
    id = str(standing.read(SHAPES[STANDING])["id"])
    if id == context.fact("service_principal", "object_id"):
        raise ours  # a replica lags: the same answer both shows and lacks it
    return id


async def whole(graph: Client, call: Call, answer: Answer, shape: Shape) -> Json:
    """Return the object, or the collection with the items of further pages."""
    body = answer.read(shape)
    if "@odata.nextLink" not in body:
        return body
    pages = graph.pages(call.path, of=shape["value"][0], query=call.query)
    return {"value": [each async for each in pages]}


async def _deleted_at(context: GrantContext, gone: set[str]) -> dict[str, str]:
    """Look into the bin, where Entra keeps deleted objects for 30 days."""
    if not gone:
        return {}
    ids = {
        APPLICATION: context.fact("application", "object_id"),
        PRINCIPAL: context.fact("service_principal", "object_id"),
    }
    bin = {name: Call("GET", f"/directory/deletedItems/{ids[name]}") for name in gone}
    found = await context.graph.batch(bin)
    return {
        name: str(answer.read({"deletedDateTime": moment})["deletedDateTime"])
        for name, answer in found.items()
        if isinstance(answer, Answer)
    }
