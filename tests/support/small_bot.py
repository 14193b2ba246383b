"""A small bot on the real slack_bolt, for the workspace to talk to."""

import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from bot.playground.workspace.wire import Json
from bot.server.serving import serving


def quiet(name: str) -> logging.Logger:
    logger = logging.getLogger(f"tests.simulators.workspace.{name}")
    logger.setLevel(logging.CRITICAL)
    return logger


@asynccontextmanager
async def client_of(
    workspace: Workspace, token: str | None = None
) -> AsyncIterator[AsyncWebClient]:
    """A real Web API client of this workspace."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(
            token=token or workspace.bot_token,
            base_url=workspace.api_url,
            session=session,
            logger=quiet("client"),
        )


def app_of(client: AsyncWebClient, workspace: Workspace) -> AsyncApp:
    return AsyncApp(
        client=client,
        signing_secret=workspace.signing_secret,
        process_before_response=True,
        logger=quiet("bolt"),
    )


class Recorder:
    """Notes the payloads that it is sent, and answers a command as it is told to."""

    def __init__(self, app: AsyncApp, *, answer: str | Json = "") -> None:
        self.client = app.client
        self.answer = answer
        self.heard: list[Json] = []
        app.command("/aad-setup")(self.command)
        app.event("app_mention")(self.event)
        app.event("message")(self.event)
        app.action(re.compile(".*"))(self.click)

    async def command(self, ack: AsyncAck, body: Json) -> None:
        self.heard.append(body)
        await ack(self.answer)

    async def event(self, body: Json) -> None:
        self.heard.append(body)

    async def click(self, ack: AsyncAck, body: Json) -> None:
        self.heard.append(body)
        await ack()


@asynccontextmanager
async def connected(app: AsyncApp, workspace: Workspace, *, times: int = 1) -> AsyncIterator[None]:
    """The app in Socket Mode, over so many connections."""
    handlers = [
        AsyncSocketModeHandler(
            app, workspace.app_token, web_client=app.client, logger=quiet("socket")
        )
        for _ in range(times)
    ]
    for handler in handlers:
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    await workspace.until(lambda: workspace.connections == times)
    try:
        yield
    finally:
        for handler in handlers:
            await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
            await handler.client.aiohttp_client_session.close()


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An application at a request URL of its own."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    listener = socket.create_server(("127.0.0.1", 0))
    async with serving(runner, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"


async def link(client: AsyncWebClient, workspace: Workspace) -> str:
    answer = await client.apps_connections_open(app_token=workspace.app_token)
    return str(answer["url"])
