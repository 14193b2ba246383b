"""When Homes are drawn: looked at one look at a time, by a clock that only the test moves."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog.testing
from slack_sdk.web.async_client import AsyncWebClient

from bot.approval import Policy
from bot.domain.people import Person, Refusal
from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from bot.playground.stage import install
from bot.playground.workspace import Workspace
from bot.registrar.queries import PAGE, Part
from handlers.outbox.home_publisher import IN_DOUBT, OPEN_FOR, SPACING, HomePublisher
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env

SECOND = timedelta(seconds=1)


@dataclass(kw_only=True)
class Front:
    """Homes that look when they are told to, and what Slack says of who has them open."""

    homes: HomePublisher
    workspace: Workspace
    env: RegistrarEnv
    clock: MovableClock
    said: dict[str, Person | Exception] = field(default_factory=dict)

    async def look_up(self, claim: Mapping[str, Any]) -> Person:
        found = self.said.get(claim["user_id"]) or self.person(claim["user_id"])
        if isinstance(found, Exception):
            raise found
        return found

    def person(self, name: str) -> Person:
        found = self.workspace.people[name]
        return Person(team_id=self.workspace.team_id, user_id=found.id, name=found.real_name)

    def id(self, name: str) -> str:
        return self.workspace.people[name].id

    def body(self) -> dict[str, Any]:
        return {"team_id": self.workspace.team_id}

    async def open(self, name: str, said: str = "") -> None:
        await self.homes.open(self.body(), self.id(name), said=said)

    async def change(self) -> None:
        await self.env.submitted(by=self.person("rosa"))

    async def look(self, *, after: timedelta = timedelta(0)) -> int:
        """Let time pass and look; return how often Slack was asked to publish because of it."""
        self.clock.move(after)
        before = len(self.workspace.calls("views.publish"))
        await self.homes.look()
        return len(self.workspace.calls("views.publish")) - before

    def seen(self, name: str) -> str:
        return self.workspace.text_of(self.workspace.home_of(name) or {"blocks": []})


@pytest.fixture
async def front(tmp_path: Path, clock: MovableClock) -> AsyncIterator[Front]:
    async with (
        workspaces.running(clock=clock) as workspace,
        opened(f"sqlite+aiosqlite:///{tmp_path / 'homes.db'}") as database,
        aiohttp.ClientSession() as session,
    ):
        install(workspace)
        client = AsyncWebClient(
            token=workspace.bot_token, base_url=workspace.api_url, session=session
        )
        client.retry_handlers = []
        policy = Policy(
            team_id=workspace.team_id,
            requesters=frozenset({workspace.people["rosa"].id}),
            approvers=frozenset({workspace.people["ada"].id}),
            approvals_needed=1,
            open_limit=100,
        )
        env = registrar_env(database, clock, policy=policy)
        homes = HomePublisher(
            env.services,
            env.registrar,
            client=client,
            look_up=lambda claim: found.look_up(claim),
            every=3600,
        )
        found = Front(homes=homes, workspace=workspace, env=env, clock=clock)
        yield found


async def test_what_would_look_the_same_is_not_drawn_again(front: Front) -> None:
    await front.open("ada")
    assert await front.look(after=SPACING) == 0
    await front.change()
    assert await front.look(after=SPACING) == 1
    assert await front.look(after=SPACING) == 0


async def test_after_a_click_of_ones_own_it_is_drawn_at_once_and_else_a_little_later(
    front: Front,
) -> None:
    await front.open("ada", said="Hello")
    await front.change()
    assert await front.look() == 0
    front.homes.clicked(front.body(), front.id("ada"))
    assert await front.look() == 1
    assert "Hello" not in front.seen("ada")


async def test_a_home_is_followed_for_half_an_hour_after_the_last_that_was_heard_of_it(
    front: Front,
) -> None:
    await front.open("ada")
    front.clock.move(OPEN_FOR - SECOND)
    front.homes.clicked(front.body(), front.id("ada"))
    await front.change()
    assert await front.look(after=OPEN_FOR - SECOND) == 1
    await front.change()
    assert await front.look(after=2 * SECOND) == 0
    assert front.homes.watched == frozenset()


@pytest.mark.parametrize(("is_throttled", "wait"), [(True, 20 * SECOND), (False, SPACING)])
async def test_what_slack_does_not_take_is_drawn_when_it_may_be(
    front: Front, is_throttled: bool, wait: timedelta
) -> None:
    await front.open("ada")
    await front.change()
    faults = front.workspace.faults
    if is_throttled:
        faults.throttle("views.publish", retry_after=20)
    else:
        faults.fail("views.publish", "internal_error")
    assert await front.look(after=SPACING) == 1
    assert await front.look(after=wait - SECOND) == 0
    assert await front.look(after=SECOND) == 1
    assert await front.look(after=wait) == 0


async def test_whoever_may_look_no_more_sees_that_once(front: Front) -> None:
    await front.open("ada")
    ada = front.person("ada")
    front.said[ada.user_id] = Person(
        team_id=ada.team_id, user_id=ada.user_id, doubts=("is deactivated",)
    )
    await front.change()
    assert await front.look(after=SPACING) == 1
    assert "is deactivated, so you can't use this bot" in front.seen("ada")
    assert front.homes.watched == frozenset()


@pytest.mark.parametrize("is_closed", [False, True])
async def test_whoever_was_in_doubt_is_looked_up_again_in_a_minute(
    front: Front, is_closed: bool
) -> None:
    await front.open("ada")
    if is_closed:
        await front.homes.close(front.body(), front.id("ada"), "Slack did not say who you are.")
    else:
        front.said[front.id("ada")] = Refusal("Slack did not say who you are.")
        await front.change()
        assert await front.look(after=SPACING) == 1
        front.said.clear()
    assert "Slack did not say who you are." in front.seen("ada")
    assert await front.look(after=IN_DOUBT - SECOND) == 0
    assert await front.look(after=SECOND) == 1
    assert "How the bot stands" in front.seen("ada")


async def test_a_page_stays_until_the_home_is_opened_anew(front: Front) -> None:
    for _ in range(PAGE[Part.MINE] + 1):
        await front.change()
    await front.open("rosa", said="Hello")
    assert "Hello" in front.seen("rosa")
    await front.homes.turn(front.body(), front.id("rosa"), Part.MINE, 2)
    assert "Page 2 of 2" in front.seen("rosa")
    assert "Hello" not in front.seen("rosa")
    await front.change()
    assert await front.look(after=SPACING) == 1
    assert "Page 2 of 2" in front.seen("rosa")
    await front.open("rosa")
    assert "Page 1 of 2" in front.seen("rosa")


async def test_a_home_that_breaks_is_not_drawn_again_at_once(front: Front) -> None:
    await front.open("rosa")
    await front.change()
    front.said[front.id("rosa")] = RuntimeError()
    with structlog.testing.capture_logs() as logged:
        for _ in range(5):
            await front.look(after=SPACING)
        assert len(logged) == 1
        del front.said[front.id("rosa")]
        assert await front.look(after=IN_DOUBT) == 1
