"""The client waits out what passes, repeats what may be repeated, and raises the rest."""

import gzip
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from graph.calls import Answer, Call, Json
from graph.client import MOST_PAGES, Token
from graph.errors import (
    BadRequest,
    Forbidden,
    GraphError,
    LostAnswer,
    NotFound,
    Throttled,
    TokenExpired,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from graph.http import MOST_BYTES
from graph.retry import ATTEMPTS
from tests.support.graph_fakes import (
    GRAPH_URL,
    Script,
    Tokens,
    answer,
    client,
    refusal,
    send,
    token,
)
from tests.support.still_clock import StillClock

FINE = {"id": "a", "status": 200, "body": {"value": []}}
DENIED = {
    "id": "a",
    "status": 403,
    "body": {"error": {"code": "Authorization_RequestDenied", "message": ""}},
}


@pytest.fixture
def clock() -> StillClock:
    return StillClock(eager=True)


async def test_a_call_carries_the_token_and_an_id_of_its_own() -> None:
    graph = Script([answer(200, {"a": 1}), answer(200, {})])
    async with client(graph) as caller:
        found = await caller.send("GET", "/me", query={"$filter": "name eq 'O''Hara & Co'"})
        await caller.send("GET", "/me")
    first, second = graph.requests
    assert found.body == {"a": 1}
    assert str(first.url) == (
        f"{GRAPH_URL}/v1.0/me?$filter=name%20eq%20%27O%27%27Hara%20%26%20Co%27"
    )
    assert first.headers["authorization"] == "Bearer token-1"
    assert first.headers["client-request-id"] != second.headers["client-request-id"]


@pytest.mark.parametrize("status", [429, 503, 504])
async def test_retry_after_is_honoured_to_the_second(clock: StillClock, status: int) -> None:
    times: list[datetime] = []
    script = Script([answer(status, retry_after="40"), answer(200, {})])

    def graph(request: httpx.Request) -> httpx.Response:
        times.append(clock.now())
        return script(request)

    found = await send(graph, clock=clock)
    assert times[1] - times[0] >= timedelta(seconds=40)
    assert found.tries == 2


async def test_without_retry_after_the_waits_double(clock: StillClock) -> None:
    start = clock.now()
    await send(Script([answer(429)] * 4 + [answer(200, {})]), clock=clock)
    waited = clock.now() - start
    assert timedelta(seconds=15) <= waited < timedelta(seconds=20)


@pytest.mark.parametrize(
    "headers", [{}, {"retry_after": "0"}, {"retry_after": "0.001"}, {"retry_after": "-3"}], ids=str
)
@pytest.mark.parametrize("status", [429, 503])
async def test_no_retry_after_makes_the_client_repeat_a_call_without_end(
    clock: StillClock, status: int, headers: dict[str, str]
) -> None:
    graph = Script([answer(status, **headers)] * 200)
    start = clock.now()
    with pytest.raises((Throttled, Unavailable)):
        await send(graph, clock=clock)
    assert len(graph.requests) <= ATTEMPTS
    assert clock.now() - start >= timedelta(seconds=60)


async def test_without_any_time_passing_the_attempts_are_limited_all_the_same() -> None:
    graph, clock = Script([answer(429, retry_after="0")] * 200), StillClock(eager=True)
    async with client(graph, clock=clock) as caller:
        caller.jitter = lambda: 0.0
        with pytest.raises(Throttled):
            await caller.send("GET", "/me")
    assert len(graph.requests) == ATTEMPTS


async def test_a_wait_that_is_too_long_to_grant_is_told() -> None:
    with pytest.raises(Throttled) as caught:
        await send(Script([answer(429, retry_after="3600")]))
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize(
    ("breakage", "expected"), [(httpx.ConnectError, Unreachable), (httpx.ReadTimeout, Unavailable)]
)
async def test_an_outage_ends_in_a_sentence_within_minutes(
    clock: StillClock, breakage: type[Exception], expected: type[GraphError]
) -> None:
    start = clock.now()
    with pytest.raises(expected):
        await send(Script([breakage] * 20), clock=clock)
    assert clock.now() - start < timedelta(minutes=3)


@pytest.mark.parametrize(
    "breakage",
    [
        httpx.ReadError,
        httpx.RemoteProtocolError,
        httpx.ReadTimeout,
        answer(500),
        answer(504, retry_after="5"),
        httpx.Response(200, text="<html>"),
    ],
)
async def test_a_call_that_must_not_be_repeated_tells_that_its_answer_was_lost(
    breakage: httpx.Response | type[Exception],
) -> None:
    graph = Script([breakage])
    with pytest.raises(LostAnswer):
        await send(graph, "POST", "/x/addPassword", body={}, repeatable=False)
    assert len(graph.requests) == 1


async def test_a_call_that_was_never_sent_is_repeated_in_any_case() -> None:
    graph = Script([httpx.ConnectError, refusal(429, "TooManyRequests"), answer(200, {})])
    await send(graph, "POST", "/x/addPassword", body={}, repeatable=False)
    assert len(graph.requests) == 3


async def test_a_page_where_json_should_be_is_an_outage() -> None:
    graph = Script([httpx.Response(200, text="<html>"), answer(502), answer(200, {"a": 1})])
    assert (await send(graph)).body == {"a": 1}


async def test_a_redirect_is_not_followed() -> None:
    graph = Script([answer(302, location="https://elsewhere.test/")])
    with pytest.raises(GraphError):
        await send(graph)
    assert len(graph.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(401, "InvalidAuthenticationToken"), (403, "Authorization_RequestDenied")]
)
async def test_a_token_that_is_refused_is_replaced_once(status: int, code: str) -> None:
    graph, tokens = Script([refusal(status, code), answer(200, {})]), Tokens()
    await send(graph, tokens=tokens)
    assert graph.bearers == ["token-1", "token-2"]


async def test_a_right_that_is_missing_stops_at_once() -> None:
    graph, tokens = Script([refusal(403, "Authorization_RequestDenied")] * 2), Tokens()
    with pytest.raises(Forbidden):
        await send(graph, tokens=tokens)
    assert tokens.made == 2


async def test_a_given_token_is_never_replaced() -> None:
    graph = Script([refusal(401, "InvalidAuthenticationToken")])
    async with client(graph) as caller:
        with pytest.raises(TokenExpired):
            await caller.with_token(token(access="mine")).send("GET", "/me")
    assert graph.bearers == ["mine"]


async def paged(graph: Script) -> list[Any]:
    async with client(graph) as caller:
        return [item async for item in caller.pages("/users")]


async def batched(graph: Script, ids: str = "a", **edges: Any) -> dict[str, Answer | GraphError]:
    """Read so many in one `$batch`."""
    async with client(graph, **edges) as caller:
        return dict(await caller.batch({id: Call(method="GET", path=f"/{id}") for id in ids}))


def batch(*responses: Json) -> httpx.Response:
    return answer(200, {"responses": list(responses)}, request_id="r1")


async def test_pages_are_followed_to_the_end() -> None:
    link = f"{GRAPH_URL}/v1.0/users?$skiptoken=2"
    graph = Script(
        [
            answer(200, {"value": [{"id": 1}, {"id": 2}], "@odata.nextLink": link}),
            answer(200, {"value": [], "@odata.nextLink": f"{link}1"}),
            answer(200, {"value": [{"id": 3}]}),
        ]
    )
    assert [item["id"] for item in await paged(graph)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("different", "asked"), [pytest.param(3, 4, id="a circle"), (2000, MOST_PAGES + 1)]
)
async def test_pages_that_lead_to_each_other_end_and_so_do_too_many(
    different: int, asked: int
) -> None:
    link = f"{GRAPH_URL}/v1.0/users?$skiptoken="
    pages = ({"value": [], "@odata.nextLink": f"{link}{n % different}"} for n in range(2000))
    graph = Script([answer(200, page) for page in pages])
    with pytest.raises(UnexpectedAnswer):
        await paged(graph)
    assert len(graph.requests) == asked


async def drip(parts: list[int]) -> AsyncIterator[bytes]:
    while True:
        parts.append(2**16)
        yield b" " * 2**16


@pytest.mark.parametrize("repeatable", [True, False])
async def test_of_an_answer_without_an_end_no_more_is_read_than_the_limit(repeatable: bool) -> None:
    parts: list[int] = []

    def graph(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=drip(parts), headers={"request-id": "r1"})

    with pytest.raises(UnexpectedAnswer if repeatable else LostAnswer) as caught:
        await send(graph, "POST", "/x", body={}, repeatable=repeatable)
    assert caught.value.request_id == "r1"
    assert sum(parts) <= MOST_BYTES + 2**16


async def test_a_compressed_answer_is_not_asked_for_and_not_unpacked() -> None:
    asked: list[str] = []

    def graph(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        bomb = gzip.compress(b" " * 2**26)
        return httpx.Response(
            200, stream=httpx.ByteStream(bomb), headers={"content-encoding": "gzip"}
        )

    with pytest.raises(UnexpectedAnswer) as raised:
        await send(graph)
    assert "was compressed" in raised.value.sentence  # before 16 MB of it were unpacked
    assert asked == ["identity"]


@pytest.mark.parametrize("body", [[], "text", 7, True])
async def test_json_that_is_no_object_is_told_at_once(body: object) -> None:
    graph = Script([answer(200, body, request_id="r1")])
    with pytest.raises(UnexpectedAnswer) as caught:
        await send(graph)
    assert (caught.value.request_id, caught.value.call) == ("r1", "GET /me")


async def test_json_that_is_nested_without_measure_is_no_json() -> None:
    deep = httpx.Response(200, text="[" * 200_000)
    assert (await send(Script([deep, answer(200, {})]))).tries == 2


async def test_a_part_that_a_batch_lacks_is_an_error_of_its_own() -> None:
    found = await batched(Script([batch(FINE)]), "ab")
    assert isinstance(found["a"], Answer)
    assert isinstance(found["b"], UnexpectedAnswer)
    assert found["b"].request_id == "r1"


async def test_a_token_never_follows_a_link_to_another_host() -> None:
    graph = Script([answer(200, {"value": [], "@odata.nextLink": "https://graph.test.evil/v1.0/"})])
    with pytest.raises(BadRequest):
        await paged(graph)
    assert len(graph.requests) == 1


async def test_a_batch_gives_each_read_its_own_answer() -> None:
    missing = {"id": "c", "status": 404, "body": None}
    async with client(Script([batch({**DENIED, "id": "b"}, FINE, missing)])) as caller:
        calls = {id: Call(method="GET", path=f"/{id}") for id in "abc"}
        found = await caller.with_token(token()).batch(calls)
    assert isinstance(found["a"], Answer)
    assert isinstance(found["b"], Forbidden)
    assert isinstance(found["c"], NotFound)


async def test_a_batch_is_repeated_when_one_of_it_is_throttled(clock: StillClock) -> None:
    busy = {"id": "a", "status": 429, "headers": {"Retry-After": "30"}, "body": {}}
    start = clock.now()
    found = await batched(Script([batch(busy), batch(FINE)]), clock=clock)
    assert isinstance(found["a"], Answer)
    assert clock.now() - start >= timedelta(seconds=30)


class Hesitant(Tokens):
    """A source whose first fresh token is not there yet."""

    async def fresh(self, stale: Token) -> Token:
        fresh = await super().fresh(stale)
        if self.made == 2:
            raise Unavailable(retry_after=1)
        return fresh


async def test_a_refused_part_waits_out_an_outage_of_the_sign_in(clock: StillClock) -> None:
    graph = Script([batch(DENIED), batch(FINE)])
    found = await batched(graph, clock=clock, tokens=Hesitant())
    assert isinstance(found["a"], Answer)
    assert graph.bearers == ["token-1", "token-3"]


async def test_logs_hold_neither_bodies_nor_tokens_nor_ids(
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = "/applications/01234567-89ab-cdef-0123-456789abcdef/addPassword"
    body = {"secretText": "hunter2"}
    with caplog.at_level(logging.DEBUG):
        async with client(Script([answer(200, body, request_id="r1")])) as caller:
            found = await caller.send("POST", path, body={"a": "hunter3"}, repeatable=False)
    ours = [record.getMessage() for record in caplog.records if record.name == "graph.client"]
    assert "POST /applications/…/addPassword: 200 (request r1" in ours[0]
    assert "hunter" not in caplog.text + repr(found)
    assert "token-1" not in caplog.text
