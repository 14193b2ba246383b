"""Votes: on plans and on rotations. Whoever counts them holds the lock of their registration."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import Vote
from bot.domain.people import Person
from bot.storage.rows import from_row
from bot.storage.tables import votes


async def of(tx: AsyncConnection, registration: str) -> tuple[Vote, ...]:
    """Return all votes on its plan and its rotations, oldest first, the void ones, too."""
    query = sa.select(votes).where(votes.c.registration == registration).order_by(votes.c.at)
    return tuple(
        from_row(
            Vote,
            row,
            person=Person(team_id=row["team_id"], user_id=row["user_id"], name=row["name"]),
            groups=tuple(row["groups"]),
        )
        for row in (await tx.execute(query)).mappings()
    )


async def cast(tx: AsyncConnection, registration: str, vote: Vote) -> None:
    """Add a vote. Raises IntegrityError if this person has one on the same thing that still counts:
    the primary key says no, whatever was read before.
    """
    mine = _by(registration, vote.person, rotation=vote.rotation)
    await tx.execute(sa.delete(votes).where(mine, votes.c.void.is_not(None)))
    await tx.execute(
        sa.insert(votes).values(
            registration=registration,
            rotation=vote.rotation,
            team_id=vote.person.team_id,
            user_id=vote.person.user_id,
            name=vote.person.name,
            verdict=vote.verdict,
            digest=vote.digest,
            groups=list(vote.groups),
            at=vote.at,
        )
    )


async def withdraw(tx: AsyncConnection, registration: str, person: Person) -> None:
    """Strike a vote on the plan off; history remembers it."""
    await tx.execute(sa.delete(votes).where(_by(registration, person, rotation="")))


async def update(tx: AsyncConnection, registration: str, vote: Vote) -> None:
    """Note whom a vote speaks for now, and why it no longer counts, if so."""
    await tx.execute(
        sa.update(votes)
        .where(_by(registration, vote.person, rotation=vote.rotation))
        .values(groups=list(vote.groups), void=vote.void)
    )


def _by(registration: str, person: Person, *, rotation: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        votes.c.registration == registration,
        votes.c.rotation == rotation,
        votes.c.team_id == person.team_id,
        votes.c.user_id == person.user_id,
    )
