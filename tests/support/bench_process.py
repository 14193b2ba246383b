"""A bot in a process of its own, as it runs anywhere else, for what is measured by hand."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.playground.stage import Stage


@asynccontextmanager
async def serving(stage: Stage, *, log_level: str) -> AsyncIterator[None]:
    """Run `aad-setup serve` on the stage while inside, for everybody in the team."""
    environ = {**os.environ, **stage.environ(LOG_LEVEL=log_level, REQUESTERS="*")}
    bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "serve", env=environ)
    try:
        await stage.workspace.until(lambda: stage.workspace.connections > 0, timeout=30)
        yield
    finally:
        bot.terminate()
        await bot.wait()
