"""The consent stage: one grant for each application permission, one for all delegated ones.

The grants go out together. Entra may refuse writes to one object at the same time, so a grant that
has collided is tried again under a lock. A grant that is there already is a success.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from graph.client import Json
from graph.errors import AlreadyThere, Conflict, Forbidden, NotThereYet
from graph.permissions import Permission
from graph.plan import Plan
from graph.shapes import identifier
from graph.step_context import Facts, Step, StepContext

T = TypeVar("T")

_GRANT = {"id": identifier, "scope": str | None}


def grants(plan: Plan) -> list[Step]:
    """Return the steps by which the bot itself grants what the plan names."""
    steps = [_role(permission) for permission in plan.roles]
    return [*steps, _scopes(plan)] if plan.scopes else steps


def _role(permission: Permission) -> Step:
    async def do(site: StepContext) -> Facts:
        return await _grant_role(site, permission)

    async def undo(site: StepContext) -> None:
        await _revoke(site, lambda: _revoke_role(site, permission))

    return Step(f"role:{permission.name}", f"Grant {permission.name}", do, undo, lasting=True)


def _scopes(plan: Plan) -> Step:
    async def undo(site: StepContext) -> None:
        await _revoke(site, lambda: _revoke_scopes(site))

    names = ", ".join(permission.name for permission in plan.scopes)
    return Step("scopes", f"Grant {names} (delegated)", _grant_scopes, undo, lasting=True)


async def _grant_role(site: StepContext, permission: Permission) -> Facts:
    """learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto"""

    async def grant() -> None:
        await site.graph.send(
            "POST",
            f"/servicePrincipals/{site.plan.resource_id}/appRoleAssignedTo",
            body={
                "principalId": _principal_id(site),
                "resourceId": site.plan.resource_id,
                "appRoleId": permission.id,
            },
        )

    with suppress(AlreadyThere):
        await _in_turn(site, grant)
    return {"granted_at": site.now()}


async def _grant_scopes(site: StepContext) -> Facts:
    """learn.microsoft.com/graph/api/oauth2permissiongrant-post"""
    names = [permission.name for permission in site.plan.scopes]

    async def grant() -> None:
        await site.graph.send(
            "POST",
            "/oauth2PermissionGrants",
            body={
                "clientId": _principal_id(site),
                "consentType": "AllPrincipals",
                "resourceId": site.plan.resource_id,
                "scope": " ".join(names),
            },
        )

    try:
        await _in_turn(site, grant)
    except AlreadyThere:  # by an attempt whose answer was lost, perhaps a moment ago
        await _in_turn(site, lambda: _widen(site, names), written=site.clock.now())
    return {"granted_at": site.now()}


async def _widen(site: StepContext, names: list[str]) -> None:
    """Add what is lacking to the grant that is there."""
    found = await _scope_grant(site)
    if found is None:
        raise NotThereYet(call="GET /oauth2PermissionGrants")
    held = (found["scope"] or "").split()
    if lacking := [name for name in names if name not in held]:
        path = f"/oauth2PermissionGrants/{found['id']}"
        await site.graph.send("PATCH", path, body={"scope": " ".join([*held, *lacking])})


async def _scope_grant(site: StepContext) -> Json | None:
    answer = await site.graph.send(
        "GET",
        "/oauth2PermissionGrants",
        query={
            "$filter": f"clientId eq '{_principal_id(site)}'"
            f" and resourceId eq '{site.plan.resource_id}' and consentType eq 'AllPrincipals'"
        },
    )
    return next(iter(answer.read({"value": [_GRANT]})["value"]), None)


async def _revoke_role(site: StepContext, permission: Permission) -> None:
    held = f"/servicePrincipals/{_principal_id(site)}/appRoleAssignments"
    async for grant in site.graph.pages(held, of={"id": identifier, "appRoleId": str}):
        if grant["appRoleId"] == permission.id:
            await site.graph.send(
                "DELETE",
                f"/servicePrincipals/{site.plan.resource_id}/appRoleAssignedTo/{grant['id']}",
            )


async def _revoke_scopes(site: StepContext) -> None:
    found = await _scope_grant(site)
    if found is not None:
        await site.graph.send("DELETE", f"/oauth2PermissionGrants/{found['id']}")


async def _revoke(site: StepContext, act: Callable[[], Awaitable[None]]) -> None:
    """Remove a grant. What the bot may not remove goes with the service principal, and so does
    what Entra does not know yet.
    """
    if "service_principal" in site.facts:
        with suppress(NotThereYet, Forbidden):
            await site.while_young(act, created_at=None)


async def _in_turn(
    site: StepContext, act: Callable[[], Awaitable[T]], *, written: datetime | None = None
) -> T:
    """Do `act` beside the other grants; once it has collided, one after another."""
    collided = False

    async def once() -> T:
        nonlocal collided
        try:
            if not collided:
                return await act()
            async with site.one_at_a_time:
                return await act()
        except Conflict:
            collided = True
            raise

    return await site.settle(once, written=written)


def _principal_id(site: StepContext) -> str:
    id: str = site.fact("service_principal", "object_id")
    return id
