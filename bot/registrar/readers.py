"""How users read cards: with Slack's plan blocks, or plainly."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.domain.people import Person
from bot.registrar.access import Access
from bot.storage.rows import count, insert_or_ignore, is_person
from bot.storage.tables import plain_readers


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
            return await count(tx, plain_readers, plain_readers.c.user_id == user_id) > 0

    async def choose(self, *, plain: bool, by: Person) -> None:
        self.access.services.policy.check_account(by)
        async with self.access.services.database.transaction() as tx:
            if plain:
                await insert_or_ignore(tx, plain_readers, team_id=by.team_id, user_id=by.user_id)
            else:
                await tx.execute(sa.delete(plain_readers).where(is_person(plain_readers, by)))
