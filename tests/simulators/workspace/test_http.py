"""Signed HTTP: what an app must refuse, and what comes again if it does not answer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest
from aiohttp import web

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace, running
from tests.support.small_bot import served


class Listener:
    """An app that answers as it is told to, and notes what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.heard: list[tuple[str, str]] = []
        self.bodies: list[str] = []

    def has_heard(self, times: int) -> bool:
        return len(self.heard) == times

    async def handle(self, request: web.Request) -> web.Response:
        number = request.headers.get("x-slack-retry-num", "")
        self.heard.append((number, request.headers.get("x-slack-retry-reason", "")))
        self.bodies.append(await request.text())
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def url(listener: Listener) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/slack/events", listener.handle)
    async with served(app) as url:
        yield url


async def test_an_event_that_fails_comes_three_times_more(
    workspace: Workspace, clock: MovableClock, listener: Listener, url: str
) -> None:
    workspace.deliver_to(url)
    listener.status = 500
    await workspace.mention("ada", "status")
    assert listener.heard == [("", ""), ("1", "http_error")]
    for minutes, tries in ((1, 3), (5, 4), (60, 4)):
        clock.move(timedelta(minutes=minutes))
        await workspace.until(partial(listener.has_heard, tries))
    assert [number for number, _ in listener.heard] == ["", "1", "2", "3"]
    assert len(set(listener.bodies)) == 1


async def test_a_retry_does_not_come_before_its_time(
    workspace: Workspace, clock: MovableClock, listener: Listener, url: str
) -> None:
    workspace.deliver_to(url)
    listener.status = 500
    await workspace.mention("ada", "status")
    clock.move(timedelta(seconds=50))
    listener.status = 200
    clock.move(timedelta(seconds=20))
    await workspace.until(lambda: len(listener.heard) == 3)
    clock.move(timedelta(minutes=10))
    await workspace.mention("ada", "again")
    assert [number for number, _ in listener.heard] == ["", "1", "2", ""]


async def test_nobody_there_is_another_reason(workspace: Workspace) -> None:
    workspace.deliver_to("http://127.0.0.1:9/slack/events")
    await workspace.mention("ada", "status")
    tries = [entry.sent for entry in workspace.log if entry.what == "events_api"]
    assert [it.get("x-slack-retry-reason") for it in tries] == [None, "connection_failed"]


async def test_an_app_that_dawdles_is_told_so(clock: MovableClock, listener: Listener) -> None:
    async def slow(request: web.Request) -> web.Response:
        answer = await listener.handle(request)
        await clock.sleep(3600)
        return answer

    app = web.Application()
    app.router.add_post("/slack/events", slow)
    async with running(clock=clock, ack_seconds=0.05) as workspace, served(app) as url:
        workspace.deliver_to(url)
        await workspace.mention("ada", "status")
        assert (await workspace.command("rosa")).error == "operation_timeout"
    assert [reason for _, reason in listener.heard] == ["", "http_timeout", ""]


@pytest.mark.parametrize("status", [500, 302])
async def test_people_wait_for_no_retry_and_redirects_are_not_followed(
    workspace: Workspace, listener: Listener, url: str, status: int
) -> None:
    workspace.deliver_to(url)
    listener.status, listener.headers = status, {"Location": url}
    assert (await workspace.command("rosa")).error == "dispatch_failed"
    assert listener.heard == [("", "")]
