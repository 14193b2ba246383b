"""Killed while it takes back what is ready: at a call to Entra, at a commit, and it goes on."""

import asyncio
import json
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

import pytest

from bot.playground.tenant.faults import When
from bot.worker.attempts import MOST
from tests.support.crash_process import Commit, Death
from tests.support.crash_story import Road

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
SAMPLE = (("application", "after_effect"),)
MATRIX = [
    pytest.param(
        call,
        when,
        id=f"{call.name} {when}",
        marks=() if (call.name, when) in SAMPLE else pytest.mark.slow,
    )
    for call in CALLS
    for when in WAYS
]
DEATHS = [
    *(Death(when="before", at=TAKEN_BACK, nth=nth) for nth in range(1, 7)),
    *(Death(when="after", at=at) for at in (ASKED, TAKEN_BACK, REVOKED)),
    *(Death(when="before", at=at) for at in (ASKED, REVOKED)),
]


@pytest.mark.parametrize(("call", "when"), MATRIX)
async def test_a_kill_during_a_call_leaves_nothing_behind(
    road: Road, call: Call, when: When
) -> None:
    await _ready(road)
    held = road.tenant.faults.hold(call.method, call.path, when=when)
    await _press_revoke(road)
    await road.kill_at(held)
    await _is_revoked(road)


@pytest.mark.slow
@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("call", SURE_CALLS, ids=lambda call: call.name)
async def test_a_kill_while_reads_lag_costs_no_more_than_the_lag(
    road: Road, call: Call, lag: float
) -> None:
    road.tenant.faults.lag = lag
    await _ready(road)
    held = road.tenant.faults.hold(call.method, call.path, when="after_effect")
    await _press_revoke(road)
    await road.kill_at(held)
    start = monotonic()
    await _is_revoked(road)
    assert monotonic() - start <= 3 * lag + 15


@pytest.mark.slow
@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_the_old_secret_goes_does_not_delay_the_new_one(
    road: Road, when: When
) -> None:
    await _ready(road)
    await road.take_it()
    held = road.tenant.faults.hold("POST", "/removePassword", when=when)
    known = road.notices()[-1]["ts"]
    await road.workspace.click("rosa", "Make a new one", on=road.notices()[-1])
    await road.kill_at(held)
    await road.lives.begin(later=AT_ONCE)
    await road.until(lambda: any(each["ts"] != known for each in road.notices()))
    road.workspace.reload("rosa")
    await road.take_it()
    assert await road.sign_in(road.secret) == 200
    assert len(road.live_secrets()) == 1


@pytest.mark.slow
async def test_a_run_is_not_given_up_for_being_killed_while_it_waits(road: Road) -> None:
    """More often than a run may be begun in vain."""
    await _ready(road)
    refused = road.tenant.faults.fail("DELETE", "/applications/", times=FOR_EVER)
    await _press_revoke(road)
    for _ in range(MOST + 2):
        await _waits_for_entra(road)
        await road.lives.kill()
        await road.lives.begin(later=AT_ONCE)
    refused.times = 0
    await _is_revoked(road)
    assert road.told("failed") == 0


@pytest.mark.slow
@pytest.mark.parametrize("death", DEATHS, ids=str)
async def test_a_kill_at_a_commit_leaves_nothing_behind(road: Road, death: Death) -> None:
    await _ready(road)
    assert await road.lives.stop() == 0
    await road.lives.begin(death)
    await road.insist(lambda: _press_revoke(road), lambda: road.told("revoke asked"))
    await _is_revoked(road)
    assert road.lives.deaths == 1


@pytest.mark.slow
@pytest.mark.parametrize("when", WAYS)
async def test_a_kill_while_it_deletes_for_good_is_made_good(road: Road, when: When) -> None:
    await _ready(road)
    await _press_revoke(road)
    await _is_revoked(road)
    held = road.tenant.faults.hold("DELETE", "/deletedItems/", when=when)
    await road.workspace.command("ada", f"purge {road.id}")
    await road.workspace.click("ada", "purge_asked")
    await road.kill_at(held)
    await road.lives.begin(later=AT_ONCE)
    await road.until(lambda: road.cards("Deleted for good"))
    assert road.tenant.deleted == []


@pytest.mark.slow
async def test_a_kill_while_a_new_secret_makes_way_leaves_neither(road: Road) -> None:
    await _ready(road)
    await road.take_it()
    making = road.tenant.faults.hold("POST", "/addPassword")
    await road.workspace.click("rosa", "Make a new one", on=road.notices()[-1])
    await road.reach(making)
    removing = road.tenant.faults.hold("DELETE", "/servicePrincipals/[^/]+$")
    await _press_revoke(road)
    await road.kill_at(removing)
    making.drop()
    await _is_revoked(road)
    assert road.stored("SELECT count(*) FROM messages WHERE kind = 'values'") == 1


async def _ready(road: Road) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    await road.approve_it()


async def _press_revoke(road: Road) -> None:
    await road.until(lambda: road.cards("[Revoke]") or road.lives.dead)
    cards = road.workspace.messages("approvals")
    with_button = [it for it in cards if "[Revoke]" in road.workspace.text_of(it)]
    await road.workspace.click("ada", "Revoke", on=with_button[-1])


async def _waits_for_entra(road: Road) -> None:
    """Wait until the run has called in this life, and is put aside."""
    before = len(road.tenant.calls("DELETE", "/applications/"))
    await road.until(lambda: len(road.tenant.calls("DELETE", "/applications/")) > before)
    for _ in range(100):
        if not road.stored("SELECT begun FROM runs WHERE ended_at IS NULL"):
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("The run is not put aside after 10 s.")


async def _is_revoked(road: Road) -> None:
    """Wait for it, and see that it happened once and left nothing but what Entra keeps."""
    while not road.cards("was revoked"):  # it may die after the commit, and before anybody is told
        if road.lives.dead:
            await road.lives.begin(later=AT_ONCE)
        await road.until(lambda: road.cards("was revoked") or road.lives.dead)
    tenant = road.tenant
    assert tenant.applications == tenant.service_principals == tenant.grants == []
    assert road.stored("SELECT status FROM registrations") == "revoked"
    assert road.told("revoke asked") == road.told("revoked") == 1
    buried = json.loads(road.stored("SELECT deleted FROM registrations"))
    assert {each["object_id"] for each in buried} == {each["id"] for each in tenant.deleted}
    assert [each["step"] for each in buried] == ["service_principal", "application"]
    assert road.stored("SELECT count(*) FROM secrets WHERE sealed IS NOT NULL") == 0
