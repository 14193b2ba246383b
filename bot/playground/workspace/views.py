"""Modals, stacked by person, and App Homes.

docs.slack.dev/surfaces/modals: at most three views in a stack; input is kept across an update
where block_id and action_id stay the same.
"""

from bot.playground.workspace.blocks import walk
from bot.playground.workspace.fields import state_of
from bot.playground.workspace.ids import Ids
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.wire import ApiError, Json

STACK = 3
UNSET: Json = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "submit": None,
    "close": None,
}


class Views:
    """Every open view, as the JSON that Slack's methods return, `state` and `hash` included."""

    def __init__(self, installation: Installation, ids: Ids, record: Record) -> None:
        self._installation = installation
        self._ids = ids
        self._record = record
        self._stacks: dict[str, list[Json]] = {}
        self._homes: dict[str, Json] = {}

    def top(self, person: str) -> Json | None:
        stack = self._stacks.get(person)
        return stack[-1] if stack else None

    def depth(self, person: str) -> int:
        """Return how many modals are stacked before this person."""
        return len(self._stacks.get(person, ()))

    def home(self, person: str) -> Json | None:
        return self._homes.get(person)

    def open(self, person: str, definition: Json) -> Json:
        self._stacks[person] = []
        return self._add(person, definition)

    def push(self, person: str, definition: Json) -> Json:
        if len(self._stacks.get(person, [])) >= STACK:
            raise ApiError("push_limit_reached")
        return self._add(person, definition)

    def update(self, view: Json, definition: Json) -> Json:
        """Give an open view a new content; what was typed into the same fields stays."""
        before = view["state"]["values"]
        view.update(self._built(definition, before))
        self._write(view)
        return view

    def close(self, view: Json) -> None:
        """Close a view, wherever it is in its stack; the one below, if any, shows again."""
        for stack in self._stacks.values():
            if view in stack:
                stack.remove(view)
                self._record.add(Kind.VIEW, view["id"], {"closed": True})

    def clear(self, person: str) -> None:
        while view := self.top(person):
            self.close(view)

    def publish(self, person: str, definition: Json) -> Json:
        view = self._homes.get(person)
        if view:
            return self.update(view, definition)
        view = self._new(definition)
        self._homes[person] = view
        self._write(view)
        return view

    def find(self, view_id: object) -> Json | None:
        """Return the open modal of that id.

        A home is not found: whether views.update takes one is not documented, and views.publish is
        the documented way to change it.
        """
        modals = (view for stack in self._stacks.values() for view in stack)
        return next((view for view in modals if view["id"] == view_id), None)

    def _add(self, person: str, definition: Json) -> Json:
        stack = self._stacks.setdefault(person, [])
        view = self._new(definition)
        view["root_view_id"] = stack[0]["id"] if stack else view["id"]
        view["previous_view_id"] = stack[-1]["id"] if stack else None
        stack.append(view)
        self._write(view)
        return view

    def _new(self, definition: Json) -> Json:
        id = self._ids.new("V")
        app = self._installation
        return {
            "id": id,
            "team_id": app.team_id,
            "app_id": app.api_app_id,
            "app_installed_team_id": app.team_id,
            "bot_id": app.bot_id,
            "root_view_id": id,
            "previous_view_id": None,
            **self._built(definition, None),
        }

    def _built(self, definition: Json, before: Json | None) -> Json:
        blocks = walk.named(definition["blocks"], self._ids)
        state = {"values": state_of(blocks, before)}
        fresh = {"blocks": blocks, "state": state, "hash": self._ids.secret("")}
        return {**UNSET, **definition, **fresh}

    def _write(self, view: Json) -> None:
        self._record.add(Kind.VIEW, view["id"], {"blocks": view["blocks"], "type": view["type"]})
