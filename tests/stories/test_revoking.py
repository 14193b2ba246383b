"""Revoking: who may, what is gone then, and what if Entra, or something at work, is in the way."""

import asyncio
from datetime import timedelta

import pytest

from bot.doctor.orphans import LOOK
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.playground.tenant.faults import Fault, When
from bot.runs.provisioning import Provisioning
from bot.storage import secrets, timers
from bot.storage.secrets import Purpose
from bot.storage.timers import TimerKind
from tests.support import rotation_story
from tests.support.database import read, rows
from tests.support.doctor_cli import call
from tests.support.drift_story import by_hand, settled, somebody
from tests.support.factories import ADA
from tests.support.forged_clicks import forged_click
from tests.support.home_story import opened
from tests.support.marks import slow
from tests.support.registrar_env import two_registrar_envs
from tests.support.removal_story import FOR_EVER, nothing_is_left, press, revoke
from tests.support.running_bot import Bot
from tests.support.secret_lives import SecretLife, life_of
from tests.support.secret_story import MARK, make_a_new_one
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

AGAIN_IN = timedelta(minutes=61)
NOT_YET = "is not revoked yet"
FAILURES = "SELECT count(*) FROM history WHERE what = 'failed'"
OWED = "SELECT count(*) FROM messages WHERE shown < wanted"
"""How many messages are not shown, or not as they should be."""


async def stuck(story: Story, id: str) -> Fault:
    """Revoke it while Entra refuses to let it go."""
    fault = story.tenant.faults.refuse("DELETE", "/applications/")
    await press(story, id)
    await story.until(lambda: NOT_YET in story.card(id))
    return fault


@pytest.mark.quick
async def test_an_approver_revokes_and_everybody_is_told(story: Story) -> None:
    id = await story.ready()
    [application] = story.tenant.applications
    held = story.tenant.faults.hold("DELETE", "/applications/")
    await press(story, id, by="grace")
    await story.until(lambda: story.posted("approvals", f"@grace has revoked {id} (billing)."))
    await story.until(lambda: f"{id} is being revoked by @grace" in story.direct("rosa"))
    held.release()
    await story.until(lambda: story.direct("rosa").count("revoked by @grace") == 2)  # asked, done
    await story.until(lambda: f"{id} was revoked" in story.card())
    assert nothing_is_left(story)
    assert not story.tenant.roles_of(application["appId"])
    card = story.card()
    assert "Revocation asked for by @grace" in card
    assert "The connector can no longer sign in." in card
    assert "can restore it from Deleted applications in the Entra" in card
    assert f"Application (client) ID {application['appId']}" in card
    assert "Revoke]" not in card
    assert "steps done" not in card
    await story.until(lambda: f"{id} was revoked by @grace" in story.direct("rosa"))
    useless = f"{id} was revoked: its values no longer work."
    await story.until(lambda: useless in story.direct("rosa"))
    assert "[Get the values]" not in story.direct("rosa")
    assert "[Ask again]" in story.direct("rosa")
    told = await story.command("rosa", f"history {id}")
    assert "· revocation asked for · @grace" in told
    assert told.splitlines()[-1].endswith("· revoked")


async def test_a_revocation_that_ends_before_slack_takes_posts_is_told_once(story: Story) -> None:
    id = await story.ready()
    story.workspace.faults.throttle("chat.postMessage", retry_after=60, times=50)
    await revoke(story, id, by="grace")
    assert "revoked by @grace" not in story.direct("rosa")
    story.workspace.faults.clear()
    story.clock.move(timedelta(seconds=61))
    await story.until(lambda: story.posted("approvals", f"@grace has revoked {id} (billing)."))
    await story.until(lambda: f"{id} was revoked by @grace" in story.direct("rosa"))
    await story.eventually(lambda: not read(story.stage, OWED), step=timedelta(seconds=4))
    assert story.direct("rosa").count("revoked by @grace") == 1


async def test_the_requester_revokes_by_word_once_it_is_confirmed(story: Story) -> None:
    id = await story.ready()
    asked = await story.command("rosa", f"revoke {id.lower()}", channel="random")
    assert asked.startswith(f"Revoke {id}? The connector can no longer sign in")
    assert "Deleted applications in the Entra admin centre for 30 days" in asked
    assert len(story.tenant.applications) == 1
    await story.workspace.click("rosa", "revoke_asked")
    assert story.whispers("rosa") == f"{id} is being revoked. Its card says when that is done."
    await story.until(lambda: f"{id} was revoked" in story.card())
    await story.until(lambda: story.posted("approvals", f"@rosa has revoked {id}"))
    await story.until(lambda: f"{id} was revoked by @rosa" in story.direct("rosa"))
    assert f"{id} is being revoked by" not in story.direct("rosa")
    assert "Revocation asked for by @rosa" in story.card()
    assert nothing_is_left(story)
    again = await story.command("rosa", f"revoke {id}")
    assert again == f"{id} was revoked, so there is nothing to revoke."


async def test_the_requester_revokes_at_home_and_a_bystander_is_refused(story: Story) -> None:
    id = await story.ready()
    refused = "Only the requester or an approver can revoke this."
    assert await story.command("ben", f"revoke {id}") == refused
    for forged in ("revoke", "revoke_asked"):
        assert (await forged_click(story, "ben", forged, id)) == refused
    assert len(story.tenant.applications) == 1

    await story.until(lambda: "Revoke]" in story.direct("rosa"))
    assert "Revoke]" in await opened(story, "rosa")
    await story.workspace.click("rosa", "Revoke", on=story.workspace.home_of("rosa"))
    await story.until(lambda: f"{id} was revoked" in story.card())


async def test_of_two_who_revoke_at_once_one_wins(story: Story) -> None:
    id = await story.ready()
    held = story.tenant.faults.hold("DELETE", "/applications/", when="before_effect")
    await story.until(lambda: "[… Revoke]" in story.card())
    card = story.card_of(id)
    await asyncio.gather(
        story.workspace.click("ada", "Revoke", on=card),
        story.workspace.click("grace", "Revoke", on=card),
    )
    late = f"{id} is being revoked already. Its card says when that is done."
    assert [story.whispers("ada"), story.whispers("grace")].count(late) == 1
    held.release()
    await story.until(lambda: f"{id} was revoked" in story.card())
    told = await story.command("ada", f"history {id}")
    assert told.count("revocation asked for") == 1


async def test_what_entra_does_not_let_go_is_said_and_comes_again_by_itself(story: Story) -> None:
    id = await story.ready()
    fault = await stuck(story, id)
    card = story.card()
    assert "The connector may still be able to sign in" in card
    assert "Delete the application: Entra refused: a right is missing" in card
    assert "to check its rights in Entra" in card
    assert "Request id " in card
    assert "The bot retries automatically" in card
    assert "[Try again]" in card
    await story.until(lambda: f"{id} {NOT_YET}" in story.direct("rosa"))
    assert f"{id} {NOT_YET}" in await story.command("ben", "list")

    story.clock.move(timedelta(hours=1, minutes=1))  # once more in vain
    await story.eventually(lambda: read(story.stage, FAILURES) == 2)
    fault.times = 0
    await story.eventually(lambda: f"{id} was revoked" in story.card(), step=AGAIN_IN)
    assert "Entra refused" not in story.card()
    assert nothing_is_left(story)
    # Told once that it failed, however often, and once that it is done.
    await story.until(lambda: f"{id} was revoked by @ada" in story.direct("rosa"))
    for words in (f"{NOT_YET}: it stopped at “Delete the application”", "was revoked by @ada"):
        assert story.direct("rosa").count(words) == 1


@pytest.mark.parametrize("trouble", ["503", "429", "unreachable"])
async def test_trouble_that_lasts_is_over_at_the_next_try(story: Story, trouble: str) -> None:
    id = await story.ready()
    faults = story.tenant.faults
    match trouble:
        case "503":
            faults.fail("DELETE", "/servicePrincipals/", times=FOR_EVER)
        case "429":
            faults.throttle("DELETE", "/servicePrincipals/", times=FOR_EVER, retry_after=300)
        case _:
            faults.unreachable = True
    await press(story, id)
    await story.until(lambda: NOT_YET in story.card())
    assert len(story.tenant.applications) == 1
    faults.clear()
    await story.eventually(lambda: f"{id} was revoked" in story.card(), step=AGAIN_IN)
    assert nothing_is_left(story)


async def test_trouble_that_passes_is_waited_out_and_secrets_by_hand_go_too(story: Story) -> None:
    id = await story.ready()
    async with by_hand(story) as hand:
        await hand.graph.secret(hand.application, displayName="by hand")
    story.tenant.faults.fail("DELETE", "/applications/", times=2, when="after_effect")
    story.tenant.faults.throttle("DELETE", "/servicePrincipals/", times=2)
    await revoke(story, id)
    assert nothing_is_left(story)


@pytest.mark.parametrize("lag", [2.0, 5.0])
@pytest.mark.parametrize("after", [0.0, 1.0])
async def test_reads_that_lag_delay_a_revocation_by_no_more_than_the_lag(
    story: Story, lag: float, after: float
) -> None:
    """Once its creation is seen everywhere, or at once."""
    story.tenant.faults.lag = lag
    id = await story.ready()
    story.clock.move(timedelta(seconds=after * lag))
    start = story.clock.now()
    await revoke(story, id)
    assert (story.clock.now() - start).total_seconds() <= 3 * lag + 15
    assert nothing_is_left(story)


async def test_a_secret_that_nobody_has_seen_is_never_shown_again(story: Story) -> None:
    id = await story.ready()
    await story.values(id)
    await stuck(story, id)
    await story.workspace.click("rosa", "Show the secret", on=story.workspace.ephemerals("rosa")[0])
    being = f"{id} is being revoked. Its card says when that is done."
    assert being in story.whispers("rosa")
    assert MARK not in story.whispers("rosa")
    for word in ("values", "check"):
        assert await story.command("rosa", f"{word} {id}") == being
    assert (await forged_click(story, "rosa", "renew", id)) == being
    answer = await story.workspace.command("ada", f"handover {id} @grace")
    assert answer.text == being


async def test_a_secret_on_the_screen_is_masked_all_the_same(story: Story) -> None:
    id = await story.ready()
    assert MARK in await story.revealed(id)
    await revoke(story, id)
    story.clock.move(timedelta(minutes=1, seconds=1))
    await story.eventually(lambda: MARK not in story.whispers("rosa"))
    assert f"{id} was revoked: its values no longer work." in story.whispers("rosa")
    assert "[Make a new one]" not in story.whispers("rosa")


async def test_one_that_was_deleted_by_hand_is_revoked_all_the_same(story: Story) -> None:
    id = await story.ready()
    story.clock.move(timedelta(minutes=16))
    async with by_hand(story) as hand:
        await hand.graph.secret(hand.application, displayName="by hand")
        await hand.delete(f"/applications/{hand.application['id']}")
        await hand.delete(f"/directory/deletedItems/{hand.application['id']}")
    await revoke(story, id)
    assert "Deleted applications in the Entra admin centre for 30 days after it was deleted" in (
        story.card()
    )


async def test_the_same_may_be_asked_for_once_it_is_revoked_and_not_before(story: Story) -> None:
    id = await story.ready()
    fault = await stuck(story, id)
    refused = await story.fill_and_send()
    assert f"with this name: {id} (being revoked)" in str(refused.errors)
    # Whoever looks after it tries again at once.
    await story.until(lambda: "[Try again]" in story.card())
    fault.times = 0
    await story.workspace.click("ben", "Try again", on=story.card_of(id))
    assert story.whispers("ben") == "Only the requester or an approver can revoke this."
    await press(story, id, "Try again", by="grace")
    await story.until(lambda: f"{id} was revoked" in story.card())
    assert "Revocation asked for by @ada" in story.card()
    await story.until(lambda: "[Ask again]" in story.direct("rosa"))
    before = len(story.workspace.messages("approvals"))
    await story.ask_again()
    assert not (await story.workspace.submit("rosa", {})).errors
    await story.until(lambda: len(story.workspace.messages("approvals")) > before)
    assert "waits for approval" in story.card()


@pytest.mark.settings(OPEN_LIMIT="1")
async def test_one_that_is_being_revoked_leaves_room_for_others(story: Story) -> None:
    """Its requester can do nothing about an outage."""
    id = await story.ready()
    await stuck(story, id)
    assert await story.ask("crm")


async def test_nothing_of_it_is_missed_or_an_orphan(story: Story) -> None:
    id = await story.ready()
    fault = await stuck(story, id)
    story.clock.move(timedelta(minutes=16))
    assert (await call(story.stage, "--orphans")).wrong == []
    fault.times = 0
    await story.eventually(lambda: f"{id} was revoked" in story.card(), step=AGAIN_IN)
    story.clock.move(timedelta(minutes=16))
    told = await call(story.stage, "--orphans")
    assert told.wrong == [], told.text
    assert f"of {id}: Entra purges it" in told.text
    checks = len(story.tenant.calls())
    story.clock.move(timedelta(days=8))
    await story.until(lambda: True)
    assert not [each for each in story.tenant.calls()[checks:] if "batch" in each.path]
    # One that somebody restores is one.
    (left,) = [each for each in story.tenant.deleted if "uniqueName" in each]
    async with somebody(story) as hand:
        path = f"/directory/deletedItems/{left['id']}/restore"
        assert (await hand.http.post(path)).status_code == 200
    [wrong] = (await call(story.stage, "--orphans")).wrong
    assert f"of {id}: it was removed, and then restored in Entra" in wrong
    assert LOOK in wrong


ROUNDS = 4


async def test_it_does_not_wait_for_a_check(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.check(id, by="rosa")
    await held.reached.wait()
    await press(story, id)
    assert story.whispers("ada") == ""
    await story.until(lambda: f"{id} was revoked" in story.card())
    held.release()
    assert nothing_is_left(story)
    assert "· compared with the tenant" not in await story.command("rosa", f"history {id}")


@pytest.mark.parametrize(
    ("path", "when"),
    [
        slow("/addPassword", "before_effect"),
        ("/addPassword", "after_effect"),
        slow("/oauth2/v2.0/token", "after_effect"),  # while it is tried
        slow(r"\$batch", "after_effect"),  # while it reads the directory
        slow("/removePassword", "after_effect"),  # while the old one is removed
    ],
)
async def test_it_does_not_wait_for_a_new_secret_which_nobody_gets(
    stage: Stage, bot: Bot, path: str, when: When
) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        await story.revealed(id)
        story.clock.move(timedelta(minutes=16))  # it is masked, and settled
        held = story.tenant.faults.hold("POST", path, when=when)
        await make_a_new_one(story, id)
        async with asyncio.timeout(60):
            await held.reached.wait()
        await press(story, id)
        assert story.whispers("ada") == ""
        await story.until(lambda: f"{id} was revoked" in story.card())
        held.release()
    assert nothing_is_left(story)
    assert read(stage, "SELECT count(*) FROM secrets WHERE sealed IS NOT NULL") == 0
    assert read(stage, "SELECT count(*) FROM messages WHERE kind = 'values'") == 1
    told = [what for (what,) in rows(stage, "SELECT what FROM history ORDER BY seq")]
    assert told[-3:] == ["new secret asked", "revoke asked", "revoked"]


async def test_it_does_not_wait_for_a_rotation(story: Story) -> None:
    id = await rotation_story.in_use(story)
    await rotation_story.asked(story, id)
    held = story.tenant.faults.hold("POST", "/addPassword")
    await rotation_story.decide(story, "Confirm", by="grace")
    await held.reached.wait()
    await revoke(story, id)
    held.release()
    assert nothing_is_left(story)
    request = rotation_story.drawn(story)
    assert f"{id}: this request for a new secret is over." in request


async def test_a_run_that_ends_at_the_same_moment_hands_nothing_over(
    database_url: str, clock: MovableClock
) -> None:
    """Whichever is first: the run to announce its secret, or the revocation to end it."""
    async with two_registrar_envs(database_url, clock) as (one, other):
        for _ in range(ROUNDS):
            id = await one.ready()
            await one.open(id)
            run = await one.owe(id, RunKind.REPLACE_SECRET)
            made = await one.seal(id, run)
            provisioning = Provisioning(one.services)
            await asyncio.gather(
                provisioning.carry(provisioning._finish, run),
                other.registrar.revocation.revoke(id, by=ADA),
            )
            found = await one.found(id)
            assert (found.status, found.run) == (Status.REVOKING, RunKind.REVOKE)
            async with one.database.reading() as tx:
                secret = await secrets.get(tx, made)
                assert (made, Purpose.SECRET) not in await secrets.kept(tx, id)
                come = await timers.find_due(tx, clock.now() + timedelta(days=400), limit=500)
            assert secret is not None
            assert life_of(secret) is SecretLife.CLOSED
            assert {due.kind for due in come if due.registration == id} == {TimerKind.MASK}
