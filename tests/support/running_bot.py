"""A bot that a test starts itself."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from bot.app import App
from bot.checks import CannotStart

LOOK_EVERY = 0.1


Bot = Callable[..., AbstractAsyncContextManager[App]]


async def why_not_started(bot: Bot, **changes: Any) -> str:
    """Return why a bot with these changes does not start, or ends once it has signed in."""
    with pytest.raises(CannotStart) as caught:
        async with bot(**changes) as app:
            await app.signed_in
    return str(caught.value)
