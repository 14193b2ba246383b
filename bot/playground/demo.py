"""The story of `aad-setup demo --story`: ask, approve, consent, values, reveal, mask, status.

Nothing in it is staged: it is the bot itself, over real sockets, between the two simulators, and
what is printed is what each person sees in Slack.
"""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from bot import app
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, standing
from bot.settings.settings import Settings

LATENCY_SECONDS = 0.9
"""What the simulated tenant takes for an answer, so that the steps can be watched."""

INDENT = " " * 4

FORM = {
    "Application name": "Mimecast directory sync",
    "Reason": "Mail security needs our users and groups, ticket OPS-1907",
    "Secret valid for": "180 days",
}

NEXT = """That was the bot itself, between a simulated Slack workspace and a simulated Entra tenant.
Next: SETUP.md connects your own workspace and tenant. It begins with `aad-setup manifest`."""


async def play(console: Console, *, stop: asyncio.Event) -> bool:
    """Play the whole story on a stage that is gone afterwards. False if it was stopped."""
    with tempfile.TemporaryDirectory(prefix="aad-setup-demo-") as folder:
        clock = MovableClock()
        async with standing(folder=Path(folder), clock=clock) as stage:
            settings = Settings.read(stage.portal_environ(LOG_LEVEL="ERROR"))
            intervals = app.Intervals(storage=0.25, consent=0.25)
            async with app.running(settings, clock, intervals=intervals):
                stage.tenant.faults.latency = LATENCY_SECONDS
                if not await _played(Demo(console, stage), stop):
                    stage.tenant.faults.latency = 0.0  # what is at work then ends at once
                    return False
    console.print()
    console.print(NEXT, soft_wrap=True)
    return True


async def _played(demo: "Demo", stop: asyncio.Event) -> bool:
    """Play to the end, or until it is asked to stop: then the stage is cleared in good order."""
    if stop.is_set():
        return False
    story = asyncio.create_task(demo.play())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((story, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not story.done():
        story.cancel()
        await asyncio.wait((story,))
        return False
    return await story


class Demo:
    """Rosa asks, Ada approves, Ben wonders."""

    def __init__(self, console: Console, stage: Stage) -> None:
        self._console = console
        self._stage = stage
        self._workspace = stage.workspace
        self._id = ""

    async def play(self) -> bool:
        """Play all scenes. Return False if the reader closes the pipe, as `head` does."""
        try:
            await self._ask()
            await self._approve()
            await self._consent()
            await self._hand_over()
            await self._mask()
            await self._wonder()
        except SystemExit:  # of rich; in a task it would end the event loop and leave all open
            return False
        return True

    async def _ask(self) -> None:
        workspace = self._workspace
        self._scene("Rosa types /aad-setup and sees a form")
        await workspace.command("rosa", "")
        self._show(self._read(workspace.view_of("rosa") or {}))
        self._scene("She fills it in and sends it; the bot reads the tenant and makes a plan")
        await workspace.submit("rosa", FORM)
        await workspace.until(lambda: workspace.messages("approvals"))
        self._show(self._card(), where="#approvals")

    async def _approve(self) -> None:
        workspace = self._workspace
        self._scene("Ada, an approver, reads it and presses Approve; the card keeps up")
        self._id = workspace.messages("approvals")[0]["text"].split()[0]
        await workspace.click("ada", "Approve")
        await self._watch("admin consent needed")
        self._scene("The bot calls for an administrator: it holds no right to grant anything")
        await workspace.until(lambda: len(workspace.messages("approvals")) > 1)
        self._show(self._read(workspace.messages("approvals")[-1]), where="#approvals")

    async def _consent(self) -> None:
        self._scene("The administrator presses Grant admin consent in the Entra admin centre")
        [application] = self._stage.tenant.applications
        self._stage.tenant.grant_admin_consent(application["appId"])
        self._stage.clock.move(timedelta(minutes=1))
        await self._watch(": ready")
        self._scene("What the finished card says")
        self._show(self._card(), where="#approvals")

    async def _watch(self, end: str) -> None:
        """Show each change of the card until its headline says this."""
        seen = self._progress()
        while end not in seen:
            seen = await self._progress_after(seen)
            self._show(seen, where="#approvals")

    async def _hand_over(self) -> None:
        workspace = self._workspace
        self._scene("Rosa has a new direct message, which holds no secret")
        await workspace.until(lambda: "your connector values" in self._direct())
        self._show(self._direct(), where="direct message")
        self._scene("She presses Get the values: only she sees the answer")
        await workspace.click("rosa", "Get the values")
        self._show(self._whisper(), where="ephemeral")
        self._scene("She presses Show the secret: this works once")
        await workspace.click("rosa", "Show the secret")
        self._show(self._whisper(), where="ephemeral")

    async def _mask(self) -> None:
        self._scene("A minute later it is masked for good")
        self._stage.clock.move(timedelta(seconds=61))
        await self._workspace.until(lambda: "masked for good" in self._whisper())
        self._show(self._whisper(), where="ephemeral")

    async def _wonder(self) -> None:
        workspace = self._workspace
        self._scene(f"Ben asks in #general: @aad-setup status {self._id}")
        asked = await workspace.mention("ben", f"status {self._id}", channel="general")
        await workspace.until(lambda: workspace.replies(asked))
        self._show(self._read(workspace.replies(asked)[0]), where="thread in #general")

    def _card(self) -> str:
        return self._read(self._workspace.messages("approvals")[0])

    def _progress(self) -> str:
        """Return the part of the card that moves: its headline and its steps."""
        lines = self._card().splitlines()
        moving = [line for line in lines if line.lstrip()[:1] in tuple("✔●○✖") or " steps " in line]
        return "\n".join([lines[0], *moving])

    async def _progress_after(self, seen: str) -> str:
        await self._workspace.until(lambda: self._progress() != seen, timeout=30)
        return self._progress()

    def _direct(self) -> str:
        return self._read(self._workspace.messages("rosa")[-1])

    def _whisper(self) -> str:
        return self._read(self._workspace.ephemerals("rosa")[-1])

    def _read(self, item: dict[str, Any]) -> str:
        return self._workspace.text_of(item)

    def _scene(self, title: str) -> None:
        self._console.print()
        self._console.print(Text(f"▶ {title}", style="bold cyan"), soft_wrap=True)

    def _show(self, text: str, *, where: str | None = None) -> None:
        if where is not None:
            self._console.print(Text(f"  ({where})", style="dim"))
        for line in text.splitlines():
            indent = INDENT + " " * (len(line) - len(line.lstrip()))
            for part in wrap(line.strip(), self._console.width - len(indent)) or [""]:
                self._console.print(Text(indent + part), soft_wrap=True)
