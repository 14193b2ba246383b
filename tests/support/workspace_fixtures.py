"""One workspace a test, on a clock that can be moved, and a real client of it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace, running
from tests.support.small_bot import app_of, client_of


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def workspace(clock: MovableClock) -> AsyncIterator[Workspace]:
    async with running(clock=clock) as workspace:
        yield workspace


@pytest.fixture
async def client(workspace: Workspace) -> AsyncIterator[AsyncWebClient]:
    async with client_of(workspace) as client:
        yield client


@pytest.fixture
def app(client: AsyncWebClient, workspace: Workspace) -> AsyncApp:
    return app_of(client, workspace)
