"""The page is there at once, and stays quick while much happens in it."""

import asyncio
import time
from typing import Any

import aiohttp

from bot.playground.page.running import Page
from tests.browser.window import TOUR_SEEN, Opens, Window

FIRST_PAINT_MS = 1000
SLOW_MACHINE = 3
"""By how much other work on the machine may delay the first paint before a test fails."""
MESSAGES = 500
UPDATES_A_MINUTE = 200
SECONDS = 9.0
LONG_TASK_MS = 100
TRIES = 3
"""A stall of the machine looks like a long task, but does not come again each time."""

WATCH = f"""
{TOUR_SEEN};
window.longTasks = [];
new PerformanceObserver((list) => {{
  for (const entry of list.getEntries()) window.longTasks.push(Math.round(entry.duration));
}}).observe({{ type: "longtask", buffered: true }});
"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


async def test_the_first_paint_comes_within_a_second(opens: Opens) -> None:
    painted = []
    for _ in range(TRIES):
        async with opens("rosa") as rosa:
            await rosa.sees("", where=rosa.locator("[data-composer]"))
            painted.append(await rosa.page.evaluate(PAINTED))
    print(f"first paint after {', '.join(f'{each:.0f}' for each in painted)} ms")
    assert min(painted) < FIRST_PAINT_MS * SLOW_MACHINE


async def test_many_messages_and_updates_keep_nobody_waiting(
    playground: Page, opens: Opens
) -> None:
    stamps = await posted(playground)
    async with opens("rosa", script=WATCH) as rosa:
        await rosa.go("general")
        await rosa.sees(f"Message {MESSAGES - 1}")
        for _ in range(TRIES):
            longest = await longest_task(rosa, playground, stamps)
            print(f"longest task with {MESSAGES} messages: {longest} ms")
            if longest <= LONG_TASK_MS:
                return
    raise AssertionError(f"a task of {longest} ms each time")


async def longest_task(rosa: Window, playground: Page, stamps: list[str]) -> int:
    """Update messages steadily for a while; return the longest task of the page meanwhile."""
    await rosa.page.evaluate("window.longTasks.length = 0")
    began, count = time.monotonic(), round(SECONDS * UPDATES_A_MINUTE / 60)
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            changed = {"ts": stamps[-1 - number % len(stamps)], **content(number, "Changed")}
            await call(session, playground, "chat.update", **changed)
            # The measure is so many in a minute: the time between two is part of it.
            await asyncio.sleep(max(0.0, began + SECONDS * (number + 1) / count - time.monotonic()))
    found: list[int] = await rosa.page.evaluate("window.longTasks")
    return max(found, default=0)


async def posted(playground: Page) -> list[str]:
    """Fill #general as the app; return the newest messages' stamps."""
    async with aiohttp.ClientSession() as session:
        answers = [
            await call(session, playground, "chat.postMessage", **content(number, "Message"))
            for number in range(MESSAGES)
        ]
    return [str(answer["ts"]) for answer in answers[-20:]]


def content(number: int, words: str) -> dict[str, Any]:
    fields = [{"type": "mrkdwn", "text": f"*Field {each}*\nwith words"} for each in range(6)]
    tasks = [
        {"type": "task_card", "task_id": str(each), "title": f"Step {each}", "status": "complete"}
        for each in range(8)
    ]
    return {
        "text": f"{words} {number}",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": f"{words} {number}"}},
            {"type": "section", "fields": fields},
            {"type": "plan", "title": "Steps", "tasks": tasks},
        ],
    }


async def call(
    session: aiohttp.ClientSession, playground: Page, method: str, **body: Any
) -> dict[str, Any]:
    workspace = playground.stage.workspace
    answer = await session.post(
        f"{workspace.api_url}{method}",
        json={"channel": workspace.channels["general"].id, **body},
        headers={"Authorization": f"Bearer {workspace.bot_token}"},
    )
    result: dict[str, Any] = await answer.json()
    assert result["ok"], result
    return result
