"""The App Home: what each person sees there, kept up to date for those who have it open."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing

from bot.domain.people import Person, Refusal
from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from bot.playground.stage import install
from bot.playground.workspace import Workspace
from bot.registrar.queries import PAGE, Part
from bot.worker.loops import Wakeups
from handlers.outbox.home_publisher import IN_DOUBT, MOST_OPEN, OPEN_FOR, SPACING, HomePublisher
from tests.support.command_story import deliver
from tests.support.failure_story import failed
from tests.support.home_story import opened, part, seen
from tests.support.registrar_env import RegistrarEnv, registrar_env
from tests.support.registrar_env import opened as open_database
from tests.support.small_bot import client_of
from tests.support.story import Story

Json = dict[str, Any]
SECOND = timedelta(seconds=1)


async def test_the_first_visit_is_greeted_and_the_next_is_not(story: Story) -> None:
    first = await opened(story, "rosa")
    assert first.startswith("Welcome: here you ask for Entra applications")
    assert "[New application]" in first
    assert "You have no registrations yet. Press New application." in first
    assert await opened(story, "rosa")
    await story.until(lambda: "Welcome" not in seen(story, "rosa"))
    await story.workspace.click("rosa", "New application", on=story.workspace.home_of("rosa"))
    assert story.workspace.view_of("rosa") is not None


@pytest.mark.slow
async def test_everybody_sees_their_own(story: Story) -> None:
    id = await story.ready("billing")
    await story.ask("second")
    rosa = await opened(story, "rosa")
    assert f"{id} is ready · billing" in part(rosa, "Your registrations (2)")
    assert f"Its values wait for you: /aad-setup values {id}" in rosa
    assert "[Cancel]" in part(rosa, "Your registrations (2)")
    assert "Waiting for you" not in rosa
    assert "How the bot stands" not in rosa

    ada = await opened(story, "ada")
    waiting = part(ada, "Waiting for you (1)")
    assert "Directory.Read.All (application): reads the whole directory" in waiting
    assert "[Approve]  [Deny]" in waiting
    assert "• Database: answers" in ada
    assert "• Entra: the latest run ended well" in ada
    assert "• Secrets waiting to be seen: 1" in ada
    assert "approved · @ada" in part(ada, "What happened lately")

    ben = await opened(story, "ben")
    assert id not in ben
    assert "Nothing yet." in part(ben, "What happened to your registrations")
    assert "[New application]" not in ben
    assert "add you to REQUESTERS" in ben
    assert not story.workspace.complaints


@pytest.mark.slow
async def test_an_approver_decides_at_home_and_the_home_follows(story: Story) -> None:
    id = await story.ask("billing")
    await opened(story, "ada")
    await opened(story, "rosa")
    await story.workspace.click("ada", "Approve", on=story.workspace.home_of("ada"))
    await story.until(lambda: "Nothing waits for you." in seen(story, "ada"))
    await story.until(lambda: story.is_announced(id))
    story.clock.move(SPACING)
    await story.until(lambda: f"{id} is ready · billing" in seen(story, "rosa"))


async def test_a_click_at_home_that_comes_too_late_is_answered_there(story: Story) -> None:
    id = await story.ask("billing")
    await opened(story, "ada")
    stale = story.workspace.home_of("ada")
    await story.press("rosa", "Cancel")
    await story.until(lambda: f"{id} was cancelled" in story.card())
    await click(story, "ada", "approve", id, stale)
    await story.until(lambda: seen(story, "ada").startswith(f"{id} was cancelled"))
    assert not story.workspace.messages("ada")


@pytest.mark.slow
async def test_a_failure_is_retried_at_home(story: Story) -> None:
    id, fault = await failed(story)
    home = await opened(story, "rosa")
    assert "Entra refused: a right is missing (insufficient privileges)." in home
    fault.times = 0
    await story.workspace.click("rosa", "Retry", on=story.workspace.home_of("rosa"))
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_secrets_about_to_expire_are_shown_to_their_people(story: Story) -> None:
    id = await story.ready("billing")
    story.clock.move(timedelta(days=340))
    for person in ("rosa", "ada"):
        expiring = part(await opened(story, person), "Secrets about to expire, or expired (1)")
        assert f"{id} is ready · billing · @rosa · secret expires" in expiring
    assert "No secret has expired or expires within 30 days." in await opened(story, "ben")


@pytest.mark.slow
async def test_pages_are_turned_and_invented_ones_are_not(story: Story) -> None:
    for number in range(9):
        id = await story.ask(f"wish {number}")
        await story.workspace.command("rosa", f"cancel {id}")
    mine = part(await opened(story, "rosa"), "Your registrations (9)")
    assert "wish 8" in mine
    assert "wish 4" not in mine
    assert "Page 1 of 3" in mine
    assert "[Next]" in mine
    assert "[Previous]" not in mine
    for page in (2, 3):
        await story.workspace.click("rosa", "Next", on=story.workspace.home_of("rosa"))
        mine = part(seen(story, "rosa"), "Your registrations (9)")
        assert f"Page {page} of 3" in mine
    assert "wish 0" in mine
    assert "[Next]" not in mine
    await story.workspace.click("rosa", "home_back", on=story.workspace.home_of("rosa"))
    assert "Page 2 of 3" in part(seen(story, "rosa"), "Your registrations (9)")

    home = story.workspace.home_of("rosa")
    for value in ("mine:0", "mine:99", "mine:9999"):
        await click(story, "rosa", "home_on", value, home)
        assert "Page" in seen(story, "rosa")
    for value in ("mine:99999", "mine:-1", "mine:x", "other:1", "", "mine:²", "health:1"):
        await click(story, "rosa", "home_on", value, home)
        assert seen(story, "rosa").startswith("There is no such page. Open this tab again.")


async def click(story: Story, person: str, action: str, value: str, view: Json | None) -> None:
    """Click what the view does not show (any more), as an old client or an attacker could."""
    workspace, who = story.workspace, story.workspace.people[person]
    payload = {
        "type": "block_actions",
        "user": {"id": who.id, "team_id": who.team_id},
        "team": {"id": workspace.team_id},
        "api_app_id": workspace.api_app_id,
        "container": {"type": "view", "view_id": (view or {}).get("id")},
        "trigger_id": "1.2.3",
        "view": view,
        "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value}],
    }
    assert (await workspace._state.delivery.deliver("interactive", payload)).error is None


async def test_guests_see_a_closed_home(story: Story) -> None:
    home = await opened(story, "gus")
    assert home == "Guest accounts can't use this bot."


@pytest.mark.slow
async def test_somebody_who_is_struck_off_sees_nothing_any_more(story: Story) -> None:
    await opened(story, "ada")
    story.workspace.people["ada"].is_restricted = True
    await story.ask("billing")
    story.clock.move(SPACING)
    await story.until(lambda: "can't use this bot" in seen(story, "ada"))


@pytest.mark.slow
async def test_a_home_that_was_in_doubt_heals(story: Story) -> None:
    await opened(story, "ada")
    story.workspace.faults.breaks("users.info")
    await story.workspace.open_home("ada")
    await story.until(lambda: "Slack did not say who you are" in seen(story, "ada"))
    story.workspace.faults.breaks("users.info")
    await story.eventually(lambda: "How the bot stands" in seen(story, "ada"))


def published(story: Story, person: str) -> int:
    id = story.workspace.people[person].id
    calls = story.workspace.calls("views.publish")
    return sum(entry.sent["user_id"] == id for entry in calls)


@pytest.mark.slow
async def test_a_burst_is_one_drawing_and_only_for_those_who_look(story: Story) -> None:
    await opened(story, "ada")
    before = published(story, "ada")
    assert before == 1
    for number in range(3):
        await story.ask(f"wish {number}")
    story.clock.move(SPACING)
    await story.until(lambda: "Waiting for you (3)" in seen(story, "ada"))
    assert published(story, "ada") - before <= 3
    assert published(story, "grace") == published(story, "rosa") == 0
    settled = published(story, "ada")
    story.clock.move(timedelta(hours=1))
    await asyncio.sleep(0)
    await story.ask("unseen")
    story.clock.move(SPACING)
    await story.until(lambda: len(story.workspace.messages("approvals")) == 4)
    assert published(story, "ada") <= settled + 1


async def test_the_messages_tab_is_no_home(story: Story) -> None:
    ben = story.workspace.people["ben"].id
    assert await deliver(story, {"type": "app_home_opened", "user": ben, "tab": "messages"})
    assert story.workspace.home_of("ben") is None


def test_only_so_many_homes_are_kept_up_to_date() -> None:
    nobody: Any = None
    services: Any = SimpleNamespace(clock=MovableClock(), wakeups=Wakeups())
    homes = HomePublisher(services, nobody, client=nobody, look_up=nobody, every=3600)
    for number in range(MOST_OPEN + 20):
        homes.clicked({"team_id": "T0HOME"}, f"U{number}")
        homes.clicked({"team_id": "T0HOME"}, "U0ADA")
    assert len(homes.watched) == MOST_OPEN
    assert "U0ADA" in homes.watched
    assert "U1" not in homes.watched


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
        open_database(f"sqlite+aiosqlite:///{tmp_path / 'homes.db'}") as database,
        client_of(workspace) as client,
    ):
        install(workspace)
        client.retry_handlers = []
        people = workspace.people
        env = registrar_env(
            database,
            clock,
            team_id=workspace.team_id,
            requesters=frozenset({people["rosa"].id}),
            approvers=frozenset({people["ada"].id}),
        )
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


async def test_it_is_drawn_at_once_after_a_click_in_it_and_else_a_bit_later(front: Front) -> None:
    await front.open("ada", said="Hello")
    await front.change()
    assert await front.look() == 0
    front.homes.clicked(front.body(), front.id("ada"))
    assert await front.look() == 1
    assert "Hello" not in front.seen("ada")


async def test_a_home_is_followed_for_half_an_hour_after_it_was_last_heard_of(front: Front) -> None:
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
async def test_who_was_in_doubt_is_looked_up_a_minute_later(front: Front, is_closed: bool) -> None:
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
