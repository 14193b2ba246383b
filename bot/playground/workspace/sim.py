"""People and faults over HTTP, under `/sim/`: the same verbs as `Workspace`, for other programs.

A body holds a verb's arguments by name. 409 means that a Slack client would not let one do it.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from bot.playground.clock import MovableClock
from bot.playground.workspace.groups import Group
from bot.playground.workspace.people import Person
from bot.playground.workspace.wire import CannotAct, Json
from bot.playground.workspace.workspace import Workspace
from graph.clock import Clock

CHANGEABLE = sorted({it.name for it in fields(Person)} - {"id", "name", "team_id"})
Verb = Callable[..., Any]


class Sim:
    """Answers `/sim/{verb}`: GET to look, POST to act."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._looking: dict[str, Verb] = {
            "ephemerals": self._ephemerals,
            "home": self._home,
            "log": lambda: [entry.to_json() for entry in workspace.log],
            "messages": self._messages,
            "notifications": self._notifications,
            "picture": workspace.picture,
            "state": self._state,
            "view": self._view,
        }
        self._acting: dict[str, Verb] = {
            "add_external": workspace.add_external,
            "add_group": self._add_group,
            "add_person": workspace.add_person,
            "change_person": self._change_person,
            "choose": workspace.choose,
            "click": workspace.click,
            "clock": self._move,
            "close_view": workspace.close_view,
            "command": workspace.command,
            "deactivate": workspace.deactivate,
            "disconnect": workspace.disconnect,
            "drop_connections": workspace.drop_connections,
            "faults": self._fault,
            "fill": workspace.fill,
            "mention": workspace.mention,
            "message_im": workspace.message_im,
            "open_home": workspace.open_home,
            "open_messages": workspace.open_messages,
            "rates": self._rates,
            "redeliver": workspace.redeliver,
            "reload": workspace.reload,
            "revoke_token": workspace.revoke_token,
            "say": workspace.say,
            "submit": workspace.submit,
        }

    async def look(self, request: web.Request) -> web.StreamResponse:
        return await _carried_out(self._looking, request, dict(request.query))

    async def act(self, request: web.Request) -> web.StreamResponse:
        try:
            body = json.loads(await request.text() or "{}")
        except ValueError:
            return web.json_response({"error": "The body is not JSON."}, status=400)
        return await _carried_out(self._acting, request, body)

    def _state(self) -> Json:
        it = self._workspace
        return {
            **it.to_json(),
            "connections": it.connections,
            "unacked": it.unacked,
            "complaints": [entry.to_json() for entry in it.complaints],
        }

    def _messages(self, where: str) -> list[Json]:
        return [self._shown(message) for message in self._workspace.messages(where)]

    def _ephemerals(self, person: str) -> list[Json]:
        return [self._shown(message) for message in self._workspace.ephemerals(person)]

    def _add_group(self, handle: str, members: list[str]) -> Group:
        return self._workspace.add_group(handle, *members)

    def _change_person(self, person: str, **flags: Any) -> Person:
        """Set what Slack says of a person: deleted, is_restricted, tz and the like."""
        who = self._workspace.people.find(person)
        for name, value in flags.items():
            if name not in CHANGEABLE:
                raise CannotAct(f"{name} cannot be changed; there are {', '.join(CHANGEABLE)}.")
            setattr(who, name, value)
        return who

    def _notifications(self, person: str) -> list[Json]:
        return [asdict(it) for it in self._workspace.notifications(person)]

    def _rates(self, enforced: bool) -> None:
        self._workspace.rates.enforced = enforced

    def _view(self, person: str) -> Json | None:
        view = self._workspace.view_of(person)
        return self._shown(view) if view else None

    def _home(self, person: str) -> Json | None:
        home = self._workspace.home_of(person)
        return self._shown(home) if home else None

    def _shown(self, item: Json) -> Json:
        return {**item, "shown": self._workspace.text_of(item)}

    def _move(self, seconds: float) -> Json:
        if not isinstance(self._clock, MovableClock):
            raise CannotAct("This workspace has a clock that cannot be moved.")
        self._clock.move(timedelta(seconds=seconds))
        self._workspace.changed()
        return {"now": self._clock.now().isoformat()}

    def _fault(self, fault: str, **details: Any) -> None:
        faults = self._workspace.faults
        verbs: dict[str, Verb] = {
            "breaks": faults.breaks,
            "clear": faults.clear,
            "fail": faults.fail,
            "lose": faults.lose,
            "throttle": faults.throttle,
        }
        if fault not in verbs:
            raise CannotAct(f"There is no fault {fault!r}; there are {', '.join(verbs)}.")
        _checked(verbs[fault], details)
        verbs[fault](**details)


async def _carried_out(verbs: dict[str, Verb], request: web.Request, body: Json) -> web.Response:
    verb = verbs.get(request.match_info["verb"])
    if verb is None:
        return web.json_response({"error": f"There are {', '.join(verbs)}."}, status=404)
    try:
        _checked(verb, body)
        found = verb(**body)
        result = await found if isinstance(found, Awaitable) else found
    except CannotAct as no:
        return web.json_response({"error": str(no)}, status=409)
    return web.json_response({"ok": True, "result": _plain(result)})


def _checked(verb: Verb, arguments: Json) -> None:
    try:
        inspect.signature(verb).bind(**arguments)
    except TypeError as wrong:
        raise CannotAct(f"These are not its arguments: {wrong}.") from None


def _plain(result: object) -> object:
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
