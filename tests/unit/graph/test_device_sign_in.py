"""How often Entra is asked what became of a code for a device, and for how long."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from graph.approver_sign_in import SignedIn, Unproven
from graph.calls import Json
from graph.device_sign_in import (
    AT_ONCE,
    LONGEST_PAUSE,
    Abandoned,
    DeviceCode,
    DeviceSignIn,
    PublicFlowsOff,
)
from graph.errors import GraphError, UnexpectedAnswer
from graph.signin_errors import CodeExpired
from tests.support.scripted_sign_in import ADA, DISCOVERED, at_consent_client, scripted, token_of
from tests.support.still_clock import StillClock

CODE = {
    "device_code": "opaque",
    "user_code": "ABCD23456",
    "verification_uri": "https://microsoft.com/devicelogin",
    "expires_in": 900,
    "interval": 5,
}
PENDING = 400, {"error": "authorization_pending", "error_codes": [70016]}
SLOW_DOWN = 400, {"error": "slow_down", "error_codes": [70016]}
Told = tuple[int, Json]


class Waiting:
    """A sign-in that is waited for, with these answers of the token endpoint, the last repeated."""

    def __init__(self, *answers: Told, discovered: dict[str, str], **code: Any) -> None:
        self.clock = StillClock(eager=True)
        self.pauses: list[float] = []
        self.posted: list[str] = []
        self.lets_answer = threading.Event()
        self.lets_answer.set()
        self._answers = list(answers)
        self._code = {**CODE, **code}
        approver_sign_in = at_consent_client(scripted(self._answer, discovered), self.clock)
        self.device_sign_in = DeviceSignIn(approver_sign_in=approver_sign_in)

    async def begin(self) -> DeviceCode:
        return await self.device_sign_in.begin()

    async def end(self, code: DeviceCode | None = None, *, most: int = 10_000) -> SignedIn:
        code = code or await self.begin()

        async def goes_on(seconds: float) -> bool:
            self.pauses.append(seconds)
            await self.clock.sleep(seconds)
            return len(self.pauses) <= most

        return await self.device_sign_in.wait(code, object_id=ADA, goes_on=goes_on)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(request.content.decode())
        if request.url.path.endswith("device_authorization_endpoint"):
            return httpx.Response(200, json=self._code)
        assert self.lets_answer.wait(timeout=20)
        status, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return httpx.Response(status, json=body)


def waiting(*answers: Told, discovered: dict[str, str] = DISCOVERED, **code: Any) -> Waiting:
    return Waiting(*(answers or (PENDING,)), discovered=discovered, **code)


async def test_it_asks_as_often_as_entra_says_and_more_slowly_when_told() -> None:
    it = waiting(PENDING, SLOW_DOWN, SLOW_DOWN, (503, {}), PENDING, (200, token_of()))
    signed_in = await it.end()
    assert it.pauses == [5, 5, 10, 15, 15, 15]
    assert signed_in.token.access == "opaque"
    assert not any("client_secret" in body or "offline_access" in body for body in it.posted)
    assert not any("claims" in body for body in it.posted)  # none were wanted


@pytest.mark.parametrize("expires_in", [900, 86400])
async def test_it_asks_for_fifteen_minutes_at_most(expires_in: int) -> None:
    it = waiting(expires_in=expires_in)
    with pytest.raises(CodeExpired):
        await it.end()
    assert sum(it.pauses) == 900


async def test_no_pause_is_longer_than_a_minute() -> None:
    it = waiting(PENDING, (200, token_of()), interval=3600)
    await it.end()
    assert it.pauses == [LONGEST_PAUSE, LONGEST_PAUSE]


async def test_it_ends_as_soon_as_nobody_waits() -> None:
    it = waiting()
    with pytest.raises(Abandoned):
        await it.end(most=2)
    assert len(it.posted) == 1 + 2


async def test_an_entra_that_does_not_answer_leaves_threads_for_all_else() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE + 1))
    it = waiting((200, token_of()))
    codes = [await it.begin() for _ in range(3 * AT_ONCE)]
    it.lets_answer.clear()
    waits = [asyncio.create_task(it.end(code)) for code in codes]
    try:
        for _ in range(20):  # until all have asked that may
            await asyncio.sleep(0)
        async with asyncio.timeout(2):
            await asyncio.to_thread(int)
    finally:
        it.lets_answer.set()
        await asyncio.gather(*waits)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {"error": "invalid_client", "error_codes": [7000218]}), PublicFlowsOff),
        ((200, token_of(aud="x")), Unproven),
        ((200, {**token_of(), "id_token": "no token"}), UnexpectedAnswer),
    ],
)
async def test_any_other_answer_ends_it(answer: Told, error: type[GraphError]) -> None:
    it = waiting(PENDING, answer)
    with pytest.raises(error) as caught:
        await it.end()
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "change",
    [
        {"verification_uri": "http://microsoft.com/devicelogin"},
        {"verification_uri": "https://evil.example/|click>"},
        {"user_code": "`*AB*`"},
        {"device_code": ""},
        {"interval": 0},
    ],
)
async def test_an_odd_code_is_shown_to_nobody(change: Json) -> None:
    with pytest.raises(UnexpectedAnswer):
        await waiting(**change).begin()


async def test_codes_are_asked_for_at_the_authority_alone() -> None:
    elsewhere = {**DISCOVERED, "device_authorization_endpoint": "https://evil.example/code"}
    it = waiting(discovered=elsewhere)
    with pytest.raises(UnexpectedAnswer):
        await it.begin()
    without = {k: v for k, v in DISCOVERED.items() if k != "device_authorization_endpoint"}
    with pytest.raises(Unproven):
        await waiting(discovered=without).begin()
    assert not it.posted


async def test_neither_half_of_a_code_is_printed() -> None:
    code = await waiting().begin()
    assert "opaque" not in repr(code)
    assert "ABCD23456" not in repr(code)
