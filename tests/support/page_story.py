"""A registration by way of the page: what three people do in their windows."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from handlers.views import ids
from tests.support.page_window import Window, window

FORM = {ids.NAME: "Mimecast sync", ids.REASON: "Mail security needs our users and groups"}


@dataclass(frozen=True, kw_only=True)
class People:
    """Their windows: Rosa asks, Ada and Grace approve."""

    rosa: Window
    ada: Window
    grace: Window

    async def ask(self, **values: Any) -> None:
        """Fill in the form and send it; return once both approvers can decide."""
        await self.rosa.do("command")
        await self.rosa.until(lambda: "modal" in self.rosa.shown)
        sent = await self.rosa.do("submit", values={**FORM, **values})
        assert not sent["errors"], sent
        await self.ada.until(lambda: self.ada.offers(ids.APPROVE))
        await self.grace.until(lambda: self.grace.offers(ids.APPROVE))

    async def approve(self) -> None:
        """Approve; return once an administrator is called for."""
        await self.ada.do("click", label=ids.APPROVE)
        await self.ada.until(lambda: self.ada.offers(ids.CHECK_CONSENT))

    async def consent(self) -> None:
        """Press *Grant admin consent* in the tenant; return once Rosa can get the values."""
        [application] = await self.grace.until(lambda: self.grace.of("application/"))
        await self.grace.ask("tenant/consent", {"app_id": application["appId"]})
        await self.grace.ask("clock", {"seconds": 60})
        await self.rosa.until(lambda: self.rosa.offers(ids.VALUES))

    async def reveal(self) -> None:
        """Get the values and show the secret."""
        await self.rosa.do("click", label=ids.VALUES)
        await self.rosa.until(lambda: self.rosa.offers(ids.REVEAL))
        await self.rosa.do("click", label=ids.REVEAL)
        await self.rosa.until(lambda: self.rosa.offers(ids.MASK))

    @property
    def all(self) -> tuple[Window, ...]:
        return self.rosa, self.ada, self.grace


@asynccontextmanager
async def people(url: str) -> AsyncIterator[People]:
    """Open a window for each."""
    async with AsyncExitStack() as stack:
        rosa, ada, grace = [
            await stack.enter_async_context(window(url, name)) for name in ("rosa", "ada", "grace")
        ]
        yield People(rosa=rosa, ada=ada, grace=grace)
