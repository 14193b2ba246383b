"""Opens a workspace on a loopback port and closes it again, with every socket."""

import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.response_url import ResponseUrls
from bot.playground.workspace.seed import seed as sow
from bot.playground.workspace.sim import Sim
from bot.playground.workspace.sockets import ACK_SECONDS
from bot.playground.workspace.state import State
from bot.playground.workspace.webapi import WebApi
from bot.playground.workspace.workspace import Workspace
from graph.clock import Clock

SHUTDOWN_SECONDS = 0.1
LARGEST_BODY = 4 * 1024 * 1024


@asynccontextmanager
async def running(
    *, clock: Clock, port: int = 0, seed: int = 7, ack_seconds: float = ACK_SECONDS
) -> AsyncIterator[Workspace]:
    """Run a workspace on 127.0.0.1. Port 0 takes any that is free; the seed makes the ids."""
    state = State(clock=clock, seed=seed)
    state.sockets.ack_seconds = ack_seconds
    sow(state)
    listener = _listener(port)
    hooks = Hooks(state)
    workspace = Workspace(state, hooks, f"http://127.0.0.1:{listener.getsockname()[1]}")
    runner = web.AppRunner(
        _routes(state, hooks, Sim(workspace, clock)),
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        yield workspace
    finally:
        state.faults.drop_held()
        await state.sockets.close()
        await runner.cleanup()


def _listener(port: int) -> sockets.socket:
    listener = sockets.socket()
    listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _routes(state: State, hooks: Hooks, sim: Sim) -> web.Application:
    app = web.Application(client_max_size=LARGEST_BODY)
    response_urls = ResponseUrls(state, hooks)
    app.router.add_route("*", "/api/{method}", WebApi(state).handle)
    app.router.add_post("/commands/{token}", response_urls.handle)
    app.router.add_post("/actions/{token}", response_urls.handle)
    app.router.add_get("/link", state.sockets.serve)
    app.router.add_get("/sim/{verb}", sim.look)
    app.router.add_post("/sim/{verb}", sim.act)
    return app
