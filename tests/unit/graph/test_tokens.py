"""What a token says of itself is read, and a token that says nothing is not guessed at."""

from datetime import UTC, datetime, timedelta

import pytest

from graph.calls import Json
from graph.client import Token, read_token
from graph.clock import SystemClock
from graph.credentials import Credential
from graph.signin import EARLY, BotTokens, SignIn
from tests.support.graph_fakes import jwt
from tests.support.still_clock import StillClock


@pytest.mark.parametrize("roles", [["User.Read.All"], []])
def test_roles_and_end_are_read_and_the_token_never_shows_itself(roles: list[str]) -> None:
    access = jwt({"exp": 1_800_000_000, **({"roles": roles} if roles else {})})
    read = read_token(access)
    assert read is not None
    assert (read.roles, read.expires_at) == (frozenset(roles), datetime(2027, 1, 15, 8, tzinfo=UTC))
    assert access not in repr(read)


UNREADABLE: tuple[Json, ...] = (
    *({}, {"exp": "soon"}, {"exp": 10**30}, {"exp": True}),
    *({"exp": 1_900_000_000, "roles": roles} for roles in ("all", [7])),
    {"exp": 1_900_000_000, "tid": 7},
)


@pytest.mark.parametrize("access", ["", "opaque", "a.b.c", "a.!!.c", *map(jwt, UNREADABLE)])
def test_a_token_that_is_opaque_or_of_another_shape_is_not_guessed_at(access: str) -> None:
    assert read_token(access) is None


class CountingSignIn(SignIn):
    """Signs in without a tenant, for an hour each time."""

    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self.count = 0
        self.ahead = timedelta()
        """How far our clock is ahead of Entra's."""

    async def token(self, client_id: str, credential: Credential) -> Token:
        self.count += 1
        ends = self.clock.now() - self.ahead + timedelta(hours=1)
        return Token(access=f"token-{self.count}", roles=frozenset(), expires_at=ends)


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    clock = StillClock()
    sign_in = CountingSignIn(clock)
    tokens = BotTokens(sign_in=sign_in, client_id="b", credential="s", clock=clock)
    await tokens.token()
    clock.move(timedelta(minutes=50))
    await tokens.token()
    assert sign_in.count == 1
    clock.move(timedelta(minutes=10) - EARLY)
    await tokens.token()
    assert sign_in.count == 2


async def test_many_who_saw_the_same_token_refused_cause_one_sign_in() -> None:
    clock = StillClock()
    sign_in = CountingSignIn(clock)
    tokens = BotTokens(sign_in=sign_in, client_id="b", credential="s", clock=clock)
    stale = await tokens.token()
    fresh = [await tokens.fresh(stale) for _ in range(5)]
    assert {each.access for each in fresh} == {"token-2"}


@pytest.mark.parametrize("ahead", [timedelta(hours=3), -timedelta(hours=3)])
async def test_with_a_clock_that_differs_a_token_is_kept_for_its_lifetime(ahead: timedelta) -> None:
    clock = StillClock()
    sign_in = CountingSignIn(clock)
    tokens = BotTokens(sign_in=sign_in, client_id="b", credential="s", clock=clock)
    sign_in.ahead = ahead
    for _ in range(5):
        await tokens.token()
    clock.move(timedelta(minutes=54))
    await tokens.token()
    assert sign_in.count == 1
    clock.move(timedelta(minutes=1))
    await tokens.token()
    assert sign_in.count == 2


async def test_it_tells_the_time_in_utc_and_sleeps() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.001)
    assert before < clock.now()
    assert before.utcoffset() == timedelta(0)
    assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)
