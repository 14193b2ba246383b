"""Killed while it takes back what is ready: at a call to Entra, at a commit, and it goes on."""

import json
from datetime import timedelta
from time import monotonic

import pytest

from bot.playground.tenant.faults import When
from bot.worker.scheduler import MOST
from tests.support.crash_calls import Call
from tests.support.crash_process import Commit, Death
from tests.support.crash_story import CrashStory
from tests.support.purge_story import purge
from tests.support.removal_story import FOR_EVER

pytestmark = pytest.mark.slow

AT_ONCE = timedelta(seconds=1)
"""From a death to the next start: nothing has settled by then, and nothing may wait for it."""
LAGS = (2.0, 5.0)


CALLS = (
    Call("secret", "POST", "/removePassword"),
    Call("role", "DELETE", "/appRoleAssignedTo"),
    Call("scopes", "DELETE", "/oauth2PermissionGrants"),
    Call("service principal", "DELETE", "/servicePrincipals/[^/]+$"),
    Call("application", "DELETE", "/applications/"),
)
SURE_CALLS = tuple(each for each in CALLS if each.name not in ("role", "scopes"))
"""Those that are made although reads lag: a grant that is not listed yet goes with the others."""
WAYS: tuple[When, ...] = ("before_effect", "after_effect")
ASKED = Commit("revoke asked", r"INSERT INTO history.*'revoke asked'")
TAKEN_BACK = Commit("a step taken back", r"UPDATE steps SET facts=")
REVOKED = Commit("revoked", r"INSERT INTO history.*'revoked'")
MATRIX = [pytest.param(call, when, id=f"{call.name} {when}") for call in CALLS for when in WAYS]
DEATHS = [
    *(Death(when="before", at=TAKEN_BACK, nth=nth) for nth in range(1, 7)),
    *(Death(when="after", at=at) for at in (ASKED, TAKEN_BACK, REVOKED)),
    *(Death(when="before", at=at) for at in (ASKED, REVOKED)),
]


@pytest.mark.parametrize(("call", "when"), MATRIX)
async def test_a_kill_during_a_call_leaves_nothing_behind(
    story: CrashStory, call: Call, when: When
) -> None:
    await story.be_ready()
    held = story.tenant.faults.hold(call.method, call.path, when=when)
    await _press_revoke(story)
    await story.kill_at(held)
    await _is_revoked(story)


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("call", SURE_CALLS, ids=lambda call: call.name)
async def test_a_kill_while_reads_lag_costs_no_more_than_the_lag(
    story: CrashStory, call: Call, lag: float
) -> None:
    story.tenant.faults.lag = lag
    await story.be_ready()
    held = story.tenant.faults.hold(call.method, call.path, when="after_effect")
    await _press_revoke(story)
    await story.kill_at(held)
    start = monotonic()
    await _is_revoked(story)
    assert monotonic() - start <= 3 * lag + 15  # settling takes 16 minutes


@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_the_old_secret_goes_does_not_delay_the_new_one(
    story: CrashStory, when: When
) -> None:
    await story.be_ready()
    await story.take_it()
    held = story.tenant.faults.hold("POST", "/removePassword", when=when)
    known = story.notices()[-1]["ts"]
    await story.workspace.click("rosa", "Make a new one", on=story.notices()[-1])
    await story.kill_at(held)
    await story.lives.begin(later=AT_ONCE)
    await story.until(lambda: any(each["ts"] != known for each in story.notices()))
    story.workspace.reload("rosa")
    await story.take_it()
    assert await story.sign_in(story.secret) == 200
    assert len(story.live_secrets()) == 1


async def test_a_run_is_not_given_up_for_being_killed_while_it_waits(story: CrashStory) -> None:
    """More often than a run may be begun in vain."""
    await story.be_ready()
    refused = story.tenant.faults.fail("DELETE", "/applications/", times=FOR_EVER)
    await _press_revoke(story)
    for _ in range(MOST + 2):
        await _waits_for_entra(story)
        await story.lives.kill()
        await story.lives.begin(later=AT_ONCE)
    refused.times = 0
    await _is_revoked(story)
    assert story.told("failed") == 0


@pytest.mark.parametrize("death", DEATHS, ids=str)
async def test_a_kill_at_a_commit_leaves_nothing_behind(story: CrashStory, death: Death) -> None:
    await story.be_ready()
    await story.lives.restart(death)
    await story.insist(lambda: _press_revoke(story), lambda: story.told("revoke asked"))
    await _is_revoked(story)
    assert story.lives.deaths == 1


@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_it_deletes_for_good_is_made_good(story: CrashStory, when: When) -> None:
    await story.be_ready()
    await _press_revoke(story)
    await _is_revoked(story)
    held = story.tenant.faults.hold("DELETE", "/deletedItems/", when=when)
    await purge(story, story.id)
    await story.kill_at(held)
    await story.lives.begin(later=AT_ONCE)
    await story.until(lambda: story.cards("Deleted for good"))
    assert story.tenant.deleted == []


async def test_a_kill_while_a_new_secret_makes_way_leaves_neither(story: CrashStory) -> None:
    await story.be_ready()
    await story.take_it()
    making = story.tenant.faults.hold("POST", "/addPassword")
    await story.workspace.click("rosa", "Make a new one", on=story.notices()[-1])
    await story.reach(making)
    removing = story.tenant.faults.hold("DELETE", "/servicePrincipals/[^/]+$")
    await _press_revoke(story)
    await story.kill_at(removing)
    making.drop()
    await _is_revoked(story)
    assert story.stored("SELECT count(*) FROM messages WHERE kind = 'values'") == 1


async def _press_revoke(story: CrashStory) -> None:
    await story.until(lambda: story.cards("[… Revoke]") or story.lives.dead)
    cards = story.workspace.messages("approvals")
    with_button = [it for it in cards if "[… Revoke]" in story.workspace.text_of(it)]
    await story.workspace.click("ada", "Revoke", on=with_button[-1])


async def _waits_for_entra(story: CrashStory) -> None:
    """Wait until the run has called in this life, and is put aside."""
    before = len(story.tenant.calls("DELETE", "/applications/"))
    await story.until(lambda: len(story.tenant.calls("DELETE", "/applications/")) > before)
    carried = "SELECT carried_by FROM runs WHERE ended_at IS NULL"
    await story.until_written(lambda: not story.stored(carried))


async def _is_revoked(story: CrashStory) -> None:
    """Wait for it, and see that it happened once and left nothing but what Entra keeps."""
    while not story.cards("was revoked"):  # it may die after the commit, and before anybody is told
        if story.lives.dead:
            await story.lives.begin(later=AT_ONCE)
        await story.until(lambda: story.cards("was revoked") or story.lives.dead)
    tenant = story.tenant
    assert tenant.applications == tenant.service_principals == tenant.grants == []
    assert story.stored("SELECT status FROM registrations") == "revoked"
    assert story.told("revoke asked") == story.told("revoked") == 1
    buried = json.loads(story.stored("SELECT deleted FROM registrations"))
    assert {each["object_id"] for each in buried} == {each["id"] for each in tenant.deleted}
    assert [each["step"] for each in buried] == ["service_principal", "application"]
    assert story.stored("SELECT count(*) FROM secrets WHERE sealed IS NOT NULL") == 0
