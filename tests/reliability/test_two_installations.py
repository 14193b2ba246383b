"""Two installations with databases of their own on one tenant, and databases that were copied.

Each touches what it made, and nothing else: not by name, not by registration id, not by key.
"""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage, install, standing
from bot.playground.tenant.tenant import AUTONOMOUS
from tests.support.crash_calls import CALLS
from tests.support.crash_checks import a_day_later
from tests.support.crash_process import Death, told
from tests.support.crash_runner import living
from tests.support.crash_story import CrashStory
from tests.support.graph_requests import story_fits
from tests.support.graph_schema import Schema

pytestmark = pytest.mark.slow

SUBMITTED = Death(when="after", at=told("submitted"))
SECRET = next(call for call in CALLS if call.name == "secret")


class Two(NamedTuple):
    """The roads of two teams that share a tenant."""

    first: CrashStory
    second: CrashStory


@pytest.fixture
async def stages(
    tmp_path: Path, clock: MovableClock, ca: trustme.CA, schema: Schema | None
) -> AsyncIterator[tuple[Stage, Stage]]:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with (
        standing(folder=tmp_path / "first", clock=clock, ca=ca, users=50, groups=5) as first,
        workspaces.running(clock=clock) as workspace,
    ):
        install(workspace)
        yield first, replace(first, workspace=workspace, folder=tmp_path / "second")
    if schema is not None:
        story_fits(schema, first.tenant)


@pytest.fixture
async def two(stages: tuple[Stage, Stage]) -> AsyncIterator[Two]:
    """Both bots sign in as the same application: the tenant cannot tell them apart."""
    first, second = stages
    async with living(first) as one, living(second) as other:
        yield Two(CrashStory(first, one), CrashStory(second, other))


@pytest.fixture
async def strangers(stages: tuple[Stage, Stage]) -> AsyncIterator[Two]:
    """Each bot is an application of its own."""
    first, second = stages
    own = first.tenant.add_administrator(AUTONOMOUS)
    changes = {"ENTRA_CLIENT_ID": own.client_id, "ENTRA_CLIENT_SECRET": own.client_secret}
    async with living(first) as one, living(second, **changes) as other:
        yield Two(CrashStory(first, one), CrashStory(second, other))


async def test_the_same_wish_makes_an_application_in_each_installation(two: Two) -> None:
    await _walk_both(two)


async def test_bots_with_rights_of_their_own_stay_apart_too(strangers: Two) -> None:
    await _walk_both(strangers)


async def test_a_sweep_removes_no_secret_of_the_same_registration_id_elsewhere(two: Two) -> None:
    """The id is the same in a copied database; the key is not, and only the key counts."""
    await _copied(two, key="aad-setup-0123456789ab-00112233445566778899aabbccddeeff")
    await two.first.ask_for_it()
    stray = two.first.tenant.faults.hold(SECRET.method, SECRET.path)
    await two.first.click_approve()
    await two.first.kill_at(stray)
    await two.first.walk_on()
    await two.second.walk()
    assert two.first.id == two.second.id
    before = deepcopy(two.first.application)
    assert len(two.first.live_secrets()) == 2

    await a_day_later(two.second)
    assert two.first.application == before
    await a_day_later(two.first)
    for crash_story in two:
        assert len(crash_story.live_secrets()) == 1
        assert await crash_story.sign_in(crash_story.secret) == 200


async def test_a_copied_key_takes_nothing_over_and_undoes_nothing(two: Two) -> None:
    """Not at the first try, not when it is retried, and not when it is undone."""
    await _copied(two)
    await two.first.walk()
    before = deepcopy(two.first.application)

    second = two.second
    await second.ask_for_it()
    await second.click_approve()
    await second.until(lambda: second.cards("[Retry]"))
    (card,) = second.cards("failed")
    assert "belongs to an application that this bot did not make" in card
    assert two.first.application == before

    await second.workspace.click("ada", "Retry")
    await second.until(lambda: second.told("failed") == 2 and second.cards("[Undo]"))
    assert two.first.application == before

    await second.workspace.click("ada", "Undo")
    await second.until(lambda: second.told("failed") == 3 and second.cards("[Undo]"))
    assert "belongs to an application that this bot did not make" in second.cards("failed")[0]
    assert two.first.application == before
    assert len(two.first.live_secrets()) == 1
    assert await two.first.sign_in(two.first.secret) == 200


async def _walk_both(two: Two) -> None:
    for crash_story in two:
        await crash_story.lives.begin()
        await crash_story.walk()
    apps: list[Any] = [deepcopy(crash_story.application) for crash_story in two]
    assert apps[0]["appId"] != apps[1]["appId"]
    assert "billing" in two.second.cards("is ready")[0]
    for crash_story in two:
        await a_day_later(crash_story)
    assert [crash_story.application for crash_story in two] == apps
    for crash_story in two:
        assert await crash_story.sign_in(crash_story.secret) == 200
        assert await crash_story.lives.stop() == 0
    assert not two.first.tenant.calls("DELETE")
    assert not two.first.tenant.calls("POST", "removePassword")


async def _copied(two: Two, *, key: str | None = None) -> None:
    """Let the first bot take a form and die; copy its database, with another key or the same."""
    await two.first.lives.begin(SUBMITTED)
    await two.first.send_form()
    await two.first.lives.until_dead()
    two.second.is_sent = True  # by the other team, to the database that is copied
    for file in two.first.stage.folder.glob("aad-setup*"):  # all, or it counts as a restore
        shutil.copy(file, two.second.stage.folder)
    if key is not None:
        file = two.second.stage.folder / "aad-setup.db"
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE registrations SET key = ?", (key,))
            database.execute("UPDATE installation SET id = ?", (key.split("-")[2],))
    two.first.is_sent = True
