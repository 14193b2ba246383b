"""Server-sent events for one window: everything at first, then what has changed.

Nothing is queued: each event is the difference between what the window was sent and what there is
now. So a slow reader gets fewer events, and one that does not read at all is cut off.
"""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.playground.page.bot_process import BotProcess
from bot.playground.page.item import Item, Items, as_is
from bot.playground.page.tenant_items import TenantItems
from bot.playground.page.workspace_items import WorkspaceItems
from bot.playground.stage import Stage
from bot.playground.vendor import Vendor

GAP_SECONDS = 0.2
"""Between two events: at most five a second."""
POLL_SECONDS = 0.3
"""How long a change in the tenant stays unseen; the workspace tells of its own."""
PING_SECONDS = 15.0
"""A comment when there is nothing else, so that a connection that is gone is noticed."""
PATIENCE_SECONDS = 10.0
"""How long a reader may keep an event waiting; the browser of a slower one connects again."""
CLOCK_SECONDS = 5
"""How often the time is sent when nothing else happens; the page lets it go on between."""

Json = dict[str, Any]


class Window:
    """What one window was sent. The parts are asked again at each look."""

    def __init__(self, workspace: WorkspaceItems, common: "Common") -> None:
        self._workspace = workspace
        self._common = common
        self._marks: dict[str, object] | None = None

    def event(self) -> Json | None:
        """Return what has changed since the last event, or None."""
        items = {**self._common.look(), **self._workspace.look()}
        before = self._marks or {}
        changed = {key: it for key, it in items.items() if _differs(before, key, it)}
        drop = [key for key in before if key not in items]
        is_first = self._marks is None
        if not (changed or drop):
            return None
        self._marks = {key: item.mark for key, item in items.items()}
        return {
            "reset": is_first,
            "set": {key: item.make() for key, item in changed.items()},
            "drop": drop,
        }


def _differs(before: dict[str, object], key: str, item: Item) -> bool:
    return key not in before or before[key] != item.mark


class Common:
    """What all windows show alike: the time, the tenant, the vendor, and what is wrong."""

    def __init__(self, stage: Stage, bot: BotProcess, tenant: TenantItems, vendor: Vendor) -> None:
        self._stage = stage
        self._bot = bot
        self._tenant = tenant
        self._vendor = vendor

    def look(self) -> Items:
        faults = {**self._tenant.trouble(), "workspace": self._stage.workspace.faults.to_json()}
        return {
            "now": self._now(),
            "trouble": as_is(faults),
            "vendor": as_is(self._vendor.to_json()),
            **self._tenant.look(),
        }

    def _now(self) -> Item:
        now = self._stage.clock.now()
        state = {"bot": self._bot.status, "restarts": self._bot.restarts}
        shown = {"now": now.astimezone(UTC).isoformat(), **state}
        return Item((_ticks(now), *state.values()), lambda: shown)


def _ticks(now: datetime) -> int:
    return int(now.timestamp() // CLOCK_SECONDS)


class Feed:
    """Answers `events?as=PERSON`."""

    def __init__(self, stage: Stage, common: Common, *, patience: float) -> None:
        """`patience`: how many seconds a reader may keep an event waiting."""
        self._stage = stage
        self._common = common
        self._patience = patience
        self.cut = 0
        """How many readers were too slow, or gone."""

    async def events(self, request: web.Request) -> web.StreamResponse:
        who = request.query.get("as", "")
        workspace = self._stage.workspace
        person = next((it for it in workspace.people if who in (it.id, it.name)), None)
        if person is None:
            raise web.HTTPNotFound(text="Name a person of the workspace: events?as=rosa.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        window = Window(WorkspaceItems(workspace, person), self._common)
        try:
            await self._keep_sending(window, response)
        except (TimeoutError, ConnectionError):
            self.cut += 1
            workspace.changed()
            if request.transport is not None:
                request.transport.abort()  # what a slow reader has not read is not worth keeping
        return response

    async def _keep_sending(self, window: Window, response: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            changed = self._stage.workspace.next_change  # taken first: none is missed
            if event := window.event():
                await self._write(response, f"data: {json.dumps(event)}\n\n")
                last = loop.time()
            elif loop.time() - last > PING_SECONDS:
                await self._write(response, ": ping\n\n")
                last = loop.time()
            await asyncio.sleep(GAP_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await changed.wait()

    async def _write(self, response: web.StreamResponse, text: str) -> None:
        async with asyncio.timeout(self._patience):
            await response.write(text.encode())
