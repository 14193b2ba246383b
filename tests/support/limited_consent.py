"""CONSENT_MODE=limited: a bot, and the policy and role that an administrator sets up for it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from bot.domain.catalogue import permissions_of, read_catalogue
from bot.playground.tenant import Credential, Tenant
from graph import consent_policy
from graph.permissions import Permission
from graph.rights import ConsentMode, rights
from tests.support.graph_caller import Asking, asking
from tests.support.settings_env import signing_in_as

CATALOGUE = permissions_of(read_catalogue())
HELD = rights(ConsentMode.LIMITED)


@asynccontextmanager
async def role_administrator(tenant: Tenant) -> AsyncIterator[Asking]:
    """A Privileged Role Administrator at work."""
    who = tenant.add_administrator(consent_policy.SET_UP_RIGHTS)
    async with asking(tenant, who) as admin:
        yield admin


async def limited_bot(
    tenant: Tenant,
    *more: str,
    without: Collection[str] = (),
    permissions: Collection[Permission] = CATALOGUE,
) -> dict[str, str]:
    """Set up the policy and the role, and return the settings of a bot that holds it.

    `more` are rights that the bot holds besides those of its mode.
    """
    bot = tenant.add_administrator((HELD - frozenset(without)) | frozenset(more))
    await set_up(tenant, bot, permissions)
    return signing_in_as(bot, consent_mode="limited")


async def set_up(
    tenant: Tenant, bot: Credential, permissions: Collection[Permission] = CATALOGUE
) -> None:
    """Make the policy and the role, and assign the role to this bot."""
    async with role_administrator(tenant) as admin:
        await assign(admin, bot, await _role(admin, permissions))


async def set_up_for(tenant: Tenant, user_id: str) -> None:
    """Make the policy and the role, and assign the role to a user."""
    async with role_administrator(tenant) as admin:
        held = consent_policy.role_assignment(user_id, await _role(admin, CATALOGUE))
        await made(admin, consent_policy.ROLE_ASSIGNMENTS, held)


async def _role(admin: Asking, permissions: Collection[Permission]) -> str:
    """Make the policy and the role, and return the role's id."""
    await made(admin, consent_policy.POLICIES, consent_policy.policy())
    await replace_includes(admin, permissions)
    return await made(admin, consent_policy.ROLE_DEFINITIONS, consent_policy.role())


async def assign(admin: Asking, bot: Credential, role: str) -> None:
    principal = await admin.get(f"/servicePrincipals(appId='{bot.client_id}')")
    held = consent_policy.role_assignment(principal.json()["id"], role)
    await made(admin, consent_policy.ROLE_ASSIGNMENTS, held)


async def replace_includes(admin: Asking, permissions: Collection[Permission]) -> None:
    """Let the policy allow exactly these permissions."""
    for each in (await admin.get(consent_policy.INCLUDES)).json()["value"]:
        await admin.delete(f"{consent_policy.INCLUDES}/{each['id']}")
    for conditions in consent_policy.condition_sets(permissions, admin.tenant.id):
        await made(admin, consent_policy.INCLUDES, conditions)


async def made(admin: Asking, path: str, body: object) -> str:
    answer = await admin.post(path, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
