"""Users who have chosen plain cards."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import Person
from bot.storage.rows import count, insert_or_ignore, is_person
from bot.storage.tables import plain_readers


async def reads_plainly(tx: AsyncConnection, user_id: str) -> bool:
    return await count(tx, plain_readers, plain_readers.c.user_id == user_id) > 0


async def choose(tx: AsyncConnection, person: Person, *, plain: bool) -> None:
    if plain:
        await insert_or_ignore(tx, plain_readers, team_id=person.team_id, user_id=person.user_id)
    else:
        await tx.execute(sa.delete(plain_readers).where(is_person(plain_readers, person)))
