"""Killed around an administrator's consent: it goes on, with one application, secret and call."""

from typing import Literal

import pytest

from bot.playground.stage import Stage
from bot.playground.tenant.faults import When
from tests.support.crash_checks import ROLES, SCOPES, holds
from tests.support.crash_process import NONCE, Commit, Death, told
from tests.support.crash_story import LATER, CrashStory
from tests.support.portal_bot import portal_settings

pytestmark = pytest.mark.slow

AWAITED, GIVEN = told("consent awaited"), told("consent given")
TICKED = Commit("a tick", r"UPDATE steps SET [^\n]*facts=")
SIDES: tuple[Literal["before", "after"], ...] = ("before", "after")
BEGINNINGS = [Death(when="before", at=AWAITED), Death(when="after", at=AWAITED)]
LOOKS = [
    Death(when="before", at=Commit("a claim", "UPDATE dues SET at=")),
    Death(when="before", at=GIVEN),
    Death(when="after", at=GIVEN),
    Death(when="before", at=NONCE),
]
HELD: tuple[When, ...] = ("before_effect", "after_effect")


@pytest.fixture
def changes(stage: Stage) -> dict[str, str]:
    return portal_settings(stage)


@pytest.mark.parametrize("death", BEGINNINGS, ids=str)
async def test_a_kill_where_it_begins_to_wait(story: CrashStory, death: Death) -> None:
    await _waits(story, death)
    assert story.lives.deaths == 1
    await _consent(story)
    await _goes_on(story)


async def _killed_at(story: CrashStory, path: str, when: When) -> None:
    """Kill it at a call after the consent."""
    await _waits(story)
    await _consent(story)
    held = story.tenant.faults.hold("POST", path, when=when)
    await story.lives.begin(later=LATER)
    await story.kill_at(held)


@pytest.mark.parametrize("when", [HELD[0], pytest.param(HELD[1], marks=pytest.mark.slow)])
async def test_a_kill_during_a_look(story: CrashStory, when: When) -> None:
    await _killed_at(story, r"/\$batch$", when)
    await _goes_on(story)


@pytest.mark.parametrize("death", LOOKS, ids=str)
async def test_a_kill_at_a_commit_of_a_look(story: CrashStory, death: Death) -> None:
    await _waits(story)
    await _consent(story)
    await story.lives.begin(death, later=LATER)
    await story.lives.until_dead()
    await _goes_on(story)


@pytest.mark.parametrize("when", HELD)
async def test_a_kill_while_the_secret_is_made(story: CrashStory, when: When) -> None:
    """Its own secret is nothing that somebody has added."""
    await _killed_at(story, r"/addPassword$", when)
    await story.lives.begin(later=LATER)
    await story.approve_it()
    await story.take_it()
    await holds(story, cards=2)


@pytest.mark.parametrize("when", SIDES)
async def test_a_kill_where_a_part_was_granted(
    story: CrashStory, when: Literal["before", "after"]
) -> None:
    await _waits(story)
    await story.lives.kill()
    story.tenant.give(story.application["appId"], roles=ROLES)
    await story.lives.begin(Death(when=when, at=TICKED), later=LATER)
    await story.lives.until_dead()
    await story.lives.begin(later=LATER)
    await story.until_written(lambda: story.stored(_TICKS) == len(ROLES))
    assert story.stored(_SECRETS) == 0
    await story.lives.kill()
    story.tenant.give(story.application["appId"], scopes=SCOPES)
    await _goes_on(story)


_SECRETS = "SELECT count(*) FROM secrets"
_POSTED = "SELECT count(*) FROM messages WHERE kind = 'consent' AND ts IS NOT NULL"
_TICKS = "SELECT count(*) FROM steps WHERE name LIKE 'role:%' AND facts IS NOT NULL"


async def _waits(story: CrashStory, death: Death | None = None) -> None:
    """Walk the road to where an administrator is called."""
    await story.lives.begin(death)
    await story.ask_for_it()
    await story.insist(story.click_approve, lambda: _calls(story))
    await story.until_written(lambda: story.stored(_POSTED))  # else a kill lets it post it again
    assert story.stored(_SECRETS) == 0


async def _consent(story: CrashStory) -> None:
    """Grant all while the bot does not run."""
    await story.lives.kill()
    story.tenant.give(story.application["appId"], roles=ROLES, scopes=SCOPES)


async def _goes_on(story: CrashStory) -> None:
    """Start it after the consent, and see that all that must be there is there once."""
    await story.lives.begin(later=LATER)
    await story.approve_it()
    await story.take_it()
    await holds(story, cards=2)
    assert story.told("consent awaited") == story.told("consent given") == 1
    assert story.stored(_SECRETS) == 1
    assert len(_calls(story)) == 1


def _calls(story: CrashStory) -> list[str]:
    """Return the messages that call for an administrator, or did."""
    said = f"{story.id} needs admin consent", f"{story.id} no longer waits"
    return [each for each in story.cards("") if each.startswith(said)]
