"""One workspace a test, on a clock that can be moved, a real client of it and a small bot in it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncApp

from bot.playground.workspace import Workspace
from tests.support.small_bot import Recorder, connected
from tests.support.workspace_fixtures import app, client, clock, workspace

__all__ = ["app", "client", "clock", "workspace"]


@pytest.fixture
async def bot(app: AsyncApp, workspace: Workspace) -> AsyncIterator[Recorder]:
    async with connected(app, workspace):
        yield Recorder(app)
