"""A window of the page without a browser: what its events say, and what is done in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")
SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Answered:
    status: int
    body: Any

    @property
    def error(self) -> str:
        return str(self.body["error"])


@dataclass(kw_only=True)
class Window:
    """One person's window, kept up by the page's events."""

    url: str
    person: str
    session: aiohttp.ClientSession = field(repr=False)
    shown: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    """The data of each event, as it came."""
    answers: list[str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(
        self, path: str, body: object = None, *, method: str = "POST", **headers: str
    ) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = None if method != "POST" else {} if body is None else body
        async with self.session.request(
            method, self.url + path, json=sent, headers=named
        ) as answer:
            self.answers.append(await answer.text())
            return Answered(status=answer.status, body=await answer.json())

    async def do(self, verb: str, **arguments: Any) -> Any:
        """Do in the workspace what this person can do, and return the result."""
        answer = await self.ask(f"workspace/{verb}", {"person": self.person, **arguments})
        assert answer.status == 200, answer.body
        return answer.body["result"]

    async def until(self, look: Callable[[], T]) -> T:
        """Look again at each event until there is something, and return it."""
        async with asyncio.timeout(SECONDS):
            while not (found := look()):
                await self._changed.wait()
            return found

    def of(self, prefix: str) -> list[Any]:
        """Return the values under keys that begin like this, in the order of their keys."""
        return [self.shown[key] for key in sorted(self.shown) if key.startswith(prefix)]

    def says(self, words: str) -> bool:
        """Whether any message in the window says this."""
        return words in json.dumps(self.of("message/"), ensure_ascii=False)

    def offers(self, action: str) -> bool:
        """Whether any message has an element of this action id."""
        return self.says(f'"action_id": "{action}"')

    async def follow(self) -> None:
        """Take in events until the stream ends."""
        address = f"{self.url}events?as={self.person}"
        async with self.session.get(address, timeout=aiohttp.ClientTimeout()) as stream:
            assert stream.status == 200, await stream.text()
            async for line in stream.content:
                if line.startswith(b"data: "):
                    self._take(line.removeprefix(b"data: ").rstrip(b"\n").decode())

    def _take(self, data: str) -> None:
        event = json.loads(data)
        if event["reset"]:
            self.shown.clear()
        self.shown |= event["set"]
        for key in event["drop"]:
            self.shown.pop(key, None)
        self.events.append(data)
        self._changed.set()
        self._changed = asyncio.Event()


@asynccontextmanager
async def window(url: str, person: str) -> AsyncIterator[Window]:
    """Open a window as a person, with all that it shows at first."""
    async with aiohttp.ClientSession(read_bufsize=2**24) as session:
        it = Window(url=url, person=person, session=session)
        following = asyncio.create_task(it.follow())
        try:
            await it.until(lambda: it.shown)
            yield it
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
