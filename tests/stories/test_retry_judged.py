"""A retry judges its approvers again: an approval does not outlive its approver, nor a week."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.approval_requests import Vote
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.storage import votes
from bot.storage.database import Database
from bot.storage.tables import votes as given
from tests.stories.test_failures import failed
from tests.support.factories import ADA, GRACE, ROSA
from tests.support.registrar_env import DIGEST, Office, office, opened
from tests.support.story import Scene
from tests.support.waiting import eventually

MINUTE = timedelta(minutes=1)
LOST = "The approval of @ada no longer counts: the account is deactivated"


async def _waits_again(scene: Scene) -> str:
    """Return one that failed half-made, whose approver has left when it is retried."""
    id, fault = await failed(scene)
    scene.clock.move(MINUTE)
    scene.workspace.deactivate("ada")
    fault.times = 0
    await scene.workspace.click("rosa", "Retry")
    await scene.until(lambda: f"{id} waits for approval" in _card(scene, id))
    return id


def _card(scene: Scene, id: str) -> str:
    return scene.workspace.text_of(scene.card_of(id))


async def test_an_approval_of_somebody_who_left_does_not_carry_a_retry(scene: Scene) -> None:
    id = await _waits_again(scene)
    card = _card(scene, id)
    assert LOST in card
    assert "0 of 1 approvals given" in card
    await scene.until(lambda: "still waits for approval" in scene.card())  # the approvers are told
    await scene.until(lambda: f"{id} waits for approval" in scene.direct("rosa"))
    made = [each["id"] for each in scene.tenant.applications]
    await scene.approve(id, by="grace")
    assert [each["id"] for each in scene.tenant.applications] == made
    await scene.until(lambda: f"{id} is ready" in _card(scene, id))


async def _deny(scene: Scene, id: str) -> None:
    await scene.deny(id)


async def _cancel(scene: Scene, id: str) -> None:
    await scene.workspace.command("rosa", f"cancel {id}")


async def _let_it_expire(scene: Scene, id: str) -> None:
    scene.clock.move(timedelta(days=2))


@pytest.mark.parametrize("end", [_deny, _cancel, _let_it_expire])
async def test_what_was_made_goes_if_it_is_not_approved_again(
    scene: Scene, end: Callable[[Scene, str], Awaitable[None]]
) -> None:
    id = await _waits_again(scene)
    assert scene.tenant.applications
    await end(scene, id)
    await eventually(scene, lambda: not scene.tenant.applications)
    await scene.until(lambda: "removes what it had made in Entra" in _card(scene, id))
    await scene.until(lambda: "[Ask again]" in scene.direct("rosa"))


async def test_the_word_says_that_it_waits_again(scene: Scene) -> None:
    id, _ = await failed(scene)
    scene.clock.move(MINUTE)
    scene.workspace.deactivate("ada")
    answer = await scene.workspace.command("rosa", f"retry {id}")
    assert answer.text.startswith(f"{id} waits for approval again.")


async def test_after_a_week_only_asking_again_helps(desk: Office) -> None:
    id = await desk.failed()
    desk.clock.move(timedelta(days=7))
    with pytest.raises(Refusal, match=r"7 days ago.*\*Ask again\*"):
        await desk.registrar.retry(id, by=ROSA, seen=[ADA])
    assert (await desk.found(id)).status is Status.FAILED


async def test_an_approval_does_not_become_younger_in_the_database(desk: Office) -> None:
    id = await desk.failed()
    desk.clock.move(timedelta(days=7))
    async with desk.database.transaction() as tx:
        await tx.execute(sa.update(given).values(at=desk.clock.now()))
    with pytest.raises(Refusal, match=r"7 days ago.*\*Ask again\*"):
        await desk.registrar.retry(id, by=ROSA, seen=[ADA])
    assert (await desk.found(id)).status is Status.FAILED


async def test_a_vote_that_nobody_gave_does_not_count_at_a_retry(desk: Office) -> None:
    id = await desk.failed()
    async with desk.database.transaction() as tx:
        vote = Vote(person=GRACE, verdict="approve", at=desk.clock.now(), digest=DIGEST)
        await votes.cast(tx, id, vote)
    with pytest.raises(Refusal, match="was changed by something else"):
        await desk.registrar.retry(id, by=ROSA, seen=[ADA, GRACE])
    assert (await desk.found(id)).status is Status.FAILED


async def test_while_slack_does_not_say_who_approved_nothing_is_retried(desk: Office) -> None:
    id = await desk.failed()
    desk.clock.move(MINUTE)
    assert await desk.registrar.approvers(id, by=ROSA) == (ADA,)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await desk.registrar.retry(id, by=ROSA)
    assert await desk.registrar.retry(id, by=ROSA, seen=[ADA]) is Status.APPROVED


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def desk(database: Database, clock: MovableClock) -> Office:
    return office(database, clock)
