"""One call of Microsoft Graph: token, send, and an Answer or a GraphError.

The client waits out throttling and outages, replaces a token once when it is not accepted, and
repeats a call whose answer was lost only if the caller says that repeating is safe. Everything
else is raised. Nothing that was sent or answered is ever logged but method, path, status and ids.
"""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import httpx
import jwt

from graph.calls import Answer, Call, Json, Shape, misfit, selection
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
from graph.http import UNCOMPRESSED, UNREACHABLE, read_body, read_json, request_id_of
from graph.retry import Jitter, retry, through_outage

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0

MOST_PAGES = 1000
"""Of a collection: at 100 items a page, ten times what one tenant may hold for one object."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token. `roles` and `expires_at` are read from it to diagnose, never to authorize.

    Graph's tokens are officially opaque: learn.microsoft.com/entra/identity-platform/access-tokens
    """

    access: str = field(repr=False)
    roles: frozenset[str]
    expires_at: datetime
    app_id: str = ""
    """The application that it was issued to; empty if it does not say so."""
    tenant_id: str = ""
    """The tenant that it was issued by; empty if it does not say so."""
    lifetime: timedelta = timedelta(hours=1)
    """How long it is valid from when it was issued, as the token endpoint said."""


class TokenSource(Protocol):
    """The source of a client's tokens."""

    async def token(self) -> Token:
        """Return a token that should be accepted."""

    async def fresh(self, stale: Token) -> Token:
        """Return a newer token than the one that was not accepted, or that same one."""


@dataclass(frozen=True)
class OneToken:
    """A token that is never replaced: its holder decides when to get another."""

    held: Token

    async def token(self) -> Token:
        return self.held

    async def fresh(self, stale: Token) -> Token:
        return stale


def claims_of(token: str) -> Json | None:
    """Return what a token says, without checking who signed it, or None if it is no token."""
    try:
        claims: Json = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, RecursionError):
        return None
    return claims


def read_token(access: str) -> Token | None:
    """Return a token's claims without checking its signature, or None if they cannot be read."""
    claims = claims_of(access)
    if claims is None or misfit(
        claims, {"exp": int | float, "roles?": [str], "tid?": str, "appid?": str}
    ):
        return None
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return Token(
        access=access,
        roles=frozenset(claims.get("roles") or ()),
        expires_at=expires_at,
        app_id=claims.get("appid") or "",
        tenant_id=claims.get("tid") or "",
    )


@dataclass
class Client:
    """Call Graph as one application."""

    http: httpx.AsyncClient
    graph_url: str
    """Graph's address, without the version."""
    tokens: TokenSource
    clock: Clock
    jitter: Jitter

    def with_token(self, token: Token) -> "Client":
        """Return a client that calls with this token and no other."""
        return replace(self, tokens=OneToken(token))

    async def token(self) -> Token:
        """Return the token in use."""
        return await self.retry_through_outage(self.tokens.token)

    async def roles(self) -> frozenset[str]:
        """Return the application permissions that the token in use carries."""
        return (await self.token()).roles

    async def may(self, is_enough: Callable[[frozenset[str]], bool]) -> bool:
        """Whether the rights in the token in use are enough, or those in a new one.

        The token may be older than a right that was granted since.
        """
        token = await self.token()
        if is_enough(token.roles):
            return True
        newer = await self.retry_through_outage(lambda: self.tokens.fresh(token))
        return is_enough(newer.roles)

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
        call = Call(method, path, query or {}, body, headers or {}, repeatable)
        tries = 0

        async def once() -> Answer:
            nonlocal tries
            tries += 1
            return await self._authorized(call)

        try:
            answer = await self.retry_through_outage(once)
        except GraphError as error:
            error.tries = tries
            raise
        return replace(answer, tries=tries)

    async def get(self, path: str, shape: dict[str, Shape]) -> Json:
        """Return the properties of an object that the shape names. Raises GraphError."""
        answer = await self.send("GET", path, query={"$select": selection(shape)})
        return answer.read(shape)

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

        If one of them is refused, all are sent once more with a new token: the old one may lack a
        right that was granted since. learn.microsoft.com/graph/json-batching
        """
        token = await self.token()
        read = await self._batch(reads)
        if not any(isinstance(each, Forbidden) for each in read.values()):
            return read
        fresh = await self.retry_through_outage(lambda: self.tokens.fresh(token))
        return read if fresh is token else await self._batch(reads)

    async def _batch(self, reads: Mapping[str, Call]) -> dict[str, Answer | GraphError]:
        requests = [
            {"id": id, "method": read.method, "url": read.url, "headers": dict(read.headers)}
            for id, read in reads.items()
        ]
        call = Call("POST", "/$batch", body={"requests": requests})

        async def once() -> dict[str, Answer | GraphError]:
            answer = await self._authorized(call)
            read: dict[str, Answer | GraphError] = {
                id: answer.unexpected(f"the part for {each.label} is missing")
                for id, each in reads.items()
            }
            for part in answer.read(_BATCH)["responses"]:
                if each := reads.get(part["id"]):
                    told = part.get("headers") or {}
                    headers = {name: str(value) for name, value in told.items()}
                    id = headers.get("request-id") or answer.request_id
                    read[part["id"]] = self._judged(
                        each, part["status"], part.get("body"), headers, id
                    )
            for error in read.values():
                if isinstance(error, GraphError):
                    error.request_id = error.request_id or answer.request_id
                if isinstance(error, Throttled | Unavailable):
                    raise error
            return read

        return await self.retry_through_outage(once)

    async def retry_through_outage(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do `act`, again and again while Microsoft's service is down."""
        return await retry(act, clock=self.clock, wait=through_outage(self.jitter))

    async def _authorized(self, call: Call) -> Answer:
        token = await self.tokens.token()
        try:
            return await self._exchange(call, token)
        except (TokenExpired, Forbidden):
            # The token may be older than a right that was granted, or revoked: one new one helps.
            newer = await self.tokens.fresh(token)
            if newer is token:
                raise
        return await self._exchange(call, newer)

    async def _exchange(self, call: Call, token: Token) -> Answer:
        id = str(uuid.uuid4())
        try:
            async with self.http.stream(
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
        except UNREACHABLE as error:
            raise Unreachable(call=call.label) from error
        except httpx.RequestError as error:
            raise _lost(call, NoAnswer(call=call.label)) from error
        except UnexpectedAnswer as error:
            raise _lost(call, error) from None
        request_id, status = request_id_of(response), response.status_code
        _log.debug("%s: %s (request %s, ours %s)", call.label, status, request_id, id)
        body = read_json(content)
        if response.is_success and body is None:
            raise _lost(call, Unavailable(code="NotJson", status=status))
        found = self._judged(call, status, body, response.headers, request_id)
        if isinstance(found, Answer):
            return found
        raise _lost(call, found) if response.is_success or response.is_server_error else found

    def _judged(
        self, call: Call, status: int, body: object, headers: Mapping[str, str], id: str | None
    ) -> Answer | GraphError:
        """Return the success or the error that was answered to a call, alone or in a batch."""
        if not 200 <= status < 300:
            return from_response(status, body, headers, call=call.label, now=self.clock.now())
        found = body if isinstance(body, dict) else {}
        answer = Answer(status=status, body=found, request_id=id, call=call.label)
        return answer if body is found else answer.unexpected("there is no object")

    @property
    def _base(self) -> str:
        return f"{self.graph_url.rstrip('/')}/v1.0"

    def _own(self, link: str) -> str:
        """Return the path of a link of Graph's; a token never goes to another host."""
        if not link.startswith(f"{self._base}/"):
            raise BadRequest(code="ForeignLink", sentence="Graph pointed to another service.")
        return link.removeprefix(self._base)


def _lost(call: Call, error: GraphError) -> GraphError:
    """Return LostAnswer for a call that must not be repeated, because its effect is unknown."""
    return error if call.repeatable else error.meaning(LostAnswer)


_BATCH = {"responses": [{"id": str, "status": int, "headers?": {str: str | int}}]}
