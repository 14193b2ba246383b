"""The first two steps: the application and its service principal.

Both are upserts by a key that was stored before the call, so a second attempt finds the object of
the first. An upsert must never take over a foreign application: 204 means “it was there”, and
only our own earlier attempt may have put it there.
learn.microsoft.com/graph/api/application-upsert, …/serviceprincipal-upsert
"""

from contextlib import suppress
from functools import partial
from http import HTTPStatus

from graph.calls import Json, identifier
from graph.errors import (
    AlreadyThere,
    Conflict,
    GraphError,
    NotFound,
    NotOurs,
    NotThereYet,
    Unavailable,
)
from graph.permissions import MICROSOFT_GRAPH, Permission
from graph.removal import is_gone, unless_gone
from graph.step_context import Facts, GrantContext, Step, StepContext

CREATE = {"Prefer": "create-if-missing"}
_MADE = {"id": identifier, "appId": identifier}
_STORED = {"appId": identifier, "uniqueName?": str}


CHANGED = "The bot's database names an object in Entra that this registration has not made."
NOTHING_DONE = "Nothing was done to it. Tell this bot's administrators: its database was changed."

LONGEST_NOTES = 1024
"""Not documented for `notes`: the limit of `description`, to be on the safe side."""


async def register(context: StepContext) -> Facts:
    """Make the application. Learns its `object_id` and `app_id`, and `created_at`.

    Raises NotOurs if the key is there already and not by this registration, else GraphError.
    """
    tried = await context.journal.record_intent("application")

    async def upsert() -> Facts | None:
        """Return the new application, or None if Entra knew the key."""
        nonlocal tried
        try:
            path, body = _by_key(context), _application(context)
            answer = await context.graph.send("PATCH", path, body=body, headers=CREATE)
        except AlreadyThere as error:
            # Entra knows the key although this replica does not.
            tried = tried or error.tries > 1
            return None
        except GraphError as error:
            tried = tried or _may_have_written(error)
            raise
        if answer.status == HTTPStatus.CREATED:
            tried = True  # whatever else is wrong with the answer
            return _known(context, answer.read(_MADE))
        tried = tried or answer.tries > 1
        return None

    try:
        made = await context.retry_until_replicated(upsert)
    except GraphError:
        if not tried:  # Entra refused: an undo has nothing to look for
            await context.journal.clear_intent("application")
        raise
    return made or await _adopt(context, tried_before=tried)


def _may_have_written(error: GraphError) -> bool:
    return error.tries > 1 or isinstance(error, Unavailable | Conflict | NotThereYet)


async def add_to_tenant(context: StepContext) -> Facts:
    """Make the service principal. Learns its `object_id`, and `created_at`. Raises GraphError."""

    async def upsert() -> Json | None:
        """Return the new service principal, or None if Entra has it."""
        try:
            path, body = _principal(context), {"displayName": context.plan.name}
            answer = await context.graph.send("PATCH", path, body=body, headers=CREATE)
        except AlreadyThere:
            return None
        return answer.read(_MADE) if answer.status == HTTPStatus.CREATED else None

    made = await context.retry_until_replicated(upsert)
    if made is None:  # by an attempt whose answer was lost, perhaps a moment ago
        find = partial(context.graph.get, _principal(context), {"id": identifier})
        made = await context.retry_while_young(find, created_at=context.clock.now())
    return {"object_id": made["id"], "created_at": context.now()}


async def remove_from_tenant(context: StepContext) -> Facts | None:
    """Delete the service principal, and with it its grants.

    One that Entra does not know is not waited for: deleting the application takes it along.
    """
    if "service_principal" in context.facts:
        object_id = context.fact("service_principal", "object_id")
        created_at = context.created_at("service_principal")
        try:
            await _delete_principal(context, f"/servicePrincipals/{object_id}")
            was_there = True
        except NotThereYet:
            was_there = not await is_gone(context, object_id, created_at=created_at)
        return _deleted_facts(object_id, context.fact("application", "app_id"), was_there)
    if "application" in context.facts:  # whose step never ended
        with suppress(NotThereYet):
            await _delete_principal(context, _principal(context))
    return None


async def _delete_principal(context: StepContext, path: str) -> None:
    await context.retry_while_young(lambda: context.graph.send("DELETE", path), created_at=None)


async def unregister(context: StepContext) -> Facts | None:
    """Delete the application; Entra keeps it for 30 days. An unknown one is looked for by key.

    Raises NotOurs if there is one under the key that no attempt of this registration has made.
    """
    if "application" in context.facts:
        known, created_at = context.facts["application"], context.created_at("application")
    elif found := await _find_unrecorded(context):
        known, created_at = found, context.clock.now()  # at the latest
    else:
        return None
    object_id = known["object_id"]
    delete = partial(context.graph.send, "DELETE", f"/applications/{object_id}")
    deleted = await unless_gone(context, object_id, delete, created_at=created_at)
    return _deleted_facts(object_id, known["app_id"], deleted is not None)


async def _find_unrecorded(context: StepContext) -> Facts | None:
    """Look for the object of an attempt whose answer was lost, and store its ids.

    After a crash it is then known by its id, and Entra can be asked whether it is deleted.
    """
    intended = await context.journal.last_intent("application")
    try:
        # A new object is not visible at once.
        found = await context.retry_while_young(lambda: _find(context), created_at=intended)
    except NotThereYet:  # and by now it would be
        return None
    if intended is None or not _is_ours(context, found):
        raise NotOurs(call="GET /applications")
    known = _known(context, found)
    await context.journal.adopt("application", known)
    return known


async def check_is_ours(context: GrantContext) -> None:
    """Check that the stored ids are of objects of this registration before they are changed: with
    access to the database any id can be stored. An id that Entra does not know passes.

    Raises NotOurs. `uniqueName` cannot be changed, and the approved plan names it.
    """
    app_id = context.facts.get("application", {}).get("app_id")
    wanted = {"appId": app_id, "uniqueName": context.plan.key}
    await _check_stored(context, "application", "/applications", wanted)
    await _check_stored(context, "service_principal", "/servicePrincipals", {"appId": app_id})


async def _check_stored(context: GrantContext, step: str, collection: str, wanted: Json) -> None:
    if step not in context.facts:
        return
    path = f"{collection}/{context.fact(step, 'object_id')}"
    with suppress(NotFound):
        shape = {name: of for name, of in _STORED.items() if name.removesuffix("?") in wanted}
        found = await context.graph.get(path, shape)
        if {name: found.get(name) for name in wanted} != wanted:
            raise NotOurs(call=f"GET {collection}/…", sentence=CHANGED, advice=NOTHING_DONE)


def _deleted_facts(object_id: str, app_id: str, was_there: bool) -> Facts:
    return {"object_id": object_id, "app_id": app_id, "was_there": was_there}


async def _adopt(context: StepContext, *, tried_before: bool) -> Facts:
    if not tried_before:
        # Else a retry would take this very attempt for the one that made the application.
        await context.journal.clear_intent("application")
        raise NotOurs(call="PATCH /applications")
    found = await context.retry_until_replicated(lambda: _find(context))
    if not _is_ours(context, found):
        raise NotOurs(call="PATCH /applications")
    return _known(context, found)


def _known(context: StepContext, application: Json) -> Facts:
    return {
        "object_id": application["id"],
        "app_id": application["appId"],
        "created_at": context.now(),
    }


async def _find(context: StepContext) -> Json:
    shape = {**_MADE, "tags": [str], "createdByAppId?": str}
    return await context.graph.get(_by_key(context), shape)


def _is_ours(context: StepContext, found: Json) -> bool:
    creator = found.get("createdByAppId") or ""
    is_by_us = creator.casefold() == context.bot_client_id.casefold()
    return set(context.plan.tags) <= set(found["tags"]) and is_by_us


def _application(context: StepContext) -> Json:
    plan = context.plan
    body: Json = {
        "displayName": plan.name,
        # Never left out: the documented default and Graph's examples disagree.
        "signInAudience": "AzureADMyOrg",
        "notes": _notes(context),
        "tags": list(plan.tags),
        "serviceManagementReference": plan.registration,
        "requiredResourceAccess": _access([*plan.roles, *plan.scopes]),
    }
    if plan.redirect is not None:
        body["web"] = {"redirectUris": [plan.redirect]}
    return body


def _notes(context: StepContext) -> str:
    if not context.approved_by:
        return context.plan.notes[:LONGEST_NOTES]
    # The approvers come before the requester's text, which may say anything.
    return f"Approved by {context.approved_by}. {context.plan.notes}"[:LONGEST_NOTES]


def _access(permissions: list[Permission]) -> list[Json]:
    """Declare exactly the granted permissions: the portal's consent page revokes all others."""
    wanted = [{"id": each.id, "type": each.kind.value} for each in permissions]
    return [{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": wanted}] if wanted else []


def _by_key(context: StepContext) -> str:
    return f"/applications(uniqueName='{context.plan.key}')"


def _principal(context: StepContext) -> str:
    return f"/servicePrincipals(appId='{context.fact('application', 'app_id')}')"


APPLICATION = Step(
    "application", "Register the application", register, unregister, "the application", lasting=True
)

SERVICE_PRINCIPAL = Step(
    "service_principal",
    "Add it to the tenant (service principal)",
    add_to_tenant,
    remove_from_tenant,
    creates="the service principal",
    lasting=True,
)
