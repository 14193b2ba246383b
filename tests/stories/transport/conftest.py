"""The bot in either mode, in this process, with a door of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from bot import app
from bot.app import App
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from tests.support.http_endpoint import HttpEndpoint

LOOK_EVERY = 0.1
MODES = ("socket mode", "http mode")

Serving = Callable[..., AbstractAsyncContextManager[App]]


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
            settings, stage.clock, look_every=LOOK_EVERY, watch_every=LOOK_EVERY
        ) as running:
            yield running

    return start


def environ(mode: str, door: HttpEndpoint, stage: Stage) -> dict[str, str]:
    """Return the settings of this mode."""
    return door.watched() if mode == "socket mode" else door.signed(stage)
