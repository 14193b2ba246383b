"""The consent stage: one grant for each application permission, one for all delegated ones.

In some consent modes an administrator makes them, and the bot only looks (graph/consent.py), or
makes them with the token of an approver who signs in (`grant_for`). In the limited one Entra lets
the bot make those of a policy (graph/consent_policy.py), and remove none.

The grants go out together. Entra may refuse writes to one object at the same time, so a grant that
has collided is tried again under a lock. A grant that is there already is a success.
"""

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from graph.calls import Json, identifier
from graph.consent_policy import POLICY_ID
from graph.errors import AlreadyThere, Conflict, Forbidden, NotThereYet, PolicyForbids
from graph.permissions import Permission
from graph.plan import Plan
from graph.rights import GIVEN_BY_PEOPLE, ConsentMode
from graph.step_context import Act, Facts, GrantContext, Step, StepContext

T = TypeVar("T")

SCOPES_STEP = "scopes"
"""The name of the step that grants all delegated permissions."""

_GRANT = {"id": identifier, "scope": str | None}


def grants(plan: Plan) -> list[Step]:
    """Return the steps by which the permissions of the plan are granted."""
    steps = [_role(permission) for permission in plan.roles]
    if plan.scopes:
        steps.append(_scopes(plan))
    if plan.consent_mode in GIVEN_BY_PEOPLE:
        return [each._replace(do=_wait, undo=_leave, is_awaited=True) for each in steps]
    if plan.consent_mode == ConsentMode.LIMITED:
        return [each._replace(do=partial(_within_policy, each.do), undo=_leave) for each in steps]
    return steps


async def _within_policy(grant: Act, context: StepContext) -> Facts:
    """Make a grant that Entra allows by a policy. Raises PolicyForbids if it has changed."""
    try:
        return await grant(context)
    except Forbidden as refused:
        if refused.call.startswith("GET"):
            raise
        raise refused.meaning(
            PolicyForbids,
            sentence=f"Entra refused a grant that the catalogue allows: the app consent policy"
            f" “{POLICY_ID}” or the bot's directory role does not allow it (any more).",
            advice="Ask this bot's administrators to run aad-setup doctor, and to set up the policy"
            " as aad-setup consent-policy prints it. Then retry.",
        ) from None


async def grant_for(context: GrantContext, missing: AbstractSet[Permission]) -> None:
    """Make these grants of the plan, with the token of the context's client.

    Raises the first GraphError once all have ended.
    """
    plan = context.plan
    todo = [_grant_role(each, context) for each in plan.roles if each in missing]
    if missing & set(plan.scopes):
        todo.append(_grant_scopes(context))
    for ended in await asyncio.gather(*todo, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


async def _wait(_: StepContext) -> Facts:
    raise Forbidden(sentence="An administrator has not granted this yet.")


async def _leave(_: StepContext) -> None:
    """Remove nothing: a grant that the bot may not remove goes with the service principal."""


def role_step(permission: Permission) -> str:
    """Return the name of the step that grants an application permission."""
    return f"role:{permission.name}"


def _role(permission: Permission) -> Step:
    name = permission.name
    do, undo = partial(_grant_role, permission), partial(_revoke, partial(_revoke_role, permission))
    title, creates = f"Grant {name}", f"the grant of {name}"
    return Step(role_step(permission), title, do, undo, creates=creates, lasting=True)


def _scopes(plan: Plan) -> Step:
    names = ", ".join(permission.name for permission in plan.scopes)
    undo = partial(_revoke, _revoke_scopes)
    title, creates = f"Grant {names} (delegated)", f"the delegated grant of {names}"
    return Step(SCOPES_STEP, title, _grant_scopes, undo, creates=creates, lasting=True)


async def _grant_role(permission: Permission, context: GrantContext) -> Facts:
    """Grant a role: learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto"""
    path = f"/servicePrincipals/{context.plan.resource_id}/appRoleAssignedTo"
    grant = {
        "principalId": _principal_id(context),
        "resourceId": context.plan.resource_id,
        "appRoleId": permission.id,
    }
    with suppress(AlreadyThere):
        await _in_turn(context, lambda: context.graph.send("POST", path, body=grant))
    return {"granted_at": context.now()}


async def _grant_scopes(context: GrantContext) -> Facts:
    """Grant all scopes: learn.microsoft.com/graph/api/oauth2permissiongrant-post"""
    names = [permission.name for permission in context.plan.scopes]
    path = "/oauth2PermissionGrants"
    grant = {
        "clientId": _principal_id(context),
        "consentType": "AllPrincipals",
        "resourceId": context.plan.resource_id,
        "scope": " ".join(names),
    }
    try:
        await _in_turn(context, lambda: context.graph.send("POST", path, body=grant))
    except AlreadyThere:  # by an attempt whose answer was lost, perhaps a moment ago
        await _in_turn(context, lambda: _widen(context, names), written=context.clock.now())
    return {"granted_at": context.now()}


async def _widen(context: GrantContext, names: list[str]) -> None:
    """Add the missing scopes to the existing grant."""
    found = await _scope_grant(context)
    if found is None:
        raise NotThereYet(call="GET /oauth2PermissionGrants")
    held = (found["scope"] or "").split()
    if lacking := [name for name in names if name not in held]:
        path = f"/oauth2PermissionGrants/{found['id']}"
        await context.graph.send("PATCH", path, body={"scope": " ".join([*held, *lacking])})


async def _scope_grant(context: GrantContext) -> Json | None:
    principal, resource = _principal_id(context), context.plan.resource_id
    ours = f"clientId eq '{principal}' and resourceId eq '{resource}'"
    query = {"$filter": f"{ours} and consentType eq 'AllPrincipals'"}
    answer = await context.graph.send("GET", "/oauth2PermissionGrants", query=query)
    return next(iter(answer.read({"value": [_GRANT]})["value"]), None)


async def _revoke_role(permission: Permission, context: StepContext) -> None:
    held = f"/servicePrincipals/{_principal_id(context)}/appRoleAssignments"
    granted = f"/servicePrincipals/{context.plan.resource_id}/appRoleAssignedTo"
    async for grant in context.graph.pages(held, of={"id": identifier, "appRoleId": str}):
        if grant["appRoleId"] == permission.id:
            await context.graph.send("DELETE", f"{granted}/{grant['id']}")


async def _revoke_scopes(context: StepContext) -> None:
    found = await _scope_grant(context)
    if found is not None:
        await context.graph.send("DELETE", f"/oauth2PermissionGrants/{found['id']}")


async def _revoke(act: Callable[[StepContext], Awaitable[None]], context: StepContext) -> None:
    """Remove a grant. One that the bot may not remove goes with the service principal, and so does
    one that Entra does not know yet.
    """
    if "service_principal" in context.facts:
        with suppress(NotThereYet, Forbidden):
            await context.retry_while_young(partial(act, context), created_at=None)


async def _in_turn(
    context: GrantContext, act: Callable[[], Awaitable[T]], *, written: datetime | None = None
) -> T:
    """Do `act` beside the other grants; once it has collided, one after another."""
    collided = False

    async def once() -> T:
        nonlocal collided
        try:
            async with context.one_at_a_time if collided else nullcontext():
                return await act()
        except Conflict:
            collided = True
            raise

    return await context.retry_while_young(once, created_at=written or context.written())


def _principal_id(context: GrantContext) -> str:
    return context.fact("service_principal", "object_id")
