"""A profile was removed from the catalogue while registrations of it live."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.catalogue import read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.storage.database import Database
from tests.support.home_story import opened
from tests.support.registrar_env import registrar_env
from tests.support.running_bot import Bot
from tests.support.secret_lives import SecretLife
from tests.support.story import Story

pytestmark = pytest.mark.slow

LEFT = {id: each for id, each in read_catalogue().items() if id != "mimecast"}
NAMED = "mimecast (no longer in the catalogue)"
REFUSED = "is no longer in this bot's catalogue. Ask this bot's administrators to put it back."


async def test_what_waits_is_drawn_and_can_only_be_denied(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ask()
    async with bot(catalogue=LEFT):
        home = await opened(story, "ada")
        for part in ("billing: approval needed", id, NAMED, "Directory.Read.All (application)"):
            assert part in home
        await story.workspace.command("rosa", f"status {id}")
        assert NAMED in story.whispers("rosa")
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        assert story.whispers("ada") == f"The connector mimecast of {id} {REFUSED}"
        await story.deny(id)
        await story.until(lambda: f"{id} was denied" in story.card())
        assert NAMED in story.card()
        unlisted = "The profile of this registration is gone, so its values are not listed."
        assert unlisted in await story.details(id)
        await story.until(lambda: f"{id} was denied" in story.direct("rosa"))
        assert "There is no profile mimecast." in await story.answer_to("rosa", "Ask again")


async def test_a_secret_stays_sealed_until_the_profile_is_back(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        await story.values(id)
    async with bot(catalogue=LEFT):
        assert (await story.reveal()).endswith(REFUSED)
        story.workspace.reload("rosa")
        assert (await story.command("rosa", f"values {id}")).endswith(REFUSED)
        await story.workspace.command("ada", f"check {id}")
        await story.until(lambda: "Compared with the tenant" in story.card())
    async with bot():
        story.workspace.reload("rosa")
        assert "8Q~" in await story.revealed(id)


async def test_a_secret_on_a_screen_is_masked_without_the_profile(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        assert "8Q~" in await story.revealed(id)
    async with bot(catalogue=LEFT):
        story.clock.move(timedelta(minutes=2))
        await story.until(lambda: "masked for good" in story.whispers("rosa"))
        assert "8Q~" not in story.whispers("rosa")


async def test_a_run_of_it_fails_with_a_sentence(database: Database, clock: MovableClock) -> None:
    whole = registrar_env(database, clock)
    lacking = registrar_env(database, clock, catalogue=LEFT)
    planning, approved = await whole.submitted(), await whole.approved()
    for id, kind in ((planning, RunKind.PLAN), (approved, RunKind.REGISTER)):
        run = await whole.run_of(id)
        await lacking.runs().jobs()[kind](run.id)
        found = await whole.found(id)
        assert found.status is Status.FAILED
        assert found.failure is not None
        assert found.failure.sentence == (
            "The connector mimecast is no longer in this bot's catalogue."
        )
        with pytest.raises(Refusal, match="Ask this bot's administrators to put it back"):
            await lacking.registrar.recovery.retry(id, by=whole.requester)
        await whole.registrar.recovery.retry(id, by=whole.requester)


async def test_nobody_confirms_alone_what_may_have_taken_several(
    database: Database, clock: MovableClock
) -> None:
    whole = registrar_env(database, clock)
    id = await whole.ready()
    policy = replace(whole.registrar.policy, requesters=frozenset({"*"}))
    lacking = registrar_env(database, clock, catalogue=LEFT, policy=policy)
    heir = replace(whole.requester, user_id="U0HEIR")
    await lacking.registrar.requests.handover(id, to=heir, by=whole.approver)
    with pytest.raises(Refusal, match="takes more than one approver"):
        await lacking.confirm_handover(id, to=heir, by=whole.approver)
    assert await whole.secret_life(id) is SecretLife.SEALED


async def test_nobody_rotates_what_takes_nobody_knows_how_many(
    database: Database, clock: MovableClock
) -> None:
    whole = registrar_env(database, clock)
    lacking = registrar_env(database, clock, catalogue=LEFT)
    id = await whole.ready()
    await whole.open(id)
    with pytest.raises(Refusal, match="Ask this bot's administrators to put it back"):
        await lacking.registrar.requests.rotation(id, by=whole.requester)
    await whole.registrar.requests.rotation(id, by=whole.requester)
    asked = await whole.asked(id)
    with pytest.raises(Refusal, match="Ask this bot's administrators to put it back"):
        await lacking.registrar.approval.approve(id, asked.id, by=whole.approver)
    await lacking.registrar.approval.deny(id, asked.id, by=whole.approver, reason="Not now")
