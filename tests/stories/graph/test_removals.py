"""Every kind of removal, while reads lag, with an answer lost on the way, and after a kill.

What is measured is the time on the tenant's clock: a removal whose effect is there is done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

import pytest

from bot.playground.tenant.faults import Span
from graph.errors import NotFound, NotOurs
from graph.plan import Plan
from graph.removal import purge
from graph.steps import remove_secret, remove_strays, stages
from tests.support.graph_bot import Bot

pytestmark = pytest.mark.slow

Removal = Callable[[Bot, Plan], Awaitable[None]]
LAGS: tuple[Span, ...] = (0.0, 5.0, (0.0, 5.0))
MOMENTS: list[tuple[Span, float]] = [
    *((0.0, 0.0), (2.0, 2.0), (5.0, 0.0), (5.0, 5.0), ((0.0, 5.0), 0.0), ((0.0, 5.0), 2.0)),
]
"""Of the lag, and how long after the last write the removal begins."""
LOST, KILLED, HEALTHY = "503 that took effect", "killed after the effect", "no fault"
SETTLED = timedelta(minutes=16)


class Call(NamedTuple):
    """A call by which something is removed, as the tenant sees it."""

    method: str
    path: str


SECRET = Call("POST", "/removePassword")
ROLE = Call("DELETE", "/appRoleAssignedTo/")
SCOPES = Call("DELETE", "/oauth2PermissionGrants/")
PRINCIPAL = Call("DELETE", "/servicePrincipals/[^/]+$")
APPLICATION = Call("DELETE", "/applications/")
BIN = Call("DELETE", "/deletedItems/")


async def everything(bot: Bot, plan: Plan) -> None:
    """Undo and revoke."""
    await bot.take_back(plan)
    assert bot.tenant.applications == bot.tenant.service_principals == bot.tenant.grants == []


async def an_application_whose_answer_was_lost(bot: Bot, plan: Plan) -> None:
    bot.facts = {**bot.ledger.adopted}
    await everything(bot, plan)


async def a_secret(bot: Bot, plan: Plan) -> None:
    """One that was replaced, that retires, or that nobody came for."""
    await remove_secret(bot.site(plan), bot.facts["secret"]["key_id"])
    assert bot.tenant.live_secrets(bot.facts["application"]["app_id"]) == []


async def strays(bot: Bot, plan: Plan) -> None:
    """A sweep comes when everything has settled."""
    await remove_strays(bot.site(plan), frozenset())
    assert bot.tenant.live_secrets(bot.facts["application"]["app_id"]) == []


async def what_is_in_the_bin(bot: Bot, plan: Plan) -> None:
    for step in ("application", "service_principal"):
        await purge(
            bot.site(plan),
            step=step,
            object_id=bot.facts[step]["object_id"],
            app_id=bot.facts["application"]["app_id"],
            deleted_at=bot.clock.now(),
        )
    assert bot.tenant.deleted == []


CASES = [
    *((everything, call) for call in (SECRET, ROLE, SCOPES, PRINCIPAL, APPLICATION)),
    (an_application_whose_answer_was_lost, APPLICATION),
    (a_secret, SECRET),
    (strays, SECRET),
    (what_is_in_the_bin, BIN),
]


@pytest.mark.parametrize("fault", [HEALTHY, LOST, KILLED])
@pytest.mark.parametrize(("lag", "after"), MOMENTS, ids=str)
@pytest.mark.parametrize(
    ("removal", "call"), CASES, ids=[f"{removal.__name__} {call.path}" for removal, call in CASES]
)
async def test_a_removal_takes_no_longer_than_replication_does(
    bot: Bot, removal: Removal, call: Call, lag: Span, after: float, fault: str
) -> None:
    plan = await ready(bot, lag)
    bot.clock.move(timedelta(seconds=after))
    if removal is strays:
        bot.clock.move(SETTLED)
    if removal is what_is_in_the_bin:
        await bot.take_back(plan)
    start = bot.clock.now()
    if fault is LOST:
        bot.tenant.faults.fail(call.method, call.path, when="after_effect")
    if fault is KILLED:
        await killed(bot, removal(bot, plan), call)
    await removal(bot, plan)
    assert (bot.clock.now() - start).total_seconds() <= 3 * longest(lag) + 15


@pytest.mark.parametrize("lag", LAGS, ids=str)
async def test_what_somebody_else_has_deleted_is_not_waited_for(bot: Bot, lag: Span) -> None:
    plan = await ready(bot, lag)
    start = bot.clock.now()
    path = f"/applications/{bot.facts['application']['object_id']}"
    await bot.site(plan).retry_until_replicated(lambda: bot.graph.send("DELETE", path))
    await everything(bot, plan)
    assert (bot.clock.now() - start).total_seconds() <= 3 * longest(lag) + 15


@pytest.mark.parametrize("lag", [60.0, 300.0, (0.0, 300.0)], ids=str)
async def test_what_is_young_is_waited_for_however_long_it_takes(bot: Bot, lag: Span) -> None:
    """Each object alone: what a later step has used was seen by one replica and not by all."""
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    application, *_ = stages(plan)[0]
    bot.facts["application"] = await application.do(bot.site(plan))
    await everything(bot, plan)


@pytest.mark.parametrize("lag", [60.0, (0.0, 300.0)], ids=str)
async def test_a_secret_of_an_application_that_is_not_seen_yet_is_waited_for(
    bot: Bot, lag: Span, made: Plan
) -> None:
    object_id = bot.facts["application"]["object_id"]
    bot.facts["application"]["created_at"] = bot.clock.now().isoformat()
    bot.tenant.faults.fail(
        "POST", "/removePassword", status=404, code="Request_ResourceNotFound", times=3
    )
    await a_secret(bot, made)
    assert len(bot.tenant.calls("GET", f"/deletedItems/{object_id}")) == 3


async def test_a_secret_that_entra_has_never_shown_to_know_is_left_to_a_sweep(bot: Bot) -> None:
    plan = await ready(bot, 0.0)
    start = bot.clock.now()
    with pytest.raises(NotFound):
        await remove_secret(bot.site(plan), key_id=UNKNOWN, unproven_since=start)
    assert (bot.clock.now() - start).total_seconds() <= 15
    bot.clock.move(SETTLED)
    await remove_secret(bot.site(plan), key_id=UNKNOWN, unproven_since=start)


@pytest.mark.parametrize("is_in_doubt", [True, False])
async def test_an_undo_is_no_success_while_something_under_its_key_exists(
    bot: Bot, is_in_doubt: bool
) -> None:
    """Somebody else's, or ours of which storage knows nothing."""
    plan = await ready(bot, 0.0)
    bot.facts.clear()
    if is_in_doubt:
        bot.client_id = UNKNOWN
    else:
        await bot.ledger.clear_intent("application")
    with pytest.raises(NotOurs):
        await bot.take_back(plan)
    assert len(bot.tenant.applications) == 1


async def test_a_client_id_in_capitals_is_the_same(bot: Bot) -> None:
    plan = await ready(bot, 0.0)
    bot.facts.clear()
    bot.client_id = bot.client_id.upper()
    await everything(bot, plan)


@pytest.mark.parametrize("status", [400, 403])
async def test_an_undo_looks_once_for_what_entra_has_refused_to_make(bot: Bot, status: int) -> None:
    plan = await bot.plan()
    bot.tenant.faults.fail("PATCH", "/applications", status=status, code="Request_BadRequest")
    bot.tenant.faults.fail("PATCH", "/applications", status=status, code="Request_BadRequest")
    with pytest.raises(Exception, match="PATCH"):
        await bot.carry_out(plan)
    start = bot.clock.now()
    await bot.take_back(plan)
    assert (bot.clock.now() - start).total_seconds() <= 15


UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def ready(bot: Bot, lag: Span) -> Plan:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    await bot.carry_out(plan)
    bot.ledger.intended_at = bot.clock.now()
    return plan


async def killed(bot: Bot, removing: Awaitable[None], call: Call) -> None:
    """Let nobody have the answer to that call, nor note anything after it."""
    held = bot.tenant.faults.hold(call.method, call.path, when="after_effect")
    at_work = asyncio.ensure_future(removing)
    reached = asyncio.ensure_future(held.reached.wait())
    await asyncio.wait((at_work, reached), return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    at_work.cancel()
    await asyncio.wait((at_work,))
    held.drop()


def longest(lag: Span) -> float:
    return max(lag) if isinstance(lag, tuple) else lag
