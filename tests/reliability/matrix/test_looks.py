"""A look at an administrator's grants meets every fault: it only comes later, and nothing fails."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.domain.registration import Status
from bot.playground.stage import Stage
from bot.playground.tenant.faults import Fault, Faults, Hold, Throttle
from tests.reliability.matrix import promises
from tests.reliability.matrix.calls import Part, Spot
from tests.reliability.matrix.cases import Case, Strike
from tests.reliability.matrix.record import registration
from tests.reliability.matrix.scenario import cards, is_told_ready, send_form, strike
from tests.reliability.matrix.troubles import ENDING, FOR_GOOD, TROUBLES
from tests.support.portal_bot import portal_settings
from tests.support.running_bot import Bot
from tests.support.story import Story

SPOTS = (
    Spot(name="look", method="POST", path=r"/\$batch$", part=Part.CONSENT),
    *(
        Spot(name=name, method="GET", path=path, part=Part.CONSENT, batched=True)
        for name, path in (
            ("roles", "/appRoleAssignments$"),
            ("scopes", "/oauth2PermissionGrants$"),
        )
    ),
)
IN_BATCHES = {"429-retry-after", "503", "refused-for-good"}
CASES = [
    Case(id=f"{spot.name}-{trouble.name}", strikes=(Strike(spot=spot, trouble=trouble),))
    for spot in SPOTS
    for trouble in TROUBLES
    if trouble.fits(spot) and (trouble.name in IN_BATCHES or not spot.batched)
]
OUTAGE = timedelta(minutes=20)
SAMPLE = "look-reset-after-effect"


@pytest.fixture
async def story(stage: Stage, bot: Bot) -> AsyncIterator[Story]:
    async with bot(**portal_settings(stage)):
        yield Story(stage)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [pytest.param(it, id=it.id, marks=() if it.id == SAMPLE else pytest.mark.slow) for it in CASES],
)
async def test_a_look_in_trouble_comes_again(story: Story, case: Case) -> None:
    [trouble] = [each.trouble for each in case.strikes]
    await _waits(story)
    app_id = story.tenant.applications[-1]["appId"]
    story.tenant.give(app_id, roles=promises.ROLES, scopes=promises.SCOPES)
    meddling = strike(story, case, Part.CONSENT)
    if trouble.name in ENDING:
        before = story.clock.now()
        await story.eventually(lambda: story.clock.now() - before > OUTAGE)
        assert registration(story.stage)["status"] == Status.WAITING_FOR_CONSENT
        promises.no_secret_is_left(story)
        assert any(each.times < FOR_GOOD for each in _standing(story.tenant.faults))
        story.tenant.faults.clear()
    await story.eventually(lambda: is_told_ready(story))
    assert not any(each.times for each in _standing(story.tenant.faults))
    for each in meddling:
        await each
    promises.nobody_was_impatient(story, case)
    promises.there_is_one_application(story)
    promises.screens_and_storage_agree(story, Status.READY)
    promises.all_is_complete(story)


async def _waits(story: Story) -> None:
    await send_form(story)
    await story.until(lambda: "[Approve]" in cards(story))
    await story.workspace.click("ada", "Approve", on=story.workspace.messages("approvals")[-1])
    await story.until(lambda: registration(story.stage)["status"] == Status.WAITING_FOR_CONSENT)


def _standing(faults: Faults) -> list[Fault | Throttle | Hold]:
    """Return what was arranged; how often each still strikes tells whether it has met a call."""
    return [*faults.failures, *faults.throttles, *faults.holds]
