"""Work that goes on beside what a person is doing: retries, late deliveries, warnings."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Keeps hold of tasks until they are done, and ends those that are left."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
