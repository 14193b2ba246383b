"""A small bot on the real slack_bolt, for the workspace to talk to."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace


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
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


async def link(client: AsyncWebClient, workspace: Workspace) -> str:
    answer = await client.apps_connections_open(app_token=workspace.app_token)
    return str(answer["url"])
