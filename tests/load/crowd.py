"""A crowd: people who ask, approvers who approve, and all of them try again when told to."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from bot.playground.stage import Stage
from tests.load import report
from tests.support.story import Story

T = TypeVar("T")
REFUSED = "Slack did not say who you are"


class Crowd:
    """People who ask, and approvers who approve."""

    def __init__(self, stage: Stage, *, people: int, every: float, patience: float) -> None:
        """Take the seconds between two acts, and how many to wait for what they lead to."""
        self.stage = stage
        self.story = Story(stage)
        self.workspace = stage.workspace
        self.names = [f"person-{number}" for number in range(people)]
        for name in self.names:
            self.workspace.add_person(name, name.capitalize())
        self.refused = 0
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self._every = every
        self._patience = patience
        # Nobody does two things at once.
        self._hands: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(self, count: int) -> Sequence[str]:
        """Send so many forms; return the ids once every card waits for approval."""
        each = [self.names[number % len(self.names)] for number in range(count)]
        await self._paced([partial(self._ask, *of) for of in zip(each, range(count), strict=True)])
        await self.workspace.until(
            lambda: len(self.workspace.messages("approvals")) == count, timeout=self._patience
        )
        cards = self.workspace.messages("approvals")
        return [str(card["text"]).split()[0].rstrip(":") for card in cards]

    async def approve(self, ids: Sequence[str]) -> None:
        cards = {id: self.story.card_of(id) for id in ids}
        await self._paced([partial(self._approve, cards[id]) for id in ids])

    async def see_all_ready(self, ids: Sequence[str]) -> None:
        """Wait until every message of theirs shows it; look twice a second, not at every call."""
        async with asyncio.timeout(self._patience):
            while not self._all_ready(ids):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.5)

    def _all_ready(self, ids: Sequence[str]) -> bool:
        where = ["approvals", *self.names]
        return self.announced() == len(ids) and not report.lost(self.workspace, where, ids)

    def announced(self) -> int:
        """Count the registrations whose values were announced."""
        return sum(
            "your connector values" in message["text"]
            for name in self.names
            for message in self.workspace.messages(name)
        )

    async def _ask(self, name: str, number: int) -> None:
        form = {"Application name": f"load {number}", "Reason": "To sync"}
        async with self._hands[name]:
            command = partial(self.workspace.command, name, "")
            while (await self._timed("command", command)).text.startswith(REFUSED):
                await self._again()
            submit = partial(self.workspace.submit, name, form)
            while errors := (await self._timed("submission", submit)).errors:
                assert all(REFUSED in each for each in errors.values()), errors
                await self._again()

    async def _approve(self, card: dict[str, object]) -> None:
        async with self._hands["ada"]:
            seen = len(self.workspace.ephemerals("ada"))
            click = partial(self.workspace.click, "ada", "Approve", on=card)
            await self._timed("click", click)
            while len(whispers := self.workspace.ephemerals("ada")) > seen:
                assert str(whispers[-1]["text"]).startswith(REFUSED), whispers[-1]
                await self._again()
                seen = len(whispers)
                await self._timed("click", click)

    async def _timed(self, kind: str, act: Callable[[], Awaitable[T]]) -> T:
        began = time.perf_counter()
        found = await act()
        self.took[kind].append(time.perf_counter() - began)
        return found

    async def _again(self) -> None:
        """Wait a moment, as the sentence says."""
        self.refused += 1
        await asyncio.sleep(5)

    async def _paced(self, acts: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Begin one act after another, whatever became of those before."""
        tasks = []
        for act in acts:
            tasks.append(asyncio.ensure_future(act()))
            await asyncio.sleep(self._every)
        await asyncio.gather(*tasks)
