"""Killed while an approver's sign-in grants: it still waits, and another sign-in finishes it."""

import shutil
from pathlib import Path

import aiohttp
import pytest

from bot.playground.stage import Stage
from tests.support.crash_process import Commit, Death, told
from tests.support.crash_runner import living
from tests.support.signing_in import (
    CALLBACK,
    code_for,
    consent_world,
    landed,
    link_for,
    signed_in,
    waiting,
)
from tests.support.story import Story

pytestmark = pytest.mark.slow

USED = Commit("sign-in used", r"UPDATE sign_ins SET flow=\S+ used_at=")
GIVEN = told("consent given")
DEATHS = (
    Death(when="after", at=USED),
    Death(when="after", at=told("approver signed in")),
    Death(when="before", at=GIVEN),
)


@pytest.mark.parametrize("death", DEATHS, ids=str)
async def test_another_sign_in_finishes_it(
    stage: Stage, empty_databases: Path, death: Death
) -> None:
    shutil.copytree(empty_databases, stage.folder, dirs_exist_ok=True)
    world, story = consent_world(stage), Story(stage)
    async with living(stage, **world.environ) as lives:
        await lives.begin(death)
        id = await waiting(story)
        browser, link = world.browser(), await link_for(story, "ada", id)
        landing = await landed(world, browser, link)
        with pytest.raises(aiohttp.ClientError):
            await browser.post(CALLBACK, landing.form)
        await lives.until_dead()
        await lives.begin()
        await story.until(lambda: "[Sign in and grant]" in story.card(id))
        again = await browser.post(CALLBACK, landing.form)
        assert (again.status, "used already" in again.text) == (403, True)
        assert (await signed_in(world, story, id)).status == 200
        await lives.until(lambda: story.is_announced(id))


@pytest.mark.parametrize("death", DEATHS[1:], ids=str)
async def test_another_code_finishes_it(stage: Stage, empty_databases: Path, death: Death) -> None:
    shutil.copytree(empty_databases, stage.folder, dirs_exist_ok=True)
    world, story = consent_world(stage, CONSENT_DEVICE_CODE="yes"), Story(stage)
    account = world.accounts["ada"]
    async with living(stage, **world.environ) as lives:
        await lives.begin(death)
        id = await waiting(story)
        page, user_code = await code_for(story, "ada", id)
        await stage.tenant.sign_in_as(account, page, user_code=user_code)
        await lives.until_dead()
        await lives.begin()
        await story.until(lambda: "[Sign in with a code]" in story.card(id))
        assert "70018" in str(await stage.tenant.sign_in_as(account, page, user_code=user_code))
        page, user_code = await code_for(story, "ada", id)
        await stage.tenant.sign_in_as(account, page, user_code=user_code)
        await lives.until(lambda: story.is_announced(id))
