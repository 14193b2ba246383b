"""A bot in either mode, in this process."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bot.app import App
from bot.playground.stage import Stage
from tests.support.http_endpoint import HttpEndpoint

MODES = ("socket mode", "http mode")


Serving = Callable[..., AbstractAsyncContextManager[App]]


def environ(mode: str, door: HttpEndpoint, stage: Stage) -> dict[str, str]:
    """Return the settings of this mode."""
    return door.watched() if mode == "socket mode" else door.signed(stage)
