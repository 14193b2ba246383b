"""A story with crashes: what users do when the bot dies under their hands: they look again and try
again.

Rosa and Ada insist. Whoever starts the bot does so two minutes after each death.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, Protocol

from bot.playground.stage import Stage
from tests.support.crash_runner import SECONDS, CrashRunner
from tests.support.graph_caller import client, sign_in
from tests.support.story import Story

LATER = timedelta(minutes=2)
"""From a death to the next start: claims of messages have lapsed, doubts have come."""
DAY = timedelta(hours=25)
TRIES = 5

Json = dict[str, Any]


class Held(Protocol):
    """A call that a simulator keeps back."""

    reached: asyncio.Event

    def drop(self) -> None:
        """Break the connection."""


class CrashStory(Story):
    """The main road, walked whatever happens."""

    def __init__(self, stage: Stage, lives: CrashRunner) -> None:
        super().__init__(stage)
        self.lives = lives
        self.id = ""
        self.secret = ""
        self.is_sent = False

    async def until(self, predicate: Any, timeout: float = SECONDS) -> Any:  # noqa: ASYNC109 - as the workspace's own
        return await self.lives.until(predicate, timeout=timeout)

    async def walk(self) -> None:
        """Ask, approve, reveal, mask."""
        await self.ask_for_it()
        await self.walk_on()

    async def walk_on(self) -> None:
        await self.approve_it()
        await self.take_it()

    async def ask_for_it(self) -> None:
        """Ask. A bot that does not run is started."""
        await self.insist(self.send_form, lambda: self.cards("waits for approval"))
        self.id = self.cards("waits for approval")[-1].split()[0]

    async def approve_it(self) -> None:
        await self.insist(self.click_approve, lambda: self.notices())

    async def be_ready(self) -> None:
        """Ask and approve."""
        await self.ask_for_it()
        await self.approve_it()

    async def take_it(self) -> None:
        """Look at the secret and mask it; one of which the bot is in doubt is replaced."""
        await self.reveal_it()
        await self.insist(self.mask, lambda: self.secret not in self.whispers("rosa"))
        await self.insist(self._wait, lambda: self.is_doubtful() or self.is_over())
        if self.is_doubtful():
            await self.take_it()

    async def reveal_it(self) -> None:
        await self.insist(self._look, self.in_the_clear)
        self.secret = self.in_the_clear() or ""

    async def insist(self, act: Callable[[], Awaitable[None]], seen: Callable[[], Any]) -> None:
        """Do it; if the bot dies before it is seen, start the bot and look, and do it again."""
        for _ in range(TRIES):
            await self.revive()
            if not seen():
                await act()
            await self.until(lambda: seen() or self.lives.dead)
            if seen():
                return
        raise AssertionError(f"It died {self.lives.deaths} times.\n{self.workspace.picture()}")

    async def reach(self, held: Held) -> None:
        """Wait until the bot's call has come to where it is held."""
        coming = asyncio.create_task(held.reached.wait())
        coming.add_done_callback(lambda _: self.workspace.changed())
        try:
            await self.until(coming.done)
        finally:
            coming.cancel()

    async def kill_at(self, held: Held) -> None:
        """Kill the bot while its call is held, and let nobody ever have the answer."""
        await self.reach(held)
        await self.lives.kill()
        held.drop()

    async def revive(self) -> None:
        while self.lives.dead:
            await self.lives.begin(later=LATER)

    async def send_form(self) -> None:
        """A form that was not taken stays open and is sent again; one that was is waited for."""
        if self.is_sent:
            return
        if self.workspace.view_of("rosa") is None:
            await self.workspace.command("rosa", "")
        if self.workspace.view_of("rosa") is None:
            return
        answers = {"Application name": "billing", "Reason": "To sync the directory"}
        sent = await self.workspace.submit("rosa", answers)
        self.is_sent = sent.error is None

    async def click_approve(self) -> None:
        cards = self.workspace.messages("approvals")
        if waiting := [it for it in cards if "[Approve]" in self.workspace.text_of(it)]:
            await self.workspace.click("ada", "Approve", on=waiting[-1])

    async def _look(self) -> None:
        """Get the values, then press whichever button is there; a doubtful secret is renewed."""
        known = self.notices()[-1]
        await self.workspace.click("rosa", "Get the values", on=known)
        if not (whispers := self.workspace.ephemerals("rosa")):
            return
        words = self.workspace.text_of(whispers[-1])
        if "[Show the secret]" in words:
            await self.workspace.click("rosa", "Show the secret", on=whispers[-1])
            return
        if "[Make a new one]" not in words:
            await self.until(lambda: "[Make a new one]" in self.newest_notice() or self.lives.dead)
        if "[Make a new one]" in self.newest_notice():
            await self.workspace.click("rosa", "Make a new one", on=self.notices()[-1])
            await self.until(lambda: self._is_renewed(known) or self.lives.dead)
        if not self.lives.dead:
            await self._look()

    def _is_renewed(self, known: Json) -> bool:
        return any(notice["ts"] != known["ts"] for notice in self.notices())

    async def mask(self) -> None:
        for whisper in self.workspace.ephemerals("rosa"):
            if "[Mask now]" in self.workspace.text_of(whisper):
                await self.workspace.click("rosa", "Mask now", on=whisper)

    async def _wait(self) -> None:
        pass

    def is_doubtful(self) -> bool:
        return "It is unknown whether" in self.newest_notice()

    def is_over(self) -> bool:
        return "shown once and is now masked for good" in self.newest_notice()

    def in_the_clear(self) -> str | None:
        """Return the secret that stands on Rosa's screen now and that works."""
        shown = [key_of(it) for it in self.workspace.ephemerals("rosa")]
        clear = [key for key in shown if key and "•" not in key]
        return next((key for key in reversed(clear) if self._is_live(key)), None)

    def _is_live(self, key: str) -> bool:
        return any(key.startswith(each["hint"]) for each in self.live_secrets())

    @property
    def application(self) -> Json:
        """The application in the tenant that has this registration's key."""
        key = self.stored("SELECT key FROM registrations")
        return next(each for each in self.tenant.applications if each["uniqueName"] == key)

    def live_secrets(self) -> list[Json]:
        return self.tenant.live_secrets(self.application["appId"])

    def cards(self, words: str) -> list[str]:
        """Return the cards in the approval channel that say this."""
        found = map(self.read, self.workspace.messages("approvals"))
        return [card for card in found if words in card]

    def progress_messages(self) -> list[Json]:
        """Return Rosa's messages that say how it stands."""
        found = self.workspace.messages("rosa")
        return [it for it in found if it["ts"] not in {each["ts"] for each in self.notices()}]

    def notices(self) -> list[Json]:
        """Return Rosa's messages that values are there, oldest first."""
        return [
            message
            for message in self.workspace.messages("rosa")
            if "your connector values" in self.workspace.text_of(message)
        ]

    def newest_notice(self) -> str:
        """Return what stands there; nothing, while a newer one is on its way."""
        return "".join(map(self.workspace.text_of, self.notices()[-1:]))

    def told(self, what: str) -> int:
        """Return how often this stands in the history."""
        return int(self.stored("SELECT count(*) FROM history WHERE what = ?", what))

    def stored(self, question: str, *values: str) -> Any:
        """Ask the bot's database beside the running bot."""
        address = f"file:{self.stage.folder / 'aad-setup.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as database:
            return database.execute(question, values).fetchone()[0]

    async def until_written(self, seen: Callable[[], object]) -> None:
        """Wait for what the bot writes into its database, of which nothing tells."""
        async with asyncio.timeout(SECONDS):
            while not seen():  # noqa: ASYNC110 - another process writes this
                await asyncio.sleep(0.05)

    async def sign_in(self, secret: str) -> int:
        """Return the status with which the tenant's token endpoint answers this secret."""
        async with client(self.tenant) as http:
            answer = await sign_in(http, self.tenant, self.application["appId"], secret)
        return answer.status_code


def key_of(message: Json) -> str | None:
    """Return what stands below *Key* in a message with values."""
    for block in message.get("blocks", ()):
        if block["type"] == "rich_text":
            label, value = (part["elements"][0]["text"] for part in block["elements"])
            if label == "Key":
                return str(value)
    return None


async def in_use(story: CrashStory) -> str:
    """Walk the whole road, and return the secret; the bot is stopped then."""
    await story.lives.begin()
    await story.walk()
    assert await story.lives.stop() == 0
    return story.secret
