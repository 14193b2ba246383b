"""An HTTP endpoint: a free port on this machine, the settings that open it, and what is said
there."""

import asyncio
import hmac
import json
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp

from bot.playground.stage import Stage
from tests.support.fork_server import Forked

SECONDS = 60.0


class Told(NamedTuple):
    """A status and the JSON or text that came with it."""

    status: int
    body: Any


class HttpEndpoint:
    """A port that nobody listens on yet."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def watched(self) -> dict[str, str]:
        """Return the settings of Socket Mode with a door for whoever watches."""
        return {"PORT": str(self.port), "BIND_ADDRESS": "127.0.0.1"}

    def signed(self, stage: Stage) -> dict[str, str]:
        """Return the settings of HTTP mode, and let the workspace post here."""
        stage.workspace.deliver_to(f"{self.url}/slack/events")
        secret = stage.workspace.signing_secret
        return {**self.watched(), "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": secret}

    async def ask(self, path: str) -> Told:
        return await self.send("GET", path)

    async def send(self, method: str, path: str, **request: Any) -> Told:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, **request) as answer,
        ):
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return Told(answer.status, json.loads(text) if is_json else text)

    async def until(self, path: str, status: int) -> Told:
        """Ask until the status is this one."""
        async with asyncio.timeout(SECONDS):
            while (told := await self.ask(path)).status != status:
                pass
        return told

    async def until_ready(self, process: Process | Forked) -> None:
        """Ask until somebody answers that all is well, or the process that should has ended."""
        async with asyncio.timeout(SECONDS):
            while process.returncode is None:
                try:
                    if (await self.ask("/readyz")).status == HTTPStatus.OK:
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)  # nobody there yet, and nothing to wait on
        raise AssertionError(f"it ended with {process.returncode}")


def stamped(secret: str, body: str | bytes, *, ago: float = 0) -> Mapping[str, str]:
    """Return the headers that Slack would send with this body."""
    stamp = str(int(time.time() - ago))
    raw = body.encode() if isinstance(body, str) else body
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + raw, "sha256").hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
