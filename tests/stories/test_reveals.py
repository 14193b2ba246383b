"""The life of a secret: shown once to one person, replaced in doubt, removed if nobody comes."""

from datetime import timedelta

import pytest
import structlog.testing
from cryptography.fernet import Fernet

from bot.playground.stage import Stage
from bot.storage import messages
from bot.storage.messages import MessageKind
from handlers.views import ids
from tests.conftest import Bot
from tests.support.forged_clicks import forged_button, forged_whisper
from tests.support.story import Scene
from tests.support.waiting import eventually, make_a_new_one

MASK = "••••••••"
MARK = "8Q~"
"""Stands in every secret that the simulated tenant makes."""


def live(scene: Scene, name: str = "billing") -> list[str]:
    """Return the key ids of the secrets that the application truly has."""
    application = scene.tenant.applications_named(name)[0]
    return [each["keyId"] for each in scene.tenant.live_secrets(application["appId"])]


async def test_hide_masks_the_secret_at_once_and_for_good(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    assert MARK in await scene.reveal()
    await scene.workspace.click("rosa", "Hide", on=scene.workspace.ephemerals("rosa")[-1])
    assert MARK not in scene.whispers("rosa")
    assert "The secret was shown once and is masked for good." in scene.whispers("rosa")
    scene.clock.move(timedelta(minutes=2))
    again = await scene.values(id)
    assert "Show the secret" not in again.splitlines()[-1]
    assert MARK not in again


async def test_no_secret_takes_the_place_of_a_message_that_others_read(scene: Scene) -> None:
    """Whoever has stolen the bot's token can post its buttons anywhere, and lure people to them."""
    id = await scene.ready()
    for button in (ids.REVEAL, ids.HIDE):
        lure = await forged_button(scene.workspace, button, id)
        scene.workspace.reload("rosa")
        await scene.workspace.click("rosa", button, on=lure)
        assert scene.whispers("rosa") == (
            "This works only in a message that nobody but you sees:"
            f" type /aad-setup values {id} and press the button there."
        )
    assert [each["text"] for each in scene.workspace.messages("general")] == ["forged"] * 2
    await scene.values(id)
    assert MARK in await scene.reveal()


async def test_a_second_reveal_is_refused(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    await scene.values(id)
    first, second = scene.workspace.ephemerals("rosa")
    await scene.workspace.click("rosa", "Show the secret", on=second)
    await scene.workspace.click("rosa", "Show the secret", on=first)
    said = scene.whispers("rosa")
    assert said.count(MARK) == 1
    assert f"The secret of {id} was shown once, and once is all there is." in said


@pytest.mark.parametrize(
    "trouble",
    [
        "answer lost",
        pytest.param("address expired", marks=pytest.mark.slow),
        pytest.param("server error", marks=pytest.mark.slow),
    ],
)
async def test_a_reveal_that_may_not_have_arrived_is_replaced(scene: Scene, trouble: str) -> None:
    id = await scene.ready()
    await scene.values(id)
    [first] = live(scene)
    faults = scene.workspace.faults
    match trouble:
        case "answer lost":
            faults.lose("response_url")
        case "address expired":
            faults.breaks("response_url", status=404)
        case _:
            faults.breaks("response_url")
    await scene.reveal()
    doubt = "Nobody can tell whether the secret was seen. Make a new one to be safe."
    await scene.until(lambda: doubt in scene.workspace.text_of(scene.notice(id)))
    scene.clock.move(timedelta(seconds=61))
    await scene.until(
        lambda: MARK not in scene.whispers("rosa") and doubt in scene.whispers("rosa")
    )

    await make_a_new_one(scene, id)
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: scene.direct("rosa").count(f"{id}: your connector values") == 1)
    [second] = live(scene)
    assert second != first
    assert len(scene.tenant.applications) == 1

    await scene.values(id)
    assert scene.whispers("rosa").count(MARK) == 0
    assert (await scene.reveal()).count(MARK) == 1
    assert not scene.workspace.complaints


@pytest.mark.slow
async def test_an_old_notice_leads_to_the_new_secret_and_never_to_the_old(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    scene.workspace.faults.lose("response_url")
    await scene.reveal()
    await scene.until(lambda: "Make a new one" in scene.workspace.text_of(scene.notice(id)))
    await make_a_new_one(scene, id)
    forged = await forged_button(scene.workspace, "renew", id)
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    await scene.workspace.click("rosa", "renew", on=forged)
    assert f"The secret of {id} waits unseen: press Get the values." in scene.whispers("rosa")


async def test_no_secret_is_shown_before_it_has_been_proven(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    scene.workspace.faults.lose("response_url")
    await scene.reveal()
    await scene.until(lambda: "Make a new one" in scene.workspace.text_of(scene.notice(id)))
    held = scene.tenant.faults.hold("POST", "batch")
    await make_a_new_one(scene, id)
    await held.reached.wait()
    assert len(live(scene)) == 2
    scene.workspace.reload("rosa")
    forged = await forged_whisper(scene.workspace, "reveal", id, to="rosa")
    await scene.workspace.click("rosa", "reveal", on=forged)
    assert f"A new secret of {id} is being made." in scene.whispers("rosa")
    making = "A new secret is being made."
    await scene.until(lambda: making in scene.workspace.text_of(scene.notice(id)))
    held.release()
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))


@pytest.mark.slow
async def test_a_new_secret_that_cannot_be_made_says_why_and_can_be_tried_again(
    scene: Scene,
) -> None:
    id = await scene.ready()
    await scene.values(id)
    scene.workspace.faults.lose("response_url")
    await scene.reveal()
    await scene.until(lambda: "Make a new one" in scene.workspace.text_of(scene.notice(id)))
    broken = scene.tenant.faults.fail(
        "POST", "batch", status=403, code="Authorization_RequestDenied", times=10_000
    )
    await make_a_new_one(scene, id)
    told = "No new secret was made"
    await scene.until(lambda: told in scene.workspace.text_of(scene.notice(id)))
    notice = scene.workspace.text_of(scene.notice(id))
    assert "[Make a new one]" in notice
    assert len(live(scene)) == 1

    broken.times = 0
    await make_a_new_one(scene, id)
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    assert told not in scene.direct("rosa")
    assert len(live(scene)) == 1
    await scene.values(id)
    assert MARK in await scene.reveal()


async def test_a_secret_that_nobody_came_for_is_removed_and_can_be_made_anew(scene: Scene) -> None:
    id = await scene.ready()
    assert "Unless you look, it is removed" in scene.workspace.text_of(scene.notice(id))
    await scene.values(id)
    late = scene.workspace.ephemerals("rosa")[-1]
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: not live(scene))
    gone = "Nobody came for the secret in time, so it was removed. Make a new one."
    await scene.until(lambda: gone in scene.workspace.text_of(scene.notice(id)))
    await scene.workspace.click("rosa", "Show the secret", on=late)
    told = f"Nobody came for the secret of {id} in time, so it is gone. Make a new one."
    assert told in scene.whispers("rosa")

    await make_a_new_one(scene, id)
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    scene.workspace.reload("rosa")
    await scene.values(id)
    assert MARK in await scene.reveal()
    assert len(live(scene)) == 1


@pytest.mark.slow
async def test_a_secret_that_was_read_outlives_the_week(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    await scene.reveal()
    scene.clock.move(timedelta(seconds=61))
    await eventually(scene, lambda: "masked for good" in scene.workspace.text_of(scene.notice(id)))
    scene.clock.move(timedelta(days=8))
    assert len(live(scene)) == 1


@pytest.mark.slow
async def test_a_mask_that_slack_does_not_take_at_once_is_tried_again(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    await scene.reveal()
    scene.workspace.faults.breaks("response_url", times=2)
    scene.clock.move(timedelta(seconds=61))
    await eventually(scene, lambda: MARK not in scene.whispers("rosa"))
    assert MASK in scene.whispers("rosa")
    await eventually(scene, lambda: "masked for good" in scene.workspace.text_of(scene.notice(id)))


async def test_somebody_who_left_is_shown_nothing(scene: Scene) -> None:
    id = await scene.ready()
    await scene.values(id)
    scene.workspace.people["rosa"].deleted = True
    said = await scene.reveal()
    assert MARK not in said
    assert "Slack says that your account is deactivated" in said


async def test_a_key_that_is_missing_loses_no_secret(bot: Bot, stage: Stage) -> None:
    """Whoever has changed VAULT_KEYS and forgot the old key can still put it back."""
    async with bot():
        scene = Scene(stage)
        id = await scene.ready()
    async with bot(VAULT_KEYS=Fernet.generate_key().decode()):
        await scene.values(id)
        refused = await scene.reveal()
        assert "The bot's keys do not open this secret" in refused
        assert "VAULT_KEYS lacks a key" in refused
    async with bot():
        scene.workspace.reload("rosa")
        await scene.values(id)
        assert MARK in await scene.reveal()


async def test_a_secret_whose_mask_lost_its_key_ends_as_not_masked(stage: Stage, bot: Bot) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ready()
        await scene.values(id)
        assert MARK in await scene.reveal()
    with structlog.testing.capture_logs() as logged:
        async with bot(VAULT_KEYS=Fernet.generate_key().decode()) as app:
            ended = "The secret could not be hidden."
            await eventually(
                scene,
                lambda: ended in scene.workspace.text_of(scene.notice(id)),
                step=timedelta(minutes=5),
            )
            await eventually(scene, lambda: app.dispatcher.is_idle)
            async with app.database.reading() as tx:
                later = scene.clock.now() + timedelta(days=1)
                stale = await messages.stale(tx, later, drawn_before=later, limit=10)
            assert MessageKind.MASK not in [it.message.kind for it in stale]
    [said] = [it for it in logged if it["event"] == "message given up"]
    assert (said["why"], said["kind"], said["registration"]) == ("seal_broken", "mask", id)
    assert "VAULT_KEYS" in said["advice"]
