"""Races: two registrars over one database, and acts that happen at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from tests.support.registrar_env import RegistrarEnv, two_registrar_envs

RegistrarEnvs = tuple[RegistrarEnv, RegistrarEnv]
URL = "https://hooks.slack.com/actions/x"
"""Where a reveal is answered."""


@pytest.fixture
async def registrar_envs(database_url: str, clock: MovableClock) -> AsyncIterator[RegistrarEnvs]:
    """Two replicas on PostgreSQL, two clicks in one process on SQLite."""
    async with two_registrar_envs(database_url, clock) as both:
        yield both


@pytest.fixture
async def careful(database_url: str, clock: MovableClock) -> AsyncIterator[RegistrarEnvs]:
    """As before, where two approvals are needed."""
    async with two_registrar_envs(database_url, clock, approvals_needed=2) as both:
        yield both


async def all_at_once(*acts: Awaitable[object]) -> list[str | None]:
    """Do everything at once; return what each was refused with."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each
    return [str(each) if isinstance(each, Refusal) else None for each in done]
