"""How many sign-ins with a code go on at once, and which code is shown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from bot.domain.people import Person, Refusal
from graph.device_sign_in import DeviceCode
from handlers.listeners.code_sign_ins import AT_ONCE, CodeSignIns
from handlers.slack.destinations import ResponseUrls
from tests.support.factories import NOON
from tests.support.still_clock import StillClock

ADA = Person(team_id="T1", user_id="U1")
URL = "https://hooks.slack.com/actions/1"


class Entra:
    """Answers with a code when it is let, and with the sign-in when that is waited for no more."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = self.ended = 0
        self.shown: list[str] = []

    async def __call__(
        self,
        id: str,
        *,
        by: Person,
        show: Callable[[DeviceCode], Awaitable[None]],
        goes_on: Callable[[float], Awaitable[bool]],
    ) -> str:
        self.asked += 1
        code = DeviceCode(
            page="https://entra.example",
            user_code=f"CODE{self.asked}",
            ends_at=NOON,
            pause=5,
            flow={},
        )
        try:
            await self.answers.wait()
            await show(code)
            while await goes_on(5):
                pass
        finally:
            self.ended += 1
        return "done"

    async def add(self, url: str, *, text: str, blocks: Any = None) -> bool:
        self.shown.append(str(blocks or text))
        return True


def sign_ins(entra: Entra) -> CodeSignIns:
    urls = cast(ResponseUrls, entra)
    return CodeSignIns(entra, response_urls=urls, clock=StillClock(), contact="#it-help")


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_of_two_clicks_only_the_code_that_works_is_shown() -> None:
    entra = Entra()
    under_way = sign_ins(entra)
    under_way.begin("AAD-7K3F", by=ADA, url=URL)
    await turns()
    under_way.begin("AAD-7K3F", by=ADA, url=URL)
    await turns()
    entra.answers.set()
    await turns()
    assert entra.asked == 2
    assert ["CODE2" in it for it in entra.shown] == [True]
    await under_way.settle()


async def test_clicks_again_and_again_count_and_a_stop_waits_for_all() -> None:
    entra = Entra()
    under_way = sign_ins(entra)
    for _ in range(AT_ONCE):
        under_way.begin("AAD-7K3F", by=ADA, url=URL)
        await turns()
    with pytest.raises(Refusal, match="just now"):
        under_way.begin("AAD-7K3F", by=ADA, url=URL)
    entra.answers.set()
    await under_way.settle()
    assert entra.asked == entra.ended == AT_ONCE


async def test_a_click_that_is_refused_leaves_the_code_before_it_alone() -> None:
    entra = Entra()
    under_way = sign_ins(entra)
    entra.answers.set()
    for number in range(AT_ONCE):
        under_way.begin(f"AAD-{number}", by=ADA, url=URL)
    await turns()
    with pytest.raises(Refusal, match="just now"):
        under_way.begin("AAD-ONEMORE", by=ADA, url=URL)
    await turns()
    assert entra.ended == 0
    await under_way.settle()
