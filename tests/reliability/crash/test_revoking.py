"""Killed while it takes back what is ready: at a call to Entra, at a commit, and it goes on."""

import asyncio
import json
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

import pytest

from bot.playground.tenant.faults import When
from bot.worker.scheduler import MOST
from tests.support.crash_process import Commit, Death
from tests.support.crash_story import CrashStory
from tests.support.purge_story import purge

AT_ONCE = timedelta(seconds=1)
"""From a death to the next start: nothing has settled by then, and nothing may wait for it."""
LAGS = (2.0, 5.0)


class Call(NamedTuple):
    """A call of a revocation, as the tenant sees it."""

    name: str
    method: str
    path: str


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
FOR_EVER = 10_000
REVOKED = Commit("revoked", r"INSERT INTO history.*'revoked'")
MATRIX = [pytest.param(call, when, id=f"{call.name} {when}") for call in CALLS for when in WAYS]
DEATHS = [
    *(Death(when="before", at=TAKEN_BACK, nth=nth) for nth in range(1, 7)),
    *(Death(when="after", at=at) for at in (ASKED, TAKEN_BACK, REVOKED)),
    *(Death(when="before", at=at) for at in (ASKED, REVOKED)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("call", "when"), MATRIX)
async def test_a_kill_during_a_call_leaves_nothing_behind(
    crash_story: CrashStory, call: Call, when: When
) -> None:
    await _ready(crash_story)
    held = crash_story.tenant.faults.hold(call.method, call.path, when=when)
    await _press_revoke(crash_story)
    await crash_story.kill_at(held)
    await _is_revoked(crash_story)


@pytest.mark.slow
@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("call", SURE_CALLS, ids=lambda call: call.name)
async def test_a_kill_while_reads_lag_costs_no_more_than_the_lag(
    crash_story: CrashStory, call: Call, lag: float
) -> None:
    crash_story.tenant.faults.lag = lag
    await _ready(crash_story)
    held = crash_story.tenant.faults.hold(call.method, call.path, when="after_effect")
    await _press_revoke(crash_story)
    await crash_story.kill_at(held)
    start = monotonic()
    await _is_revoked(crash_story)
    assert monotonic() - start <= 3 * lag + 15


@pytest.mark.slow
@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_the_old_secret_goes_does_not_delay_the_new_one(
    crash_story: CrashStory, when: When
) -> None:
    await _ready(crash_story)
    await crash_story.take_it()
    held = crash_story.tenant.faults.hold("POST", "/removePassword", when=when)
    known = crash_story.notices()[-1]["ts"]
    await crash_story.workspace.click("rosa", "Make a new one", on=crash_story.notices()[-1])
    await crash_story.kill_at(held)
    await crash_story.lives.begin(later=AT_ONCE)
    await crash_story.until(lambda: any(each["ts"] != known for each in crash_story.notices()))
    crash_story.workspace.reload("rosa")
    await crash_story.take_it()
    assert await crash_story.sign_in(crash_story.secret) == 200
    assert len(crash_story.live_secrets()) == 1


@pytest.mark.slow
async def test_a_run_is_not_given_up_for_being_killed_while_it_waits(
    crash_story: CrashStory,
) -> None:
    """More often than a run may be begun in vain."""
    await _ready(crash_story)
    refused = crash_story.tenant.faults.fail("DELETE", "/applications/", times=FOR_EVER)
    await _press_revoke(crash_story)
    for _ in range(MOST + 2):
        await _waits_for_entra(crash_story)
        await crash_story.lives.kill()
        await crash_story.lives.begin(later=AT_ONCE)
    refused.times = 0
    await _is_revoked(crash_story)
    assert crash_story.told("failed") == 0


@pytest.mark.slow
@pytest.mark.parametrize("death", DEATHS, ids=str)
async def test_a_kill_at_a_commit_leaves_nothing_behind(
    crash_story: CrashStory, death: Death
) -> None:
    await _ready(crash_story)
    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin(death)
    await crash_story.insist(
        lambda: _press_revoke(crash_story), lambda: crash_story.told("revoke asked")
    )
    await _is_revoked(crash_story)
    assert crash_story.lives.deaths == 1


@pytest.mark.slow
@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_it_deletes_for_good_is_made_good(
    crash_story: CrashStory, when: When
) -> None:
    await _ready(crash_story)
    await _press_revoke(crash_story)
    await _is_revoked(crash_story)
    held = crash_story.tenant.faults.hold("DELETE", "/deletedItems/", when=when)
    await purge(crash_story, crash_story.id)
    await crash_story.kill_at(held)
    await crash_story.lives.begin(later=AT_ONCE)
    await crash_story.until(lambda: crash_story.cards("Deleted for good"))
    assert crash_story.tenant.deleted == []


@pytest.mark.slow
async def test_a_kill_while_a_new_secret_makes_way_leaves_neither(crash_story: CrashStory) -> None:
    await _ready(crash_story)
    await crash_story.take_it()
    making = crash_story.tenant.faults.hold("POST", "/addPassword")
    await crash_story.workspace.click("rosa", "Make a new one", on=crash_story.notices()[-1])
    await crash_story.reach(making)
    removing = crash_story.tenant.faults.hold("DELETE", "/servicePrincipals/[^/]+$")
    await _press_revoke(crash_story)
    await crash_story.kill_at(removing)
    making.drop()
    await _is_revoked(crash_story)
    assert crash_story.stored("SELECT count(*) FROM messages WHERE kind = 'values'") == 1


async def _ready(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await crash_story.approve_it()


async def _press_revoke(crash_story: CrashStory) -> None:
    await crash_story.until(lambda: crash_story.cards("[Revoke]") or crash_story.lives.dead)
    cards = crash_story.workspace.messages("approvals")
    with_button = [it for it in cards if "[Revoke]" in crash_story.workspace.text_of(it)]
    await crash_story.workspace.click("ada", "Revoke", on=with_button[-1])


async def _waits_for_entra(crash_story: CrashStory) -> None:
    """Wait until the run has called in this life, and is put aside."""
    before = len(crash_story.tenant.calls("DELETE", "/applications/"))
    await crash_story.until(
        lambda: len(crash_story.tenant.calls("DELETE", "/applications/")) > before
    )
    for _ in range(100):
        if not crash_story.stored("SELECT carried_by FROM runs WHERE ended_at IS NULL"):
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("The run is not put aside after 10 s.")


async def _is_revoked(crash_story: CrashStory) -> None:
    """Wait for it, and see that it happened once and left nothing but what Entra keeps."""
    while not crash_story.cards(
        "was revoked"
    ):  # it may die after the commit, and before anybody is told
        if crash_story.lives.dead:
            await crash_story.lives.begin(later=AT_ONCE)
        await crash_story.until(lambda: crash_story.cards("was revoked") or crash_story.lives.dead)
    tenant = crash_story.tenant
    assert tenant.applications == tenant.service_principals == tenant.grants == []
    assert crash_story.stored("SELECT status FROM registrations") == "revoked"
    assert crash_story.told("revoke asked") == crash_story.told("revoked") == 1
    buried = json.loads(crash_story.stored("SELECT deleted FROM registrations"))
    assert {each["object_id"] for each in buried} == {each["id"] for each in tenant.deleted}
    assert [each["step"] for each in buried] == ["service_principal", "application"]
    assert crash_story.stored("SELECT count(*) FROM secrets WHERE sealed IS NOT NULL") == 0
