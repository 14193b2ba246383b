"""Revoking what is ready: who may, what is gone then, and what if Entra does not let it go."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from bot.doctor.orphans import LOOK
from bot.playground.stage import Stage
from bot.playground.tenant.faults import Fault
from tests.conftest import Bot
from tests.stories.test_drift import by_hand
from tests.stories.test_home import opened
from tests.stories.test_requests_fit import somebody
from tests.stories.test_reveals import MARK
from tests.stories.test_talking import said
from tests.support.doctor_cli import call
from tests.support.forged_clicks import forged_button
from tests.support.story import Scene
from tests.support.waiting import eventually

FOR_EVER = 10_000
AGAIN_IN = timedelta(minutes=61)
NOT_YET = "is not revoked yet"


async def revoked(scene: Scene, name: str = "billing", *, by: str = "ada") -> str:
    """Make one that is ready, and revoke it; return its id."""
    id = await scene.ready(name)
    await press(scene, id, by=by)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    return id


async def press(scene: Scene, id: str, button: str = "Revoke", *, by: str = "ada") -> None:
    await scene.until(lambda: f"[{button}]" in scene.workspace.text_of(scene.card_of(id)))
    await scene.workspace.click(by, button, on=scene.card_of(id))


def refuses_to_let_go(scene: Scene) -> Fault:
    return scene.tenant.faults.fail(
        "DELETE",
        "/applications/",
        status=403,
        code="Authorization_RequestDenied",
        times=FOR_EVER,
    )


def failures(scene: Scene) -> int:
    """Return how often the history says that something has failed."""
    with closing(sqlite3.connect(scene.stage.folder / "aad-setup.db")) as database:
        query = "SELECT count(*) FROM history WHERE what = 'failed'"
        return int(database.execute(query).fetchone()[0])


def owed(scene: Scene) -> int:
    """Return how many messages are not shown, or not as they should be."""
    with closing(sqlite3.connect(scene.stage.folder / "aad-setup.db")) as database:
        query = "SELECT count(*) FROM messages WHERE shown < wanted"
        return int(database.execute(query).fetchone()[0])


def nothing_is_left(scene: Scene) -> bool:
    tenant = scene.tenant
    return not (tenant.applications or tenant.service_principals or tenant.grants)


def channel(scene: Scene) -> str:
    return "\n".join(map(scene.workspace.text_of, scene.workspace.messages("approvals")))


async def test_an_approver_revokes_and_everybody_is_told(scene: Scene) -> None:
    id = await scene.ready()
    [application] = scene.tenant.applications
    held = scene.tenant.faults.hold("DELETE", "/applications/")
    await press(scene, id, by="grace")
    await scene.until(lambda: f"@grace has revoked {id} (billing)." in channel(scene))
    await scene.until(lambda: f"{id} is being revoked by @grace" in scene.direct("rosa"))
    held.release()
    await scene.until(lambda: scene.direct("rosa").count("revoked by @grace") == 2)  # asked, done
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert nothing_is_left(scene)
    assert not scene.tenant.roles_of(application["appId"])
    card = scene.card()
    assert "Revocation asked for by @grace" in card
    assert "The connector can sign in no more." in card
    assert "can restore the application from Deleted applications in the Entra" in card
    assert "[Revoke]" not in card
    assert "steps done" not in card
    await scene.until(lambda: f"{id} was revoked by @grace" in scene.direct("rosa"))
    await scene.until(lambda: f"{id} was revoked: its values work no more." in scene.direct("rosa"))
    assert "[Get the values]" not in scene.direct("rosa")
    assert "[Ask again]" in scene.direct("rosa")
    told = await said(scene, "rosa", f"history {id}")
    assert "· revocation asked for · @grace" in told
    assert told.splitlines()[-1].endswith("· revoked")


async def test_a_revocation_that_ends_before_slack_takes_a_message_is_told_once(
    scene: Scene,
) -> None:
    id = await scene.ready()
    scene.workspace.faults.throttle("chat.postMessage", retry_after=60, times=2)
    await press(scene, id, by="grace")
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert "revoked by @grace" not in scene.direct("rosa")
    scene.clock.move(timedelta(seconds=61))
    await scene.until(lambda: f"@grace has revoked {id} (billing)." in channel(scene))
    await scene.until(lambda: f"{id} was revoked by @grace" in scene.direct("rosa"))
    await eventually(scene, lambda: not owed(scene), step=timedelta(seconds=4))
    assert scene.direct("rosa").count("revoked by @grace") == 1


async def test_the_requester_revokes_by_word_once_it_is_confirmed(scene: Scene) -> None:
    id = await scene.ready()
    asked = await said(scene, "rosa", f"revoke {id.lower()}", channel="random")
    assert asked.startswith(f"Revoke {id}? The connector can sign in no more")
    assert "Deleted applications in the Entra admin centre for 30 days" in asked
    assert len(scene.tenant.applications) == 1
    await scene.workspace.click("rosa", "revoke_asked")
    assert scene.whispers("rosa") == f"{id} is being revoked. Its card says when that is done."
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    await scene.until(lambda: f"@rosa has revoked {id}" in channel(scene))
    await scene.until(lambda: f"{id} was revoked by @rosa" in scene.direct("rosa"))
    assert f"{id} is being revoked by" not in scene.direct("rosa")
    assert "Revocation asked for by @rosa" in scene.card()
    assert nothing_is_left(scene)
    again = await said(scene, "rosa", f"revoke {id}")
    assert again == f"Too late: {id} was revoked already."


async def test_the_requester_has_the_button_on_the_card_and_at_home(scene: Scene) -> None:
    id = await scene.ready()
    await scene.until(lambda: "[Revoke]" in scene.direct("rosa"))
    assert "[Revoke]" in await opened(scene, "rosa")
    await scene.workspace.click("rosa", "Revoke", on=scene.workspace.home_of("rosa"))
    await scene.until(lambda: f"{id} was revoked" in scene.card())


async def test_a_bystander_is_refused_by_word_and_by_button(scene: Scene) -> None:
    id = await scene.ready()
    refused = "Only the requester or an approver can revoke this."
    assert await said(scene, "ben", f"revoke {id}") == refused
    for forged in ("revoke", "revoke_asked"):
        scene.workspace.reload("ben")
        button = await forged_button(scene.workspace, forged, id)
        await scene.workspace.click("ben", forged, on=button)
        assert scene.whispers("ben") == refused
    assert len(scene.tenant.applications) == 1


async def test_of_two_who_revoke_at_once_one_wins(scene: Scene) -> None:
    id = await scene.ready()
    held = scene.tenant.faults.hold("DELETE", "/applications/", when="before_effect")
    await scene.until(lambda: "[Revoke]" in scene.card())
    card = scene.card_of(id)
    await asyncio.gather(
        scene.workspace.click("ada", "Revoke", on=card),
        scene.workspace.click("grace", "Revoke", on=card),
    )
    late = f"{id} is being revoked already. Its card says when that is done."
    assert [scene.whispers("ada"), scene.whispers("grace")].count(late) == 1
    held.release()
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    told = await said(scene, "ada", f"history {id}")
    assert told.count("revocation asked for") == 1


async def test_what_entra_does_not_let_go_is_said_and_comes_again_by_itself(scene: Scene) -> None:
    id = await scene.ready()
    fault = refuses_to_let_go(scene)
    await press(scene, id)
    await scene.until(lambda: NOT_YET in scene.card())
    card = scene.card()
    assert "The connector may still be able to sign in" in card
    assert "Take back “Register the application”: Entra refused: a right is missing" in card
    assert "Grant the bot's own application the rights" in card
    assert "Request id " in card
    assert "The bot tries again by itself" in card
    assert "[Try again]" in card
    await scene.until(lambda: f"{id} {NOT_YET}" in scene.direct("rosa"))
    assert f"{id} {NOT_YET}" in await said(scene, "ben", "list")

    scene.clock.move(timedelta(hours=1, minutes=1))  # once more in vain
    await eventually(scene, lambda: failures(scene) == 2)
    fault.times = 0
    await eventually(scene, lambda: f"{id} was revoked" in scene.card(), step=AGAIN_IN)
    assert "Entra refused" not in scene.card()
    assert nothing_is_left(scene)
    # Told once that it was asked for, once that it failed, however often, and once that it is done.
    await scene.until(lambda: f"{id} was revoked by @ada" in scene.direct("rosa"))
    assert scene.direct("rosa").count("Your card above says more.") == 3


@pytest.mark.parametrize(
    "trouble",
    [
        "503",
        pytest.param("429", marks=pytest.mark.slow),
        pytest.param("unreachable", marks=pytest.mark.slow),
    ],
)
async def test_trouble_that_outlasts_the_patience_is_over_at_the_next_try(
    scene: Scene, trouble: str
) -> None:
    id = await scene.ready()
    faults = scene.tenant.faults
    match trouble:
        case "503":
            faults.fail("DELETE", "/servicePrincipals/", times=FOR_EVER)
        case "429":
            faults.throttle("DELETE", "/servicePrincipals/", times=FOR_EVER, retry_after=300)
        case _:
            faults.unreachable = True
    await press(scene, id)
    await scene.until(lambda: NOT_YET in scene.card())
    assert len(scene.tenant.applications) == 1
    faults.clear()
    await eventually(scene, lambda: f"{id} was revoked" in scene.card(), step=AGAIN_IN)
    assert nothing_is_left(scene)


async def test_trouble_that_passes_is_waited_out(scene: Scene) -> None:
    id = await scene.ready()
    scene.tenant.faults.fail("DELETE", "/applications/", times=2, when="after_effect")
    scene.tenant.faults.throttle("DELETE", "/servicePrincipals/", times=2)
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert nothing_is_left(scene)


@pytest.mark.parametrize("lag", [pytest.param(2.0, marks=pytest.mark.slow), 5.0])
@pytest.mark.parametrize("after", [0.0, 1.0])
async def test_reads_that_lag_delay_a_revocation_by_no_more_than_the_lag(
    scene: Scene, lag: float, after: float
) -> None:
    """Once its creation is seen everywhere, or at once."""
    scene.tenant.faults.lag = lag
    id = await scene.ready()
    scene.clock.move(timedelta(seconds=after * lag))
    start = scene.clock.now()
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert (scene.clock.now() - start).total_seconds() <= 3 * lag + 15
    assert nothing_is_left(scene)


async def test_whoever_looks_after_it_tries_again_at_once(scene: Scene) -> None:
    id = await scene.ready()
    fault = refuses_to_let_go(scene)
    await press(scene, id)
    await scene.until(lambda: "[Try again]" in scene.card())
    fault.times = 0
    await scene.workspace.click("ben", "Try again", on=scene.card_of(id))
    assert scene.whispers("ben") == "Only the requester or an approver can revoke this."
    await press(scene, id, "Try again", by="grace")
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert "Revocation asked for by @ada" in scene.card()


async def test_a_secret_that_nobody_has_seen_is_never_shown_again(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    refuses_to_let_go(scene)
    await press(scene, id)
    await scene.until(lambda: NOT_YET in scene.card())
    await scene.workspace.click("rosa", "Show the secret", on=scene.workspace.ephemerals("rosa")[0])
    being = f"{id} is being revoked. Its card says when that is done."
    assert being in scene.whispers("rosa")
    assert MARK not in scene.whispers("rosa")
    for word in ("values", "check"):
        assert await said(scene, "rosa", f"{word} {id}") == being
    renewed = await forged_button(scene.workspace, "renew", id)
    scene.workspace.reload("rosa")
    await scene.workspace.click("rosa", "renew", on=renewed)
    assert scene.whispers("rosa") == being
    answer = await scene.workspace.command("ada", f"handover {id} @grace")
    assert answer.text == being


async def test_a_secret_on_the_screen_is_masked_all_the_same(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    assert MARK in await scene.reveal()
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    scene.clock.move(timedelta(minutes=1, seconds=1))
    await eventually(scene, lambda: MARK not in scene.whispers("rosa"))
    assert f"{id} was revoked: its values work no more." in scene.whispers("rosa")
    assert "[Make a new one]" not in scene.whispers("rosa")


async def test_one_that_was_deleted_by_hand_is_revoked_all_the_same(scene: Scene) -> None:
    id = await scene.ready()
    scene.clock.move(timedelta(minutes=16))
    async with by_hand(scene) as hand:
        await hand.graph.secret(hand.application, displayName="by hand")
        await hand.delete(f"/applications/{hand.application['id']}")
        await hand.delete(f"/directory/deletedItems/{hand.application['id']}")
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert "Deleted applications in the Entra admin centre for 30 days after it was deleted" in (
        scene.card()
    )


async def test_a_secret_that_somebody_added_goes_with_the_application(scene: Scene) -> None:
    id = await scene.ready()
    async with by_hand(scene) as hand:
        await hand.graph.secret(hand.application, displayName="by hand")
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    assert nothing_is_left(scene)


async def test_the_same_may_be_asked_for_once_it_is_revoked_and_not_before(scene: Scene) -> None:
    id = await scene.ready()
    fault = refuses_to_let_go(scene)
    await press(scene, id)
    await scene.until(lambda: NOT_YET in scene.card())
    await scene.open_form()
    wish = {"Application name": "billing", "Reason": "To sync"}
    refused = await scene.workspace.submit("rosa", wish)
    assert f"{id} is the same: Rosa Marin asked for it, and it is being revoked." in str(
        refused.errors
    )
    fault.times = 0
    await press(scene, id, "Try again")
    await scene.until(lambda: "[Ask again]" in scene.direct("rosa"))
    await scene.ask_again()
    assert not (await scene.workspace.submit("rosa", {})).errors
    await scene.until(lambda: len(scene.workspace.messages("approvals")) == 2)


async def test_one_that_is_being_revoked_leaves_room_for_others(bot: Bot, stage: Stage) -> None:
    """Its requester can do nothing about an outage."""
    async with bot(OPEN_LIMIT="1"):
        scene = Scene(stage)
        id = await scene.ready()
        refuses_to_let_go(scene)
        await press(scene, id)
        await scene.until(lambda: NOT_YET in scene.card())
        assert await scene.ask("crm")


async def test_nothing_of_it_is_missed_or_an_orphan(scene: Scene) -> None:
    id = await scene.ready()
    fault = refuses_to_let_go(scene)
    await press(scene, id)
    await scene.until(lambda: NOT_YET in scene.card())
    scene.clock.move(timedelta(minutes=16))
    assert (await call(scene.stage, "--orphans")).wrong == []
    fault.times = 0
    await eventually(scene, lambda: f"{id} was revoked" in scene.card(), step=AGAIN_IN)
    scene.clock.move(timedelta(minutes=16))
    told = await call(scene.stage, "--orphans")
    assert told.wrong == [], told.text
    assert f"of {id}: Entra purges it" in told.text
    checks = len(scene.tenant.calls())
    scene.clock.move(timedelta(days=8))
    await scene.until(lambda: True)
    assert not [each for each in scene.tenant.calls()[checks:] if "batch" in each.path]


async def test_one_that_somebody_restores_is_an_orphan(scene: Scene) -> None:
    id = await revoked(scene)
    (left,) = [each for each in scene.tenant.deleted if "uniqueName" in each]
    async with somebody(scene) as hand:
        path = f"/directory/deletedItems/{left['id']}/restore"
        assert (await hand.http.post(path)).status_code == 200
    told = await call(scene.stage, "--orphans")
    [wrong] = told.wrong
    assert f"of {id}: it was removed, and somebody has restored it" in wrong
    assert LOOK in wrong
