"""What can go wrong with Slack, on demand."""

import asyncio

import pytest
from aiohttp import ServerDisconnectedError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import NeverHappened, Workspace
from tests.support.blocks import error_of


@pytest.fixture
def general(workspace: Workspace) -> str:
    return workspace.channels["general"].id


async def test_a_method_fails_as_often_as_it_is_told(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    workspace.faults.fail("chat.postMessage", "is_archived", times=2)
    for _ in range(2):
        post = client.chat_postMessage(channel=general, text="x")
        assert await error_of(post) == "is_archived"
    assert (await client.chat_postMessage(channel=general, text="x"))["ok"]
    assert len(workspace.messages("general")) == 1


async def test_a_throttle_says_how_long(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    workspace.faults.throttle("chat.postMessage", retry_after=30)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=general, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "30"


async def test_slack_breaks(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.breaks("auth.test", status=503)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 503


async def test_a_lost_answer_has_taken_effect(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    client.retry_handlers.clear()
    workspace.faults.lose("chat.postMessage")
    with pytest.raises(ServerDisconnectedError):
        await client.chat_postMessage(channel=general, text="x")
    assert len(workspace.messages("general")) == 1


async def test_the_sdk_posts_twice_after_a_lost_answer(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    at_once = FixedValueRetryIntervalCalculator(0)
    client.retry_handlers = [AsyncConnectionErrorRetryHandler(interval_calculator=at_once)]
    workspace.faults.lose("chat.postMessage")
    await client.chat_postMessage(channel=general, text="x")
    assert len(workspace.messages("general")) == 2


async def test_a_held_answer_waits_to_be_released(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    held = workspace.faults.hold("chat.postMessage")
    post = asyncio.create_task(client.chat_postMessage(channel=general, text="x"))
    await held.reached.wait()
    assert len(workspace.messages("general")) == 1
    assert not post.done()
    held.release()
    assert (await post)["ok"]


async def test_what_never_happens_shows_what_there_was(
    workspace: Workspace, client: AsyncWebClient, general: str
) -> None:
    await client.chat_postMessage(channel=general, text="*hello*")
    with pytest.raises(NeverHappened, match=r"#general, aad-setup:\n  \| hello"):
        await workspace.until(lambda: False, timeout=0.01)
