"""How users read cards: with Slack's plan blocks, or plainly."""

from dataclasses import dataclass

from bot.domain.people import Person
from bot.registrar.access import Access
from bot.storage import readers


@dataclass(frozen=True)
class Readers:
    """The choice of each user, where the settings leave one."""

    access: Access

    @property
    def may_choose(self) -> bool:
        return not self.access.services.settings.plain_cards

    async def reads_plainly(self, user_id: str) -> bool:
        """Whether cards for this user, or for a channel of this id, are drawn plainly."""
        if not self.may_choose:
            return True
        async with self.access.services.database.reading() as tx:
            return await readers.reads_plainly(tx, user_id)

    async def choose(self, *, plain: bool, by: Person) -> None:
        self.access.services.policy.check_account(by)
        async with self.access.services.database.transaction() as tx:
            await readers.choose(tx, by, plain=plain)
