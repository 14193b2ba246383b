"""A bot that is signed in at a simulated tenant of its own, on a clock that jumps."""

from collections.abc import AsyncIterator

import pytest
import trustme

from bot.playground.clock import MovableClock
from bot.playground.tenant import running
from graph.plan import Plan
from tests.support.graph_bot import Bot, bot_of
from tests.support.graph_requests import story_fits
from tests.support.graph_schema import Schema


@pytest.fixture
async def bot(ca: trustme.CA, schema: Schema | None) -> AsyncIterator[Bot]:
    clock = MovableClock(eager=True)
    async with (
        running(clock=clock, ca=ca, users=60, groups=8) as tenant,
        bot_of(tenant, clock, tenant.administrator) as made,
    ):
        yield made
    if schema is not None:
        story_fits(schema, tenant)


@pytest.fixture
async def plan(bot: Bot) -> Plan:
    return await bot.plan()


@pytest.fixture
async def made(bot: Bot, plan: Plan) -> Plan:
    """The plan of a registration that has been carried out."""
    await bot.carry_out(plan)
    return plan
