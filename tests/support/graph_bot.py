"""The bot's tenant side, without the bot: what runs do with preflight and stages."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from bot.playground.clock import MovableClock
from bot.playground.tenant import Credential, Tenant
from graph.client import Client
from graph.clouds import PUBLIC
from graph.plan import Plan, preflight
from graph.signin import BotTokens, SignIn
from graph.step_context import StepContext
from graph.steps import stages
from graph.tenant_cache import TenantCache
from tests.support.graph_fakes import MemoryLedger, wish

MIMECAST = wish(
    roles=("User.Read.All", "Directory.Read.All"),
    scopes=("User.Read.All", "User.Read"),
    redirect="https://example.com/callback",
)


@dataclass(kw_only=True)
class Bot:
    """The bot's tenant side: signed in, with a ledger and the facts that a database would hold."""

    tenant: Tenant
    clock: MovableClock
    graph: Client
    sign_in: SignIn
    client_id: str
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def plan(self, wanted: Any = MIMECAST) -> Plan:
        knowledge = TenantCache(graph=self.graph, clock=self.clock)
        return await preflight(wanted, graph=self.graph, tenant_cache=knowledge, clock=self.clock)

    async def carry_out(self, plan: Plan) -> None:
        for stage in stages(plan):
            site = self.site(plan)
            todo = [each for each in stage if each.name not in self.facts]
            results = await asyncio.gather(
                *(self._take(each.name, each.do(site)) for each in todo), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def take_back(self, plan: Plan) -> None:
        for stage in reversed(stages(plan)):
            for each in stage:
                if each.undo is not None:
                    await each.undo(self.site(plan))

    def site(self, plan: Plan) -> StepContext:
        return StepContext(
            graph=self.graph,
            plan=plan,
            facts=dict(self.facts),
            clock=self.clock,
            journal=self.ledger,
            sign_in=self.sign_in,
            bot_client_id=self.client_id,
        )

    async def _take(self, name: str, doing: Awaitable[dict[str, Any]]) -> None:
        self.facts[name] = await doing


@asynccontextmanager
async def bot_of(tenant: Tenant, clock: MovableClock, who: Credential) -> AsyncIterator[Bot]:
    sign_in = SignIn(authority=tenant.authority, cloud=PUBLIC, ca_bundle=tenant.ca_file)
    tokens = BotTokens(
        sign_in=sign_in, client_id=who.client_id, credential=who.client_secret, clock=clock
    )
    trust = ssl.create_default_context(cafile=tenant.ca_file)
    async with httpx.AsyncClient(verify=trust) as http:
        graph = Client(
            http=http,
            graph_url=tenant.graph_url,
            tokens=tokens,
            clock=clock,
            jitter=Random(1).random,
        )
        yield Bot(tenant=tenant, clock=clock, graph=graph, sign_in=sign_in, client_id=who.client_id)
    sign_in.close()


def assert_complete(bot: Bot, plan: Plan) -> None:
    """One application, one service principal, each grant once, one live secret: the sealed one."""
    ours = [each for each in bot.tenant.applications if each["uniqueName"] == plan.key]
    assert [each["appId"] for each in ours] == [bot.facts["application"]["app_id"]]
    app_id = ours[0]["appId"]
    principals = [each for each in bot.tenant.service_principals if each["appId"] == app_id]
    assert [each["id"] for each in principals] == [bot.facts["service_principal"]["object_id"]]
    held = [each for each in bot.tenant.assignments if each["principalId"] == principals[0]["id"]]
    assert sorted(each["appRoleId"] for each in held) == sorted(each.id for each in plan.roles)
    assert bot.tenant.scopes_of(app_id) == {each.name for each in plan.scopes}
    live = bot.tenant.live_secrets(app_id)
    assert [each["keyId"] for each in live] == [bot.facts["secret"]["key_id"]]
    assert bot.facts["sign_in"]["roles"] == sorted(each.name for each in plan.roles)
    assert bot.facts["directory"]["refused"] is True


async def secret(bot: Bot, application: dict[str, Any], name: str) -> str:
    answer = await bot.graph.send(
        "POST",
        f"/applications/{application['id']}/addPassword",
        body={"passwordCredential": {"displayName": name}},
        repeatable=False,
    )
    key_id: str = answer.body["keyId"]
    return key_id
