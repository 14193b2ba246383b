"""Opens a workspace on a loopback port and closes it again, with every socket."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from bot.playground.guard import guard
from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.response_url import ResponseUrls
from bot.playground.workspace.seed import seed as sow
from bot.playground.workspace.sim import Sim
from bot.playground.workspace.sockets import ACK_SECONDS
from bot.playground.workspace.state import State
from bot.playground.workspace.webapi import WebApi
from bot.playground.workspace.workspace import Workspace
from bot.server.serving import serving
from graph.clock import Clock

SHUTDOWN_SECONDS = 0.1
LARGEST_BODY = 4 * 1024 * 1024


@asynccontextmanager
async def running(
    *,
    clock: Clock,
    port: int = 0,
    seed: int = 7,
    ack_seconds: float = ACK_SECONDS,
    rates: bool = False,
) -> AsyncIterator[Workspace]:
    """Run a workspace on 127.0.0.1. Port 0 takes any that is free; the seed makes the ids.

    `rates` enforces Slack's rate limits, by the clock.
    """
    listener = socket.create_server(("127.0.0.1", port))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    state = State(clock=clock, seed=seed, url=url)
    state.sockets.ack_seconds = ack_seconds
    state.rates.enforced = rates
    sow(state)
    hooks = Hooks(state)
    workspace = Workspace(state, hooks)
    app = _routes(state, hooks, Sim(workspace, clock))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    async with serving(runner, listener):
        try:
            yield workspace
        finally:
            state.faults.drop_held()
            await state.tasks.close()
            await state.sockets.close()


def _routes(state: State, hooks: Hooks, sim: Sim) -> web.Application:
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[guard])
    response_urls = ResponseUrls(state, hooks)
    app.router.add_route("*", "/api/{method}", WebApi(state).handle)
    app.router.add_post("/commands/{path:.+}", response_urls.handle)
    app.router.add_post("/actions/{path:.+}", response_urls.handle)
    app.router.add_get("/link", partial(_linked, state))
    app.router.add_get("/sim/{verb}", sim.look)
    app.router.add_post("/sim/{verb}", sim.act)
    return app


async def _linked(state: State, request: web.Request) -> web.StreamResponse:
    """Shake hands, unless a fault has it refused."""
    trouble = state.faults.before("link")
    if trouble:
        return web.json_response(trouble.body, status=trouble.status, headers=trouble.headers)
    return await state.sockets.serve(request)
