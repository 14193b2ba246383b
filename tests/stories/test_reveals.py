"""The life of a secret: shown once to one person, replaced in doubt, removed if nobody comes."""

from datetime import timedelta

import pytest
import structlog.testing
from cryptography.fernet import Fernet

from bot.playground.stage import Stage
from bot.storage import message_queue
from bot.storage.messages import MessageKind
from handlers.views import ids
from tests.support.forged_clicks import forged_button, forged_click, forged_whisper
from tests.support.marks import slow
from tests.support.rotation_story import replaced
from tests.support.running_bot import Bot
from tests.support.secret_story import MARK, live, make_a_new_one
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

MASK = "••••••••"
NOT_MADE = "No new secret was made"


async def test_no_secret_takes_the_place_of_a_message_that_others_read(story: Story) -> None:
    """Whoever has stolen the bot's token can post its buttons anywhere, and lure people to them."""
    id = await story.ready()
    for button in (ids.REVEAL, ids.MASK):
        assert (await forged_click(story, "rosa", button, id)) == (
            "This works only in a message that only you can see:"
            f" type /aad-setup values {id} and press the button there."
        )
    assert [each["text"] for each in story.workspace.messages("general")] == ["forged"] * 2
    assert MARK in await story.revealed(id)


async def test_a_second_reveal_is_refused_and_mask_now_is_for_good(story: Story) -> None:
    id = await story.ready()
    await story.values(id)
    await story.values(id)
    first, second = story.workspace.ephemerals("rosa")
    await story.workspace.click("rosa", "Show the secret", on=second)
    await story.workspace.click("rosa", "Show the secret", on=first)
    said = story.whispers("rosa")
    assert said.count(MARK) == 1
    assert f"The secret of {id} has already been shown" in said

    text_of = story.workspace.text_of
    [shown] = [it for it in story.workspace.ephemerals("rosa") if "[Mask now]" in text_of(it)]
    await story.workspace.click("rosa", "Mask now", on=shown)
    assert MARK not in story.whispers("rosa")
    assert "masked for good" in story.whispers("rosa")
    story.clock.move(timedelta(minutes=2))
    again = await story.values(id)
    assert "Show the secret" not in again.splitlines()[-1]
    assert MARK not in again


@pytest.mark.parametrize("trouble", ["answer lost", slow("address expired"), slow("server error")])
async def test_a_reveal_that_may_not_have_arrived_is_replaced(story: Story, trouble: str) -> None:
    id = await story.ready()
    await story.values(id)
    [first] = live(story)
    faults = story.workspace.faults
    match trouble:
        case "answer lost":
            faults.lose("response_url")
        case "address expired":
            faults.breaks("response_url", status=404)
        case _:
            faults.breaks("response_url")
    await story.reveal()
    doubt = "It is unknown whether the secret was seen."
    await story.until(lambda: doubt in story.workspace.text_of(story.notice(id)))
    story.clock.move(timedelta(seconds=61))
    await story.until(
        lambda: MARK not in story.whispers("rosa") and doubt in story.whispers("rosa")
    )

    await make_a_new_one(story, id)
    await story.until(lambda: "was replaced by a newer one" in story.direct("rosa"))
    await story.until(lambda: story.direct("rosa").count(f"{id}: your connector values") == 1)
    [second] = live(story)
    assert second != first
    assert len(story.tenant.applications) == 1

    await story.values(id)
    assert story.whispers("rosa").count(MARK) == 0
    assert (await story.reveal()).count(MARK) == 1
    assert not story.workspace.complaints


async def test_no_secret_is_shown_before_it_has_been_proven(story: Story) -> None:
    id = await story.ready()
    await story.values(id)
    story.workspace.faults.lose("response_url")
    await story.reveal()
    await story.until(lambda: "Make a new one" in story.workspace.text_of(story.notice(id)))
    await _in_vain(story, id)
    held = story.tenant.faults.hold("POST", "batch")
    await make_a_new_one(story, id)
    await held.reached.wait()
    assert len(live(story)) == 2
    story.workspace.reload("rosa")
    forged = await forged_whisper(story.workspace, "reveal", id, to="rosa")
    await story.workspace.click("rosa", "reveal", on=forged)
    assert f"A new secret of {id} is being made." in story.whispers("rosa")
    making = "A new secret is being made."
    await story.until(lambda: making in story.workspace.text_of(story.notice(id)))
    held.release()
    await replaced(story, id)
    assert NOT_MADE not in story.direct("rosa")
    assert len(live(story)) == 1
    # An old notice leads to the new secret and never to the old.
    forged = await forged_button(story.workspace, "renew", id)
    await story.workspace.click("rosa", "renew", on=forged)
    assert f"The secret of {id} waits unseen: press Get the values." in story.whispers("rosa")
    story.workspace.reload("rosa")
    assert MARK in await story.revealed(id)


async def _in_vain(story: Story, id: str) -> None:
    """Try to make a new one while Entra refuses its test."""
    broken = story.tenant.faults.refuse("POST", "batch")
    await make_a_new_one(story, id)
    await story.until(lambda: NOT_MADE in story.workspace.text_of(story.notice(id)))
    assert "[Make a new one]" in story.workspace.text_of(story.notice(id))
    assert len(live(story)) == 1
    broken.times = 0


async def test_a_secret_that_nobody_came_for_is_removed_and_can_be_made_anew(story: Story) -> None:
    id = await story.ready()
    assert "or it will be deleted from Entra" in story.workspace.text_of(story.notice(id))
    await story.values(id)
    late = story.workspace.ephemerals("rosa")[-1]
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: not live(story))
    gone = "wasn't picked up within 7 days, so it was deleted"
    await story.until(lambda: gone in story.workspace.text_of(story.notice(id)))
    await story.workspace.click("rosa", "Show the secret", on=late)
    told = f"The secret of {id} wasn't picked up"
    assert told in story.whispers("rosa")

    await make_a_new_one(story, id)
    await replaced(story, id)
    story.workspace.reload("rosa")
    assert MARK in await story.revealed(id)
    assert len(live(story)) == 1


async def test_a_mask_that_slack_does_not_take_is_tried_again(story: Story) -> None:
    id = await story.ready()
    await story.revealed(id)
    story.workspace.faults.breaks("response_url", times=2)
    story.clock.move(timedelta(seconds=61))
    await story.eventually(lambda: MARK not in story.whispers("rosa"))
    assert MASK in story.whispers("rosa")
    await story.eventually(lambda: "masked for good" in story.workspace.text_of(story.notice(id)))
    story.clock.move(timedelta(days=8))
    assert len(live(story)) == 1


async def test_somebody_who_left_is_shown_nothing(story: Story) -> None:
    id = await story.ready()
    await story.values(id)
    story.workspace.people["rosa"].deleted = True
    said = await story.reveal()
    assert MARK not in said
    assert "Slack says that your account is deactivated" in said


async def test_a_key_that_is_missing_loses_no_secret(bot: Bot, stage: Stage) -> None:
    """Whoever has changed VAULT_KEYS and forgot the old key can still put it back."""
    async with bot():
        story = Story(stage)
        id = await story.ready()
    async with bot(VAULT_KEYS=Fernet.generate_key().decode()):
        refused = await story.revealed(id)
        assert "The bot's keys do not open this secret" in refused
        assert "VAULT_KEYS lacks a key" in refused
    async with bot():
        story.workspace.reload("rosa")
        assert MARK in await story.revealed(id)


async def test_a_secret_whose_mask_lost_its_key_ends_as_not_masked(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        assert MARK in await story.revealed(id)
    with structlog.testing.capture_logs() as logged:
        async with bot(VAULT_KEYS=Fernet.generate_key().decode()) as app:
            ended = "The secret could not be masked."
            await story.eventually(
                lambda: ended in story.workspace.text_of(story.notice(id)),
                step=timedelta(minutes=5),
            )
            await story.eventually(lambda: app.dispatcher.is_idle)
            async with app.services.database.reading() as tx:
                later = story.clock.now() + timedelta(days=1)
                stale = await message_queue.stale(tx, later, drawn_before=later, limit=10)
            assert MessageKind.MASK not in [it.message.kind for it in stale]
    [said] = [it for it in logged if it["event"] == "message given up"]
    assert (said["why"], said["kind"], said["registration"]) == ("seal_broken", "mask", id)
    assert "VAULT_KEYS" in said["advice"]
