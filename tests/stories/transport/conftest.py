"""The bot in either mode, in this process, with a door of its own."""

from functools import partial

import pytest

from bot import app
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import Serving
from tests.support.running_bot import LOOK_EVERY, Bot


@pytest.fixture
def door() -> HttpEndpoint:
    return HttpEndpoint()


@pytest.fixture
def serving(bot: Bot) -> Serving:
    """Start a bot on the stage, with changes to its environment; its socket is watched closely."""
    return partial(bot, intervals=app.Intervals(storage=LOOK_EVERY, socket=LOOK_EVERY))
