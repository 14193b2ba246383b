"""A retry judges its approvers again: an approval does not outlive its approver, nor a week."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.approval_requests import Vote
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.storage.tables import votes as given
from tests.support.factories import ADA, GRACE, ROSA
from tests.support.failure_story import failed
from tests.support.registrar_env import DIGEST, RegistrarEnv
from tests.support.story import Story

pytestmark = pytest.mark.slow

MINUTE = timedelta(minutes=1)
LOST = "The approval of @ada no longer counts: the account is deactivated"


async def _waits_again(story: Story) -> str:
    """Return one that failed half-made, whose approver has left when it is retried."""
    id, fault = await failed(story)
    story.clock.move(MINUTE)
    story.workspace.deactivate("ada")
    fault.times = 0
    await story.press("rosa", "Retry")
    await story.until(lambda: f"{id} waits for approval" in story.card(id))
    return id


async def test_an_approval_of_somebody_who_left_does_not_carry_a_retry(story: Story) -> None:
    id = await _waits_again(story)
    card = story.card(id)
    assert LOST in card
    assert "0 of 1 approvals given" in card
    await story.until(lambda: "still waits for approval" in story.card())  # the approvers are told
    await story.until(lambda: f"{id} waits for approval" in story.direct("rosa"))
    made = [each["id"] for each in story.tenant.applications]
    await story.approve(id, by="grace")
    assert [each["id"] for each in story.tenant.applications] == made
    await story.until(lambda: f"{id} is ready" in story.card(id))


async def _deny(story: Story, id: str) -> None:
    await story.deny(id)


async def _cancel(story: Story, id: str) -> None:
    await story.workspace.command("rosa", f"cancel {id}")


async def _let_it_expire(story: Story, id: str) -> None:
    story.clock.move(timedelta(days=2))


@pytest.mark.parametrize("end", [_deny, _cancel, _let_it_expire])
async def test_what_was_made_goes_if_it_is_not_approved_again(
    story: Story, end: Callable[[Story, str], Awaitable[None]]
) -> None:
    id = await _waits_again(story)
    assert story.tenant.applications
    await end(story, id)
    await story.eventually(lambda: not story.tenant.applications)
    await story.until(lambda: "removes everything that it had created in Entra" in story.card(id))
    await story.until(lambda: "[Ask again]" in story.direct("rosa"))


async def test_the_word_says_that_it_waits_again(story: Story) -> None:
    id, _ = await failed(story)
    story.clock.move(MINUTE)
    story.workspace.deactivate("ada")
    answer = await story.workspace.command("rosa", f"retry {id}")
    assert answer.text.startswith(f"{id} waits for approval again.")


async def test_after_a_week_only_asking_again_helps(env: RegistrarEnv) -> None:
    id = await env.failed()
    env.clock.move(timedelta(days=7))
    with pytest.raises(Refusal, match=r"7 days ago.*\*Ask again\*"):
        await env.registrar.recovery.retry(id, by=ROSA, seen=[ADA])
    assert (await env.found(id)).status is Status.FAILED


async def test_an_approval_does_not_become_younger_in_the_database(env: RegistrarEnv) -> None:
    id = await env.failed()
    env.clock.move(timedelta(days=7))
    async with env.database.transaction() as tx:
        await tx.execute(sa.update(given).values(at=env.clock.now()))
    with pytest.raises(Refusal, match=r"7 days ago.*\*Ask again\*"):
        await env.registrar.recovery.retry(id, by=ROSA, seen=[ADA])
    assert (await env.found(id)).status is Status.FAILED


async def test_a_vote_that_nobody_gave_does_not_count_at_a_retry(env: RegistrarEnv) -> None:
    id = await env.failed()
    vote = Vote(person=GRACE, verdict="approve", at=env.clock.now(), digest=DIGEST)
    await env.cast(id, vote)
    with pytest.raises(Refusal, match="was changed by something else"):
        await env.registrar.recovery.retry(id, by=ROSA, seen=[ADA, GRACE])
    assert (await env.found(id)).status is Status.FAILED


async def test_while_slack_does_not_say_who_approved_nothing_is_retried(env: RegistrarEnv) -> None:
    id = await env.failed()
    env.clock.move(MINUTE)
    assert await env.registrar.recovery.approvers(id, by=ROSA) == (ADA,)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await env.registrar.recovery.retry(id, by=ROSA)
    assert await env.registrar.recovery.retry(id, by=ROSA, seen=[ADA]) is Status.APPROVED
