"""Pass what the page asks on to the simulators' own `/sim/`, of which it may use what it needs."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from bot.playground.stage import Stage

SECONDS = 20.0
"""A form waits for the bot's acknowledgement, twice three seconds, and a machine may stall."""

IN_WORKSPACE = (
    *("choose", "click", "close_view", "command", "drop_connections", "faults", "fill"),
    *("open_home", "open_messages", "reload", "say", "submit"),
)
IN_TENANT = {"POST": ("faults", "policy", "consent"), "DELETE": ("faults",)}


class Relay:
    """Calls both simulators, and tells those who look that something may have changed."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> None:
        self._stage = stage
        self._session = session
        self._tls = tls

    async def to_workspace(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in IN_WORKSPACE:
            raise web.HTTPNotFound(text=f"The page may use {', '.join(IN_WORKSPACE)}.")
        url = f"{self._stage.workspace.url}/sim/{verb}"
        return await self._pass_on("POST", url, await body_of(request))

    async def to_tenant(self, request: web.Request) -> web.Response:
        path, method = request.match_info["path"], request.method
        if path not in IN_TENANT[method]:
            raise web.HTTPNotFound(text=f"The page may not {method} {path}.")
        body = await body_of(request) if method == "POST" else None
        return await self._pass_on(method, f"{self._stage.tenant.url}/sim/{path}", body)

    async def _pass_on(self, method: str, url: str, body: dict[str, Any] | None) -> web.Response:
        try:
            async with self._session.request(method, url, json=body, ssl=self._tls) as answer:
                status, text = answer.status, await answer.text()
        except TimeoutError:
            raise web.HTTPGatewayTimeout(text=f"No answer within {SECONDS:.0f} seconds.") from None
        except aiohttp.ClientError as error:
            words = f"The simulator cannot be reached: {type(error).__name__}."
            raise web.HTTPBadGateway(text=words) from error
        self._stage.workspace.changed()
        return web.json_response(_with_error(status, text), status=status)


@asynccontextmanager
async def relaying(stage: Stage) -> AsyncIterator[Relay]:
    """Open the connections of a relay, and close them afterwards."""
    tls = ssl.create_default_context(cafile=str(stage.tenant.ca_file))
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Relay(stage, session, tls)


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request."""
    try:
        body = json.loads(await request.text())
    except (ValueError, RecursionError):  # also of text that is not UTF-8
        raise web.HTTPBadRequest(text="The body is not JSON.") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="A JSON object was expected.")
    return body


def _with_error(status: int, text: str) -> object:
    """Return an answer as the page expects it: errors are sentences under `error`."""
    try:
        body = json.loads(text)
    except ValueError:
        return {"error": text}
    if status >= 400 and not (isinstance(body, dict) and "error" in body):
        return {"error": text}
    return body
