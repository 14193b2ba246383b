"""The services that every component uses. Made once at the start, never changed."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Policy
from bot.domain.catalogue import Catalogue
from bot.settings.settings import Settings
from bot.storage.database import Database
from bot.storage.vault import Vault
from bot.worker.loops import Wakeups
from bot.worker.outages import AwaitedService
from graph.clock import Clock
from graph.connection import Connection

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Characters of ids, without those that look like another."""


def new_id() -> str:
    """Return an id such as AAD-7K3F, short enough to say aloud. Storage checks that it is free."""
    return "AAD-" + "".join(secrets.choice(ALPHABET) for _ in range(4))


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that components share."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    policy: Policy
    vault: Vault
    database: Database
    tenant: Connection
    installation: str
    """The id that marks the objects of this bot in the tenant."""
    entra: AwaitedService
    executor: str
    """The name of this process among the replicas."""
    wakeups: Wakeups = field(default_factory=Wakeups)
    new_id: Callable[[], str] = new_id

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction, and wake the background loops after its commit."""
        async with self.database.transaction() as tx:
            yield tx
        self.wakeups.wake_all()
