"""response_urls over HTTP: 200 `ok`, or 404 once used up."""

from aiohttp import web

from bot.playground.workspace.faults import Answer
from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.record import Kind
from bot.playground.workspace.state import State
from bot.playground.workspace.webapi import finish, json_object
from bot.playground.workspace.wire import ApiError, Json

NAME = "response_url"
"""What faults call a post to one."""


class ResponseUrls:
    """Answers posts to `/commands/…` and `/actions/…`."""

    def __init__(self, state: State, hooks: Hooks) -> None:
        self._state = state
        self._hooks = hooks

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            body = json_object(await request.text())
        except ApiError as error:
            return web.json_response(error.to_json(), status=400)
        faults = self._state.faults
        trouble = faults.before(NAME)
        answer = trouble or self._answer(request.path, body)
        self._state.record.add(Kind.HOOK, request.path, body, answer.body)
        return await finish(request, answer, None if trouble else faults.after(NAME))

    def _answer(self, path: str, body: Json) -> Answer:
        try:
            self._hooks.use(path, body)
        except ApiError as error:
            gone = error.code in ("expired_url", "used_url")
            return Answer(status=404 if gone else 400, body=error.to_json())
        return Answer(body={"ok": True})
