"""The bot in either mode, in this process, with a door of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot import app
from bot.app import App
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import Serving

LOOK_EVERY = 0.1


@pytest.fixture
def door() -> HttpEndpoint:
    return HttpEndpoint()


@pytest.fixture
def serving(stage: Stage) -> Serving:
    """Start a bot on the stage, with changes to its environment; its socket is watched closely."""

    @asynccontextmanager
    async def start(**changes: str) -> AsyncIterator[App]:
        settings = Settings.read(stage.environ(**changes))
        async with app.running(
            settings, stage.clock, intervals=app.Intervals(storage=LOOK_EVERY, socket=LOOK_EVERY)
        ) as running:
            yield running

    return start
