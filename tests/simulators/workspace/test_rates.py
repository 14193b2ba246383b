"""Rate limits, enforced by the clock when asked for and always counted, and faults on demand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ServerDisconnectedError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import NeverHappened, Workspace, running
from bot.playground.workspace.methods import METHODS
from bot.playground.workspace.rates import CONNECT, CONNECT_BURST, POST, POST_BURST, TIERS, Rates
from tests.support.blocks import error_of
from tests.support.small_bot import client_of

SECOND = timedelta(seconds=1)


@pytest.fixture
async def strict(clock: MovableClock) -> AsyncIterator[Workspace]:
    async with running(clock=clock, rates=True) as workspace:
        yield workspace


@pytest.fixture
async def caller(strict: Workspace) -> AsyncIterator[Client]:
    async with client_of(strict) as client:
        yield client


def test_every_method_has_its_rate() -> None:
    assert {*TIERS, POST, CONNECT} == set(METHODS)


async def test_updates_have_fifty_a_minute(
    strict: Workspace, caller: Client, clock: MovableClock
) -> None:
    began = clock.now()
    channel = strict.channels["general"].id
    ts = (await caller.chat_postMessage(channel=channel, text="x"))["ts"]
    for _ in range(50):
        await caller.chat_update(channel=channel, ts=ts, text="y")
    with pytest.raises(SlackApiError) as caught:
        await caller.chat_update(channel=channel, ts=ts, text="z")
    assert caught.value.response.status_code == 429
    wait = int(caught.value.response.headers["Retry-After"])
    assert 50 < wait <= 60
    assert strict.messages("general")[0]["text"] == "y"
    clock.move(timedelta(seconds=wait - 5))
    assert await error_of(caller.chat_update(channel=channel, ts=ts, text="z")) == "ratelimited"
    clock.move(timedelta(seconds=5))
    await caller.chat_update(channel=channel, ts=ts, text="z")
    count = strict.rates.count("chat.update")
    assert (len(count.allowed), len(count.refused)) == (51, 2)
    share = strict.rates.share("chat.update", since=began, until=clock.now())
    assert share == pytest.approx(51 / 50, abs=0.03)


async def test_methods_do_not_share_a_limit(strict: Workspace, caller: Client) -> None:
    group = strict.groups["directory-admins"].id
    for _ in range(20):
        await caller.usergroups_users_list(usergroup=group)
    assert await error_of(caller.usergroups_users_list(usergroup=group)) == "ratelimited"
    for _ in range(100):
        await caller.users_info(user=strict.people["ada"].id)
    assert await error_of(caller.users_info(user=strict.people["ada"].id)) == "ratelimited"


async def test_each_channel_takes_a_message_a_second(
    strict: Workspace, caller: Client, clock: MovableClock
) -> None:
    general, rosa = strict.channels["general"].id, strict.people["rosa"].id
    for _ in range(POST_BURST):
        await caller.chat_postMessage(channel=general, text="x")
    again = caller.chat_postMessage(channel="#general", text="x")
    assert await error_of(again) == "ratelimited"
    im = (await caller.chat_postMessage(channel=rosa, text="x"))["channel"]
    for _ in range(POST_BURST):
        await caller.chat_postMessage(channel=rosa, text="x")
    # One conversation has one limit under all its names.
    assert await error_of(caller.chat_postMessage(channel=im, text="x")) == "ratelimited"
    clock.move(SECOND)
    await caller.chat_postMessage(channel=general, text="x")
    assert await error_of(caller.chat_postMessage(channel=general, text="x")) == "ratelimited"


async def test_a_workspace_takes_only_so_many_messages(clock: MovableClock) -> None:
    rates = Rates(enforced=True)
    refused = [rates.retry_after(POST, f"C{number}", clock.now()) for number in range(301)]
    assert not any(refused[:300])
    assert refused[300]


async def test_connections_are_opened_slowly(strict: Workspace, caller: Client) -> None:
    for _ in range(CONNECT_BURST):
        await caller.apps_connections_open(app_token=strict.app_token)
    again = caller.apps_connections_open(app_token=strict.app_token)
    assert await error_of(again) == "ratelimited"


async def test_calls_that_nobody_is_held_to_are_not_counted(
    strict: Workspace, caller: Client
) -> None:
    async with client_of(strict, "xoxb-wrong") as stranger:
        assert await error_of(stranger.auth_test()) == "invalid_auth"
    assert strict.rates.count("auth.test").allowed == []


async def test_without_limits_calls_are_counted_all_the_same(
    workspace: Workspace, client: Client
) -> None:
    group = workspace.groups["directory-admins"].id
    for _ in range(21):
        await client.usergroups_users_list(usergroup=group)
    assert len(workspace.rates.count("usergroups.users.list").allowed) == 21
    workspace.rates.enforced = True
    for _ in range(20):
        await client.usergroups_users_list(usergroup=group)
    assert await error_of(client.usergroups_users_list(usergroup=group)) == "ratelimited"
    workspace.rates.clear()
    await client.usergroups_users_list(usergroup=group)


@pytest.fixture
def general(workspace: Workspace) -> str:
    return workspace.channels["general"].id


async def test_a_method_fails_as_often_as_it_is_told(
    workspace: Workspace, client: Client, general: str
) -> None:
    workspace.faults.fail("chat.postMessage", "is_archived", times=2)
    for _ in range(2):
        post = client.chat_postMessage(channel=general, text="x")
        assert await error_of(post) == "is_archived"
    assert (await client.chat_postMessage(channel=general, text="x"))["ok"]
    assert len(workspace.messages("general")) == 1


@pytest.mark.parametrize(("status", "wait"), [(429, "30"), (503, None)])
async def test_slack_breaks_or_says_how_long_to_wait(
    workspace: Workspace, client: Client, status: int, wait: str | None
) -> None:
    if wait:
        workspace.faults.throttle("auth.test", retry_after=int(wait))
    else:
        workspace.faults.breaks("auth.test", status=status)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    answer = caught.value.response
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait)


async def test_a_lost_answer_has_taken_effect(
    workspace: Workspace, client: Client, general: str
) -> None:
    client.retry_handlers.clear()
    workspace.faults.lose("chat.postMessage")
    with pytest.raises(ServerDisconnectedError):
        await client.chat_postMessage(channel=general, text="x")
    assert len(workspace.messages("general")) == 1


async def test_the_sdk_posts_twice_after_a_lost_answer(
    workspace: Workspace, client: Client, general: str
) -> None:
    at_once = FixedValueRetryIntervalCalculator(0)
    client.retry_handlers = [AsyncConnectionErrorRetryHandler(interval_calculator=at_once)]
    workspace.faults.lose("chat.postMessage")
    await client.chat_postMessage(channel=general, text="x")
    assert len(workspace.messages("general")) == 2


async def test_a_held_answer_waits_to_be_released(
    workspace: Workspace, client: Client, general: str
) -> None:
    held = workspace.faults.hold("chat.postMessage")
    post = asyncio.create_task(client.chat_postMessage(channel=general, text="x"))
    await held.reached.wait()
    assert len(workspace.messages("general")) == 1
    assert not post.done()
    held.release()
    assert (await post)["ok"]


async def test_what_never_happens_shows_what_there_was(
    workspace: Workspace, client: Client, general: str
) -> None:
    await client.chat_postMessage(channel=general, text="*hello*")
    with pytest.raises(NeverHappened, match=r"#general, aad-setup:\n  \| hello"):
        await workspace.until(lambda: False, timeout=0.01)
