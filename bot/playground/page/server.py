"""The page's server: its files, its events, and what a click in it leads to."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from bot.playground.gallery.items import gallery
from bot.playground.page import static_files
from bot.playground.page.access import Access, add_headers
from bot.playground.page.bot_process import BotProcess
from bot.playground.page.feed import Feed
from bot.playground.page.relay import IN_TENANT, Relay, body_of
from bot.playground.stage import Stage
from bot.playground.vendor import CannotSave, CannotSync, Vendor
from bot.server.serving import serving

LARGEST_BODY = 64 * 1024
SHUTDOWN_SECONDS = 0.1
LONGEST_MOVE = timedelta(days=3660)


class Actions:
    """What the page does beside both simulators: to the clock, the bot and the vendor."""

    def __init__(self, stage: Stage, bot: BotProcess, vendor: Vendor) -> None:
        self._stage = stage
        self._bot = bot
        self._vendor = vendor

    async def move_clock(self, request: web.Request) -> web.Response:
        """Let time pass at once, for both simulators and the bot."""
        move = _move((await body_of(request)).get("seconds"))
        self._stage.clock.move(move)
        self._bot.follow()
        self._stage.workspace.changed()
        return _done({"now": self._stage.clock.now().isoformat()})

    async def kill_bot(self, _: web.Request) -> web.Response:
        if not self._bot.kill():
            raise web.HTTPConflict(text="The bot is not there: it starts again in a moment.")
        return _done(None)

    async def save(self, request: web.Request) -> web.Response:
        try:
            self._vendor.save(await body_of(request))
        except CannotSave as no:
            problems = {"error": str(no), "problems": no.problems}
            return web.json_response(problems, status=HTTPStatus.CONFLICT)
        return _done(self._vendor.to_json())

    async def sync(self, _: web.Request) -> web.Response:
        try:
            await self._vendor.sync()
        except CannotSync as no:
            raise web.HTTPConflict(text=str(no)) from None
        return _done(self._vendor.to_json())


@asynccontextmanager
async def served(token: str, *, relay: Relay, feed: Feed, actions: Actions) -> AsyncIterator[str]:
    """Serve on a free port of 127.0.0.1 while inside; return the page's address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    access = Access(token, port)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[access.check])
    app.on_response_prepare.append(add_headers)
    app.router.add_routes(_routes(f"/{token}", relay, feed, actions))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    async with serving(runner, listener):
        yield f"http://127.0.0.1:{port}/{token}/"


def _routes(under: str, relay: Relay, feed: Feed, actions: Actions) -> list[web.RouteDef]:
    return [
        web.get(f"{under}/", static_files.index),
        web.get(f"{under}/static/{{path:.+}}", static_files.file),
        web.get(f"{under}/events", feed.events, allow_head=False),
        web.post(f"{under}/workspace/{{verb}}", relay.to_workspace),
        *(
            web.route(method, f"{under}/tenant/{{path:.+}}", relay.to_tenant)
            for method in IN_TENANT
        ),
        web.post(f"{under}/clock", actions.move_clock),
        web.post(f"{under}/bot/kill", actions.kill_bot),
        web.get(f"{under}/gallery", _gallery),
        web.post(f"{under}/vendor/save", actions.save),
        web.post(f"{under}/vendor/sync", actions.sync),
    ]


async def _gallery(_: web.Request) -> web.Response:
    return web.json_response(gallery())


def _move(seconds: object) -> timedelta:
    """Return a move forward. The other way, tokens and timers would make no sense."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= float(str(seconds)) <= LONGEST_MOVE.total_seconds():
        days = LONGEST_MOVE.days
        raise web.HTTPBadRequest(text=f"seconds must be a number, at most that of {days} days.")
    return timedelta(seconds=float(str(seconds)))


def _done(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})
