"""A tenant for each test, and somebody to call it as an administrator."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant, running
from graph.calls import Json
from graph.clouds import Cloud
from tests.support.graph_caller import WIDE, Asking, asking
from tests.support.person import REDIRECT, ConsentClient, consent_client


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def tenant(clock: MovableClock, cloud: Cloud, ca: trustme.CA) -> AsyncIterator[Tenant]:
    """A small one: to make the usual 2000 people takes longer than most tests here."""
    async with running(clock=clock, cloud=cloud, ca=ca, users=60, groups=8) as tenant:
        yield tenant


@pytest.fixture
async def graph(tenant: Tenant) -> AsyncIterator[Asking]:
    """The administrator, who holds every right of the autonomous mode."""
    async with asking(tenant, tenant.administrator) as graph:
        yield graph


@pytest.fixture
async def application(graph: Asking) -> Json:
    return await graph.application()


@pytest.fixture
def path(application: Json) -> str:
    return f"/applications/{application['id']}"


@pytest.fixture
async def principal(graph: Asking, application: Json) -> Json:
    return await graph.principal(application["appId"])


@pytest.fixture
async def wide(tenant: Tenant) -> AsyncIterator[Asking]:
    """The same administrator with rights to everything that this tenant knows besides."""
    tenant.allow(tenant.administrator, *WIDE)
    async with asking(tenant, tenant.administrator) as wide:
        yield wide


@pytest.fixture
def users(tenant: Tenant) -> list[Json]:
    """Members whose accounts are enabled."""
    users = tenant.people.users
    return [user for user in users if user["accountEnabled"] and user["userType"] == "Member"]


@pytest.fixture
def ada(users: list[Json]) -> Json:
    return users[0]


@pytest.fixture
async def people(tenant: Tenant, ada: Json) -> AsyncIterator[ConsentClient]:
    credential = tenant.add_consent_client(REDIRECT, assigned=[ada])
    async with consent_client(tenant, credential) as people:
        yield people


@pytest.fixture
async def flow(people: ConsentClient) -> Json:
    """A sign-in at the consent client that has begun."""
    return await asyncio.to_thread(people.flow)
