"""The door of the tenant: each request passes the faults, then sign-in or Graph, then the log."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from time import perf_counter
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.tenant import (
    authorize,
    batch,
    device_login,
    login,
    pages,
    resource_manager,
    sign_in,
    tokens,
)
from bot.playground.tenant.calls import Answer, Caller, Traffic
from bot.playground.tenant.checks import is_guid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.dispatch import (
    VERSION,
    Incoming,
    dispatch,
    moment,
    read_json,
    refusal,
)
from bot.playground.tenant.errors import GraphFailure, SignInFailure, bad_request
from bot.playground.tenant.log import Log

_SIGN_IN = re.compile(
    r"/(?P<tenant>[^/]+)/(?P<what>oauth2/v2\.0/(?:token|devicecode)|discovery/v2\.0/keys"
    r"|v2\.0/\.well-known/openid-configuration)"
)
_BROWSER = re.compile(
    r"/(?P<tenant>[^/]+)/(?P<what>oauth2/v2\.0/authorize|oauth2/deviceauth|login)"
)
_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8"


@dataclass(kw_only=True)
class Exchange:
    """One HTTP request on its way through, and what is learnt about it for the log."""

    http: web.Request
    content: bytes
    request_id: str
    kind: Traffic
    caller: str | None = None
    body: object = None
    began: float = field(default_factory=perf_counter)

    @property
    def method(self) -> str:
        return self.http.method

    @property
    def path(self) -> str:
        return self.http.path

    @property
    def user_agent(self) -> str:
        return self.http.headers.get("User-Agent", "")

    @property
    def seconds(self) -> float:
        return perf_counter() - self.began

    @property
    def address(self) -> str:
        """Path and query as sent, still percent-encoded."""
        return self.http.rel_url.raw_path_qs


class Front:
    def __init__(self, directory: Directory, log: Log, names: Iterable[str] = ()) -> None:
        """Take the names of hosts, besides this machine's, as which it answers."""
        self._directory = directory
        self._names = frozenset(names)
        self._faults = directory.faults
        self._log = log

    async def serve(self, http: web.Request) -> web.StreamResponse:
        exchange = Exchange(
            http=http,
            content=b"",
            request_id=self._directory.new_id(),
            kind=_kind_of(http.path),
        )
        await self._faults.pause()
        try:
            exchange.content = await http.read()
            answer = await self._answer(exchange)
        except web.HTTPRequestEntityTooLarge:
            answer = self._too_large(exchange)
        self._remember(exchange, answer)
        if answer is None or not await self._let_through(exchange, answer):
            return _cut(http)
        return _response(exchange, self._linking(http, answer), self._directory.now())

    def _linking(self, http: web.Request, answer: Answer) -> Answer:
        """Let links name the host that was asked for, if that is one of Microsoft's."""
        if http.host not in self._names or answer.body is None:
            return answer
        body = json.dumps(answer.body).replace(self._directory.url, f"https://{http.host}")
        return replace(answer, body=json.loads(body))

    def _too_large(self, exchange: Exchange) -> Answer:
        message = "The request is too large."
        if exchange.kind != "graph":
            failure = SignInFailure(413, "invalid_request", 90013, message)
            return self._no_token(exchange, failure)
        failed = GraphFailure(413, "RequestEntityTooLarge", message)
        return refusal(self._directory, failed, self._incoming(exchange))

    async def _answer(self, exchange: Exchange) -> Answer | None:
        """Return what to answer, or None where the connection is to be cut."""
        method, path = exchange.method, exchange.path
        if self._faults.unreachable:
            return None
        held = self._faults.held(method, path, "before_effect")
        if held is not None and not await held.wait():
            return None
        if fault := self._faults.failure(method, path, "before_effect"):
            return fault.answer
        if throttled := self._faults.throttled(method, path, self._directory.now()):
            return throttled
        answer = self._effect(exchange)
        if not answer.is_success:
            return answer  # nothing has happened that a fault could hide
        fault = self._faults.failure(method, path, "after_effect")
        return fault.answer if fault else answer

    async def _let_through(self, exchange: Exchange, answer: Answer) -> bool:
        held = self._faults.held(exchange.method, exchange.path, "after_effect")
        return held is None or await held.wait()

    def _effect(self, exchange: Exchange) -> Answer:
        if found := _SIGN_IN.fullmatch(exchange.path):
            return self._sign_in(exchange, found["tenant"], found["what"])
        if exchange.kind == "resource manager":
            http = exchange.http
            return resource_manager.answer(
                self._directory,
                http.method,
                http.path,
                http.query,
                http.headers.get("Authorization"),
            )
        if found := _BROWSER.fullmatch(exchange.path):
            return self._browse(exchange, found["tenant"], found["what"])
        return self._graph(exchange)

    def _sign_in(self, exchange: Exchange, tenant: str, what: str) -> Answer:
        try:
            _check_method(exchange.method, "POST" if exchange.kind == "token" else "GET")
            if what.endswith("keys"):
                return sign_in.keys(self._directory, tenant)
            if exchange.kind == "discovery":
                return sign_in.discovery(self._directory, tenant)
            return self._token(exchange, tenant, what)
        except SignInFailure as failure:
            return self._no_token(exchange, failure)

    def _browse(self, exchange: Exchange, tenant: str, what: str) -> Answer:
        """Answer a person's browser, with pages."""
        now, trace = moment(self._directory), exchange.request_id
        try:
            is_form = what == "login" or (what.endswith("deviceauth") and exchange.method == "POST")
            _check_method(exchange.method, "POST" if is_form else "GET")
            sign_in.check_tenant(self._directory, tenant)
            if what == "login":
                return login.decide(self._directory, _form(exchange), now, trace)
            if what.endswith("deviceauth"):
                if is_form:
                    return device_login.enter(self._directory, _form(exchange))
                return pages.code_entry(self._directory)
            query = exchange.http.query
            exchange.caller = query.get("client_id")
            if len(set(query)) != len(query):
                message = "The request is not properly formatted. A parameter is duplicated."
                raise SignInFailure(400, "invalid_request", 9000411, message)
            return authorize.ask(self._directory, query, now, trace)
        except SignInFailure as failure:
            return pages.failed(self._directory, failure, trace)

    def _token(self, exchange: Exchange, tenant: str, what: str) -> Answer:
        form = _form(exchange)
        exchange.body, exchange.caller = form, form.get("client_id")
        if what.endswith("devicecode"):
            sign_in.check_tenant(self._directory, tenant)
            return device_login.ask(self._directory, form, moment(self._directory))
        return sign_in.token(self._directory, tenant, form, moment(self._directory))

    def _no_token(self, exchange: Exchange, failure: SignInFailure) -> Answer:
        asked = exchange.http.headers.get("client-request-id")
        body = sign_in.failure_body(
            failure,
            self._directory.cloud,
            at=self._directory.now(),
            trace=exchange.request_id,
            correlation=asked if asked and is_guid(asked) else exchange.request_id,
        )
        return Answer(status=failure.status, body=body)

    def _graph(self, exchange: Exchange) -> Answer:
        incoming = self._incoming(exchange)
        try:
            caller = self._caller(exchange)
            if not exchange.address.startswith(VERSION + "/"):
                raise bad_request("Invalid version.", code="BadRequest")
            exchange.body = read_json(exchange.content, exchange.http.headers)
            return self._carry_out(exchange, caller, incoming)
        except GraphFailure as failure:
            return refusal(self._directory, failure, incoming)

    def _incoming(self, exchange: Exchange) -> Incoming:
        return Incoming(
            method=exchange.method,
            address=exchange.address.removeprefix(VERSION),
            headers=exchange.http.headers,
            body=None,
            request_id=exchange.request_id,
        )

    def _caller(self, exchange: Exchange) -> Caller:
        authorization = exchange.http.headers.get("Authorization")
        audience = self._directory.cloud.graph
        caller = tokens.caller_of(self._directory, authorization, audience=audience)
        exchange.caller = caller.app_id
        return caller

    def _carry_out(self, exchange: Exchange, caller: Caller, incoming: Incoming) -> Answer:
        whole = _with_body(incoming, exchange.body)
        if (whole.method, whole.address) == ("POST", "/$batch"):
            return batch.carry_out(self._directory, whole, self._one_of_batch(exchange, caller))
        return dispatch(self._directory, caller, whole)

    def _one_of_batch(self, exchange: Exchange, caller: Caller) -> Callable[[Incoming], Answer]:
        def one(inner: Incoming) -> Answer:
            path = VERSION + inner.address.partition("?")[0]
            answer = self._inner_answer(caller, inner, path)
            self._log.add(
                "batched",
                inner.method,
                path,
                query=dict(parse_qsl(inner.address.partition("?")[2])),
                body=inner.body,
                caller=caller.app_id,
                answer=answer,
                request_id=inner.request_id,
                user_agent=exchange.user_agent,
                seconds=exchange.seconds,
            )
            return answer

        return one

    def _inner_answer(self, caller: Caller, inner: Incoming, path: str) -> Answer:
        """Requests in a batch fail and are throttled one by one; they cannot be cut off."""
        if (fault := self._faults.failure(inner.method, path, "before_effect")) and fault.answer:
            return fault.answer
        if throttled := self._faults.throttled(inner.method, path, self._directory.now()):
            return throttled
        answer = dispatch(self._directory, caller, inner)
        if not answer.is_success:
            return answer
        fault = self._faults.failure(inner.method, path, "after_effect")
        return fault.answer if fault and fault.answer else answer

    def _remember(self, exchange: Exchange, answer: Answer | None) -> None:
        self._log.add(
            exchange.kind,
            exchange.method,
            exchange.path,
            query=dict(exchange.http.query),
            body=exchange.body,
            caller=exchange.caller,
            answer=answer,
            request_id=exchange.request_id,
            user_agent=exchange.user_agent,
            seconds=exchange.seconds,
        )


def _check_method(method: str, allowed: str) -> None:
    if method != allowed:
        message = f"The endpoint only accepts {allowed} requests. Received a {method} request."
        raise SignInFailure(405, "invalid_request", 900561, message)


def _form(exchange: Exchange) -> dict[str, str]:
    if exchange.http.content_type != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl(exchange.content.decode(errors="replace")))


def _kind_of(path: str) -> Traffic:
    if path in (resource_manager.METADATA, resource_manager.SUBSCRIPTIONS):
        return "resource manager"
    if _BROWSER.fullmatch(path):
        return "browser"
    found = _SIGN_IN.fullmatch(path)
    if found is None:
        return "graph"
    return "token" if found["what"].startswith("oauth2") else "discovery"


def _with_body(incoming: Incoming, body: object) -> Incoming:
    return Incoming(
        method=incoming.method,
        address=incoming.address,
        headers=incoming.headers,
        body=body,
        request_id=incoming.request_id,
    )


def _response(exchange: Exchange, answer: Answer, now: datetime) -> web.Response:
    asked = exchange.http.headers.get("client-request-id", "")
    asked = asked if asked.isascii() and asked.isprintable() and asked else exchange.request_id
    headers = {
        "request-id": exchange.request_id,
        "client-request-id": asked,
        "Date": format_datetime(now, usegmt=True),
    }
    if answer.status != 204:
        headers["Content-Type"] = _JSON
    if answer.text is not None:
        body: bytes | None = answer.text.encode()
    else:
        body = None if answer.body is None else json.dumps(answer.body).encode()
    return web.Response(status=answer.status, body=body, headers={**headers, **answer.headers})


def _cut(http: web.Request) -> web.Response:
    """Reset the connection: the caller learns nothing but that."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response()
