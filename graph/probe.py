"""A proof of what Entra lets the bot grant: a probe application that is made, tried and removed.

It has no secret, so that its grants cannot be used, and it is made, granted and removed by
the steps of registrations. It carries this installation's tags: one that a crash leaves is found
like every other orphan.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from graph.application import (
    APPLICATION,
    SERVICE_PRINCIPAL,
    remove_from_tenant,
    unregister,
)
from graph.clock import Clock
from graph.connection import Connection
from graph.errors import GraphError, PolicyForbids
from graph.grants import grants
from graph.permissions import Kind, Permission
from graph.plan import Plan, tags
from graph.rights import ConsentMode
from graph.step_context import Facts, StepContext

PROBE = "probe"
"""What stands in the tags in the place of a registration's id."""

FORBIDDEN = {
    kind: Permission(name="Application.Read.All", kind=kind, id=id, meaning="reads applications")
    for kind, id in (
        (Kind.ROLE, "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
        (Kind.SCOPE, "c79f8feb-a9db-4090-85f9-90d820caa0eb"),
    )
}
"""Permissions that no catalogue holds and that only read, if they are granted after all."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A grant that was tried."""

    permission: Permission
    is_granted: bool


class ProbeLeft(Exception):
    """The probe could not be removed."""

    def __init__(self, key: str, error: GraphError) -> None:
        self.key, self.error = key, error
        super().__init__(key)


@dataclass
class _Memory:
    """The journal of a probe, which makes no secret."""

    clock: Clock
    intended: dict[str, datetime] = field(default_factory=dict)

    async def record_intent(self, step: str) -> bool:
        was_there = step in self.intended
        self.intended.setdefault(step, self.clock.now())
        return was_there

    async def last_intent(self, step: str) -> datetime | None:
        return self.intended.get(step)

    async def clear_intent(self, step: str) -> None:
        self.intended.pop(step, None)

    async def adopt(self, step: str, new_facts: Facts) -> None:
        """Nothing is stored: what is adopted is removed at once."""

    async def _seal_nothing(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    attempt = seal = unseal = _seal_nothing


async def context_of(
    tenant: Connection, clock: Clock, *, client_id: str, installation: str, nonce: str
) -> StepContext:
    """Return the context of a probe. `nonce` makes its key. Raises GraphError."""
    organization = await tenant.tenant_cache.organization()
    resource = await tenant.tenant_cache.resource()
    plan = Plan(
        registration=PROBE,
        key=f"aad-setup-{installation}-{nonce}",
        installation=installation,
        profile=PROBE,
        profile_digest="",
        name="aad-setup probe",
        redirect=None,
        secret_name="",
        consent_mode=ConsentMode.LIMITED,
        tenant_id=organization.id,
        tenant_name=organization.name,
        domain=organization.domain,
        resource_id=resource.id,
        notes="Made by aad-setup doctor --live, which removes it at once.",
        tags=tags(installation, PROBE),
        roles=(),
        scopes=(),
        secret_days=0,
        secret_limited_by="profile",  # noqa: S106 - whose word decides
        warnings=(),
    )
    return StepContext(
        graph=tenant.graph,
        plan=plan,
        facts={},
        clock=clock,
        journal=_Memory(clock),
        sign_in=tenant.sign_in,
        bot_client_id=client_id,
    )


async def prove(context: StepContext, permissions: Iterable[Permission]) -> list[Trial]:
    """Make the probe, try to grant it each permission, and remove it, whatever happens.

    Raises GraphError, and ProbeLeft if it could not be removed.
    """
    made: dict[str, Facts] = {}
    try:
        await _to_its_end(_make(context, made))
        here = replace(context, facts=made)
        return [await _tried(here, each) for each in permissions]
    finally:
        await _to_its_end(_remove(replace(context, facts=made)))


async def _make(context: StepContext, made: dict[str, Facts]) -> None:
    for step in (APPLICATION, SERVICE_PRINCIPAL):
        made[step.name] = await step.do(replace(context, facts=made))


async def _tried(context: StepContext, permission: Permission) -> Trial:
    is_role = permission.kind is Kind.ROLE
    roles, scopes = ((permission,), ()) if is_role else ((), (permission,))
    plan = replace(context.plan, roles=roles, scopes=scopes)
    [step] = grants(plan)
    try:
        await step.do(replace(context, plan=plan))
    except PolicyForbids:
        return Trial(permission=permission, is_granted=False)
    return Trial(permission=permission, is_granted=True)


async def _remove(context: StepContext) -> None:
    with suppress(GraphError):  # the application takes it along
        await remove_from_tenant(context)
    try:
        await unregister(context)
    except GraphError as error:
        raise ProbeLeft(context.plan.key, error) from None


async def _to_its_end(doing: Coroutine[Any, Any, None]) -> None:
    """Do it to its end however often this is cancelled, and raise its error rather than that.

    For a quarter of an hour it is unknown whether a call that was broken off has made something.
    """
    task, is_cancelled = asyncio.create_task(doing), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError
