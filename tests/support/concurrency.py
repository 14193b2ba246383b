"""Races: two offices over one database, and acts that happen at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from tests.support.registrar_env import Office, two_offices

Offices = tuple[Office, Office]
URL = "https://hooks.slack.com/actions/x"
"""Where a reveal is answered."""


@pytest.fixture
async def offices(database_url: str, clock: MovableClock) -> AsyncIterator[Offices]:
    """Two replicas on PostgreSQL, two clicks in one process on SQLite."""
    async with two_offices(database_url, clock) as both:
        yield both


@pytest.fixture
async def careful(database_url: str, clock: MovableClock) -> AsyncIterator[Offices]:
    """As before, where two approvals are needed."""
    async with two_offices(database_url, clock, approvals_needed=2) as both:
        yield both


async def all_at_once(*acts: Awaitable[object]) -> list[str | None]:
    """Do everything at once; return what each was refused with."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each
    return [str(each) if isinstance(each, Refusal) else None for each in done]
