"""One call of Microsoft Graph: token, send, and an Answer or a GraphError.

The client waits out throttling and outages, replaces a token once when it is not accepted, and
repeats a call whose answer was lost only if the caller says that repeating is safe. Everything
else is raised. Nothing that was sent or answered is ever logged but method, path, status and ids.
"""

import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import httpx

from graph import tracing
from graph.bodies import UNCOMPRESSED, read_body, request_id_of
from graph.calls import Call, Json
from graph.clock import Clock
from graph.error_mapping import from_response
from graph.errors import (
    BadRequest,
    Forbidden,
    GraphError,
    LostAnswer,
    NoAnswer,
    Throttled,
    TokenExpired,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from graph.retry import Jitter, retry, through_outage
from graph.shapes import Shape, misfit
from graph.tokens import OneToken, Token, TokenSource

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0

MOST_PAGES = 1000
"""Of a collection: at 100 items a page, ten times what one tenant may hold for one object."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A success. `body` is empty where Graph sends none; `tries` is how often it was asked."""

    status: int
    body: Json = field(repr=False)
    request_id: str | None
    tries: int = 1
    call: str = ""

    def read(self, shape: Shape) -> Json:
        """Return the body, which has the parts that `shape` names. Raises UnexpectedAnswer."""
        self.check(self.body, shape)
        return self.body

    def check(self, part: object, shape: Shape) -> None:
        """Raise UnexpectedAnswer unless this part of the body fits."""
        if where := misfit(part, shape):
            raise self.unexpected(f"“{where}” is missing or is not what it should be")

    def unexpected(self, what: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            status=self.status,
            request_id=self.request_id,
            call=self.call,
            sentence=f"{UnexpectedAnswer.WHAT} In the answer to {self.call or 'a call'}, {what}.",
        )


class Client:
    """Calls Graph as one application."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        graph_url: str,
        tokens: TokenSource,
        clock: Clock,
        jitter: Jitter,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """Take a shared HTTP client and `https://graph…`, without the version."""
        self._http = http
        self._base = f"{graph_url.rstrip('/')}/v1.0"
        self._tokens = tokens
        self._clock = clock
        self.jitter = jitter
        self._new_id = new_id

    def with_token(self, token: Token) -> "Client":
        """Return a client that calls with this token and no other."""
        return Client(
            http=self._http,
            graph_url=self._base.removesuffix("/v1.0"),
            tokens=OneToken(token),
            clock=self._clock,
            jitter=self.jitter,
            new_id=self._new_id,
        )

    async def roles(self) -> frozenset[str]:
        """Return the application permissions that the token in use carries."""
        return (await self._retry_through_outage(self._tokens.token)).roles

    async def tenant_id(self) -> str:
        """Return the tenant that the token in use is for, or nothing if it does not say so."""
        return (await self._retry_through_outage(self._tokens.token)).tenant_id

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Call Graph and return its answer, or raise a GraphError.

        A call that is not `repeatable` raises LostAnswer where its effect is unknown.
        """
        return await self._persist(
            Call(
                method=method,
                path=path,
                query=query or {},
                body=body,
                headers=headers or {},
                repeatable=repeatable,
            )
        )

    async def pages(
        self, path: str, *, of: Shape = dict, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[Json]:
        """Yield the items of a collection, page by page; each has the shape `of`.

        Raises UnexpectedAnswer where the pages have no end.
        """
        answer = await self.send("GET", path, query=query)
        followed: set[str] = set()
        while True:
            page = answer.read({"value": [of], "@odata.nextLink?": str})
            for item in page["value"]:
                yield item
            following = page.get("@odata.nextLink")
            if following is None:
                return
            if following in followed or len(followed) >= MOST_PAGES:
                raise answer.unexpected("one page leads to another without an end")
            followed.add(following)
            answer = await self.send("GET", self._own(following))

    async def batch(self, reads: Mapping[str, Call]) -> dict[str, Answer | GraphError]:
        """Send up to 20 reads in one call; each has its own answer or error.

        learn.microsoft.com/graph/json-batching
        """
        call = Call(method="POST", path="/$batch", body={"requests": _requests(reads)})

        async def once() -> dict[str, Answer | GraphError]:
            answer = await self._authorized(call)
            read: dict[str, Answer | GraphError] = {
                id: answer.unexpected(f"the part for {each.label} is missing")
                for id, each in reads.items()
            }
            for part in answer.read(_BATCH)["responses"]:
                if part["id"] in reads:
                    read[part["id"]] = _inner(part, reads[part["id"]], answer)
            for error in read.values():
                if isinstance(error, GraphError):
                    error.request_id = error.request_id or answer.request_id
                if isinstance(error, Throttled | Unavailable):
                    raise error
            return read

        return await self._retry_through_outage(once)

    async def _persist(self, call: Call) -> Answer:
        tries = 0

        async def once() -> Answer:
            nonlocal tries
            tries += 1
            return await self._authorized(call)

        try:
            answer = await self._retry_through_outage(once)
        except GraphError as error:
            error.tries = tries
            raise
        return answer if tries == 1 else replace(answer, tries=tries)

    async def _retry_through_outage(self, act: Callable[[], Awaitable[T]]) -> T:
        return await retry(act, clock=self._clock, wait=through_outage(self.jitter))

    async def _authorized(self, call: Call) -> Answer:
        token = await self._tokens.token()
        try:
            return await self._exchange(call, token)
        except (TokenExpired, Forbidden):
            # The token may be older than a right that was granted, or revoked: one new one helps.
            newer = await self._tokens.fresh(token)
            if newer is token:
                raise
        return await self._exchange(call, newer)

    async def _exchange(self, call: Call, token: Token) -> Answer:
        id = self._new_id()
        try:
            async with self._http.stream(
                call.method,
                self._base + call.url,
                json=call.body,
                headers={
                    **call.headers,
                    **UNCOMPRESSED,
                    "Authorization": f"Bearer {token.access}",
                    "client-request-id": id,
                },
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
            ) as response:
                content = await read_body(response, call=call.label)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(call=call.label) from error
        except httpx.RequestError as error:
            raise _lost(call, NoAnswer(call=call.label)) from error
        except UnexpectedAnswer as error:
            raise _lost(call, error) from None
        tracing.note(response.headers.get("request-id"))
        _log.debug(
            "%s %s: %s (request %s, ours %s)",
            call.method,
            call.template,
            response.status_code,
            response.headers.get("request-id"),
            id,
        )
        return _answer(call, response, content, self._clock.now())

    def _own(self, link: str) -> str:
        """Return the path of a link of Graph's; a token never goes to another host."""
        if not link.startswith(f"{self._base}/"):
            raise BadRequest(code="ForeignLink", sentence="Graph pointed to another service.")
        return link.removeprefix(self._base)


def _answer(call: Call, response: httpx.Response, content: bytes, now: datetime) -> Answer:
    body = read_json(content)
    if response.is_success:
        if body is None:
            raise _lost(call, Unavailable(code="NotJson", status=response.status_code))
        found = _success(call, response.status_code, body, request_id_of(response))
        if isinstance(found, GraphError):
            raise _lost(call, found)
        return found
    error = from_response(
        response.status_code,
        body,
        response.headers,
        method=call.method,
        path=call.template,
        now=now,
    )
    raise _lost(call, error) if response.is_server_error else error


def _lost(call: Call, error: GraphError) -> GraphError:
    """Whether a call took effect does not matter if it may be repeated."""
    if call.repeatable:
        return error
    return LostAnswer(
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        call=error.call,
        retry_after=error.retry_after,
    )


def read_json(content: bytes) -> object:
    """Return the JSON of an answer, an empty object for no content, None if it is not JSON."""
    if not content:
        return {}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _requests(reads: Mapping[str, Call]) -> list[Json]:
    return [
        {"id": id, "method": read.method, "url": read.url, "headers": dict(read.headers)}
        for id, read in reads.items()
    ]


_BATCH = {"responses": [{"id": str, "status": int, "headers?": {str: str | int}}]}


def _inner(part: Json, read: Call, batch: Answer) -> Answer | GraphError:
    status, body = part["status"], part.get("body")
    headers = {name: str(value) for name, value in (part.get("headers") or {}).items()}
    if not 200 <= status < 300:
        return from_response(status, body, headers, method=read.method, path=read.template)
    return _success(read, status, body, headers.get("request-id") or batch.request_id)


def _success(call: Call, status: int, body: object, id: str | None) -> Answer | UnexpectedAnswer:
    found = body if isinstance(body, dict) else None
    answer = Answer(status=status, body=found or {}, request_id=id, call=call.label)
    return answer.unexpected("there is no object") if found is None else answer
