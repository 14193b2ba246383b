"""The Web API over HTTP: reads a call, checks token, scope and arguments, answers, meets faults.

Slack answers 200 with `{"ok": false}` to almost everything; JSON, form and query arguments all do.
"""

import json

from aiohttp import web

from bot.playground.workspace.faults import Answer, Held, throttled
from bot.playground.workspace.methods import METHODS
from bot.playground.workspace.methods.method import Method, Token, names
from bot.playground.workspace.rates import POST
from bot.playground.workspace.record import Kind
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json, copied

STRUCTURED = frozenset({"blocks", "view", "metadata"})
FLAGS = {"true": True, "1": True, "false": False, "0": False}
EVERYWHERE = frozenset({"team_id"})  # Bolt's client sends it with every call
FLAG_NAMES = names(
    "include_locale include_all_metadata include_num_members reply_broadcast unfurl_links "
    "unfurl_media mrkdwn link_names"
)


class WebApi:
    """Answers `/api/{method}`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            token, arguments = await _read(request)
        except ApiError as error:
            return web.json_response(error.to_json())
        trouble = self._state.faults.before(name)
        trouble = trouble or self._too_often(name, token, arguments)
        answer = trouble or Answer(
            body=self._answer(name, token, arguments), headers=self._headers(name, token)
        )
        self._state.record.add(Kind.CALL, name, arguments, answer.body)
        held = None if trouble else self._state.faults.after(name)
        return await finish(request, answer, held)

    def _answer(self, name: str, token: str | None, arguments: Json) -> Json:
        try:
            method = METHODS.get(name)
            if method is None:
                raise ApiError("unknown_method", req_method=name)
            self._check_token(method, token)
            _check_arguments(method, arguments)
            # A copy: views go on changing after the log has noted what was answered.
            return copied({"ok": True, **method.do(self._state, arguments)})
        except ApiError as error:
            return error.to_json()

    def _headers(self, name: str, token: str | None) -> dict[str, str]:
        """Slack's own clients read a token's scopes from a header: node-slack-sdk, web-api."""
        method = METHODS.get(name)
        granted = self._granted(token)
        if method is None or not granted:
            return {}
        accepted = {"X-Accepted-OAuth-Scopes": method.scope} if method.scope else {}
        return {"X-OAuth-Scopes": ",".join(sorted(granted)), **accepted}

    def _too_often(self, name: str, token: str | None, arguments: Json) -> Answer | None:
        """Limits are the app's own: a call without a valid token is not counted."""
        if name not in METHODS or token not in self._state.installation.tokens:
            return None
        place = self._place(arguments.get("channel")) if name == POST else ""
        wait = self._state.rates.retry_after(name, place, self._state.clock.now())
        return throttled(wait) if wait else None

    def _place(self, reference: object) -> str:
        """Return the id of the conversation that is meant, so that it has one limit."""
        bot = self._state.installation.bot_user_id
        person = self._state.people.by_id(reference)
        im = self._state.channels.opened_im(person.id, bot) if person else None
        channel = im or self._state.channels.named(str(reference))
        return channel.id if channel else str(reference)

    def _granted(self, token: str | None) -> set[str]:
        app = self._state.installation
        return {app.bot_token: app.scopes, app.app_token: app.app_scopes}.get(token or "", set())

    def _check_token(self, method: Method, token: str | None) -> None:
        app = self._state.installation
        kinds = {app.bot_token: Token.BOT, app.app_token: Token.APP}
        if not token:
            raise ApiError("not_authed")
        if token in app.refused_tokens:
            raise ApiError(app.refused_tokens[token])
        if token not in kinds:
            raise ApiError("invalid_auth")
        if kinds[token] is not method.token:
            raise ApiError("not_allowed_token_type")
        granted = self._granted(token)
        if method.scope and method.scope not in granted:
            provided = ",".join(sorted(granted))
            raise ApiError("missing_scope", needed=method.scope, provided=provided)


async def _read(request: web.Request) -> tuple[str | None, Json]:
    """Return the token and the arguments, wherever they stand."""
    arguments: Json = dict(request.query)
    if request.content_type == "application/json":
        arguments |= json_object(await request.text())
    else:
        arguments |= dict(await request.post())
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = arguments.pop("token", None)
    if scheme == "Bearer" and bearer:
        token = bearer
    return token, {key: _decoded(key, value) for key, value in arguments.items()}


def json_object(text: str) -> Json:
    try:
        body = json.loads(text or "{}")
    except ValueError:
        raise ApiError("invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError("json_not_object")
    return body


def _decoded(key: str, value: object) -> object:
    """Forms carry structures as JSON and flags as words."""
    if not isinstance(value, str):
        return value
    if key in FLAG_NAMES:
        return FLAGS.get(value.lower(), value)
    if key not in STRUCTURED:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_arguments(method: Method, arguments: Json) -> None:
    given = {key for key, value in arguments.items() if value is not None} - EVERYWHERE
    missing = [f"missing required field: {key}" for key in sorted(method.required - given)]
    unknown = given - method.required - method.optional
    wrong = [key for key in given - unknown if not _fits(key, arguments[key])]
    found = [
        *missing,
        *(f"unknown argument: {key}" for key in sorted(unknown)),
        *(f"wrong type: {key}" for key in sorted(wrong)),
    ]
    if found:
        raise ApiError("invalid_arguments", *found)


def _fits(key: str, value: object) -> bool:
    if key in STRUCTURED:
        return True  # each has an error of its own
    return isinstance(value, bool if key in FLAG_NAMES else str)


async def finish(request: web.Request, answer: Answer, held: Held | None) -> web.Response:
    """Send the answer, unless a fault holds it back or loses it."""
    if held and not await held.arrives() and request.transport:
        request.transport.abort()
    return web.json_response(answer.body, status=answer.status, headers=answer.headers)
