"""Replicas: two processes on one database and one workspace, and one of them may die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import psycopg
import pytest

from bot.playground.stage import Stage
from bot.playground.tenant.faults import Hold
from bot.playground.workspace.record import Kind
from bot.worker import replicas
from tests.support.cli import typed
from tests.support.crash_calls import CALLS, Call
from tests.support.postgres import plain
from tests.support.replica_process import Replica, living
from tests.support.running_bot import Bot
from tests.support.story import Story

CARRIER = "SELECT carried_by FROM runs WHERE carried_by > '' AND ended_at IS NULL"
HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"


@pytest.fixture
def pair(stage: Stage, postgres_url: str) -> "Pair":
    return Pair(stage, postgres_url)


class Pair:
    """Two replicas between one workspace and one tenant."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.stage = stage
        self.story = Story(stage)
        self.url = url
        self.replicas: list[Replica] = []

    @asynccontextmanager
    async def running(self, **changes: str) -> AsyncIterator[Story]:
        """Start both at the same moment, on a database that is still empty."""
        environ = self.stage.environ(DATABASE_URL=self.url, **changes)
        async with AsyncExitStack() as stack:
            self.replicas = await asyncio.gather(
                *(
                    stack.enter_async_context(living(environ, self.stage.folder / f"{n}.log"))
                    for n in range(2)
                )
            )
            await self.story.until(lambda: self.stage.workspace.connections == 2)
            yield self.story

    async def ask_database(self, query: str, *values: int) -> list[tuple[str | int, ...]]:
        async with await psycopg.AsyncConnection.connect(
            plain(self.url), autocommit=True
        ) as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()

    async def held_at(self, method: str, path: str) -> tuple[str, Hold, Replica, Replica]:
        """Approve a registration and hold this call of its run. Return its id, the call, the
        replica that has made the call, and the other one.
        """
        story = self.story
        id, held = await story.ask(), story.tenant.faults.hold(method, path)
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        async with asyncio.timeout(60):
            await held.reached.wait()
        [(executor,)] = await self.ask_database(CARRIER)
        one, other = self.replicas
        return (id, held, one, other) if one.slot == executor else (id, held, other, one)


def _cards(story: Story, id: str) -> int:
    """Count a registration's cards in the approval channel."""
    return sum(it["text"].startswith(id) for it in story.workspace.messages("approvals"))


@pytest.mark.slow
async def test_the_main_road_on_postgresql(stage: Stage, bot: Bot, postgres_url: str) -> None:
    async with bot(DATABASE_URL=postgres_url.replace("+psycopg", "")):
        story = Story(stage)
        id = await story.ready()
        assert "••••••••" in await story.values(id)
        assert "••••••••" not in await story.reveal()
        stage.clock.move(timedelta(seconds=61))
        await story.until(lambda: "masked for good" in story.whispers("rosa"))
    async with bot(DATABASE_URL=postgres_url):  # and the day after
        reply = await stage.workspace.command("rosa", f"status {id}")
        assert f"{id} is ready" in str(reply)
    assert not stage.workspace.complaints


@pytest.mark.slow
async def test_the_other_replica_takes_over_from_one_that_is_killed(pair: Pair) -> None:
    """It dies when the tenant has made the application, and before it heard of it."""
    async with pair.running() as story:
        id, held, dying, other = await pair.held_at("PATCH", r"/applications\(")
        await dying.kill()
        held.drop()
        await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
        assert len(story.tenant.applications_named("billing")) == 1
        # The dead one may have claimed the card, and a claim lapses after 15 seconds.
        await story.until(lambda: f"{id} is ready" in story.read(story.card_of(id)))
        assert _cards(story, id) == 1
        assert await other.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("call", [it for it in CALLS if it.name not in ("application", "scopes")])
async def test_a_replica_may_die_in_any_step(pair: Pair, call: Call) -> None:
    async with pair.running() as story:
        id, held, dying, _ = await pair.held_at(call.method, call.path)
        await dying.kill()
        held.drop()
        await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
        [application] = story.tenant.applications_named("billing")
        roles = story.tenant.roles_of(application["appId"])
        assert roles == {"Directory.Read.All", "User.Read.All"}
        await story.values(id)
        assert "••••••••" not in await story.reveal()


@pytest.mark.slow
async def test_a_replica_that_loses_its_slot_leaves_and_is_replaced(pair: Pair) -> None:
    async with pair.running() as story:
        id, held, losing, _ = await pair.held_at("PATCH", r"/servicePrincipals\(")
        number = int(losing.slot.removeprefix("slot-"))
        [(pid,)] = await pair.ask_database(HOLDER, replicas.CLASS, number)
        await pair.ask_database("SELECT pg_terminate_backend(%s)", int(pid))
        assert await losing.ended() == replicas.LOST
        held.drop()
        await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
        assert len(story.tenant.applications_named("billing")) == 1


@pytest.mark.slow
async def test_whichever_replica_answers_everything_happens_once(pair: Pair) -> None:
    async with pair.running() as story:
        first = await _many_are_made_once(story)
        await _one_secret_is_shown_once(story, first)
        await _approve_or_deny_wins(story)


async def _many_are_made_once(story: Story) -> str:
    """Approve eight at once, and return the id of the first."""
    names = [f"connector {n}" for n in range(8)]
    ids = [await story.ask(name) for name in names]
    await asyncio.gather(
        *(story.workspace.click("ada", "Approve", on=story.card_of(id)) for id in ids)
    )
    await story.until(
        lambda: all(f"{id}: your connector values" in story.direct("rosa") for id in ids)
    )
    for name in names:
        assert len(story.tenant.applications_named(name)) == 1
    assert [_cards(story, id) for id in ids] == [1] * len(ids)
    told = story.direct("rosa")
    assert [told.count(f"{id}: your connector values") for id in ids] == [1] * len(ids)
    assert not story.workspace.unacked
    assert not story.workspace.complaints
    return ids[0]


async def _one_secret_is_shown_once(story: Story, id: str) -> None:
    await story.values(id)
    whisper = story.workspace.ephemerals("rosa")[-1]
    await asyncio.gather(
        *(story.workspace.click("rosa", "Show the secret", on=whisper) for _ in range(6))
    )
    refusals = ("is being shown right now", "has already been shown")

    def refused() -> int:
        told = [story.workspace.text_of(it) for it in story.workspace.ephemerals("rosa")]
        return sum(any(words in text for words in refusals) for text in told)

    def shown() -> int:
        hooks = [it.sent for it in story.workspace.log if it.kind is Kind.HOOK]
        answers = [sent for sent in hooks if sent.get("replace_original")]
        return len([answer for answer in answers if "••••••••" not in str(answer)])

    await story.until(lambda: refused() == 5 and shown())
    assert shown() == 1


async def _approve_or_deny_wins(story: Story) -> None:
    """Press both at once, six times: one decides, and the other is told who did."""
    for turn in range(6):
        id = await story.ask(f"decided {turn}")
        card = story.card_of(id)
        await story.open_denial(id)
        _, denial = await asyncio.gather(
            story.workspace.click("ada", "Approve", on=card),
            story.workspace.submit("grace", {"Reason": "Not now"}),
        )
        if denial.errors:
            name = story.workspace.people["ada"].real_name
            assert f"{name} already approved {id}" in str(denial.errors)
            await story.workspace.close_view("grace")
        else:
            said = f"<@{story.workspace.people['grace'].id}> already denied {id}"
            await story.until(lambda said=said: said in str(story.workspace.ephemerals("ada")))
        story.workspace.reload("ada")


@pytest.mark.slow
async def test_of_50_people_in_two_processes_one_decides_and_the_others_hear_who(
    pair: Pair,
) -> None:
    workspace = pair.stage.workspace
    crowd = [workspace.people.add(f"no{n}", f"No. {n}") for n in range(50)]
    workspace.channels["approvals"].members |= {each.id for each in crowd}
    approving, denying = crowd[::2], crowd[1::2]
    async with pair.running(APPROVERS=",".join(each.id for each in crowd)) as story:
        id = await story.ask()
        card = story.card_of(id)
        for each in denying:
            await story.open_denial(id, by=each.name)
        _, denials = await asyncio.gather(
            asyncio.gather(*(workspace.click(each, "Approve", on=card) for each in approving)),
            asyncio.gather(*(workspace.submit(each, {"Reason": "Not now"}) for each in denying)),
        )
        errors = {
            each.id: " ".join(answer.errors.values())
            for each, answer in zip(denying, denials, strict=True)
        }

        def heard() -> dict[str, str]:
            return {each.id: story.whispers(each.name) for each in approving} | errors

        # A whisper may still be on its way when the click was acknowledged.
        await story.until(lambda: list(heard().values()).count("") == 1)
        told = heard()
        [winner] = [person for person, said in told.items() if not said]
        verb = "approved" if winner in {each.id for each in approving} else "denied"
        # A whisper mentions people, beside a field stand their names.
        names = {f"@{workspace.people[winner].name}", workspace.people[winner].real_name}
        too_late = {f"{name} already {verb} {id}." for name in names}
        assert not set(told.values()) - {"", *too_late}
        if verb == "approved":
            await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
        else:
            await story.until(lambda: f"{id} was denied" in story.direct("rosa"))
            assert not story.tenant.applications
        assert not workspace.unacked
        assert not workspace.complaints


@pytest.mark.slow
async def test_two_last_approvers_in_two_processes_reach_the_quorum(pair: Pair) -> None:
    async with pair.running(APPROVALS_NEEDED="2") as story:
        ids = [await story.ask(f"connector {turn}") for turn in range(4)]
        await asyncio.gather(
            *(
                story.workspace.click(approver, "Approve", on=story.card_of(id))
                for id in ids
                for approver in ("ada", "grace")
            )
        )
        await story.until(
            lambda: all(f"{id}: your connector values" in story.direct("rosa") for id in ids)
        )


async def test_a_second_process_on_one_sqlite_file_says_so_and_ends(stage: Stage, bot: Bot) -> None:
    async with bot():
        second = await typed("serve", environ=stage.environ(), folder=stage.folder)
    assert second.status == 2
    sentence = f"Another process is using {stage.folder / 'aad-setup.db'}. Stop it first."
    assert sentence in second.err
    assert "Traceback" not in second.out + second.err
