"""A bot in consent mode `signed-in` in which only the sign-ins look at the grants."""

from collections.abc import AsyncIterator

import pytest

from bot.app import App, Intervals
from bot.playground.stage import Stage
from tests.support.running_bot import Bot
from tests.support.signing_in import SigningIn, consent_world
from tests.support.story import Story

UNHURRIED = Intervals(storage=0.1, consent=3600.0)


@pytest.fixture
def world(stage: Stage) -> SigningIn:
    return consent_world(stage)


@pytest.fixture
async def running(bot: Bot, world: SigningIn) -> AsyncIterator[App]:
    async with bot(**world.environ, intervals=UNHURRIED) as running:
        yield running


@pytest.fixture
async def story(running: App, stage: Stage) -> Story:
    return Story(stage)
