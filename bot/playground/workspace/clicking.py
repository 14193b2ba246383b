"""People click buttons and choose from menus, in the messages and views before their eyes."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from bot.playground.workspace import payloads
from bot.playground.workspace.blocks import walk
from bot.playground.workspace.fields import filled
from bot.playground.workspace.hooks import Hooks
from bot.playground.workspace.messages import Message
from bot.playground.workspace.people import Person
from bot.playground.workspace.results import Clicked
from bot.playground.workspace.sight import Sight
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import CannotAct, Json

Item = Message | Json
"""Where one clicks: a message, or a view."""


@dataclass(frozen=True, kw_only=True)
class Target:
    item: Item
    block: Json
    element: Json


class Clicking:
    """Finds what is meant and tells the app that it was clicked."""

    def __init__(self, state: State, sight: Sight, hooks: Hooks) -> None:
        self._state = state
        self._sight = sight
        self._hooks = hooks

    async def click(
        self, person: Person, label: str, on: Json | None, block_id: str | None = None
    ) -> Clicked:
        """Click the newest button of that label or action_id; a `confirm` dialog is confirmed."""
        target = self._target(person, label, on, block_id)
        element = target.element
        if element["type"] not in ("button", "overflow"):
            raise CannotAct(f"{label!r} is a {element['type']}, not a button.")
        details = _overflow(element, label) if element["type"] == "overflow" else _button(element)
        return await self._act(person, target, details)

    async def choose(
        self,
        person: Person,
        label: str,
        value: object,
        on: Json | None,
        block_id: str | None = None,
    ) -> Clicked:
        """Pick from a menu or fill in a field; the app hears of it if it is to be dispatched."""
        target = self._target(person, label, on, block_id)
        state = filled(target.element, value)
        if isinstance(target.item, dict):
            values = target.item["state"]["values"].setdefault(target.block["block_id"], {})
            values[target.element["action_id"]] = state
        if target.block["type"] == "input" and not target.block.get("dispatch_action"):
            return Clicked()
        return await self._act(person, target, state)

    async def _act(self, person: Person, target: Target, details: Json) -> Clicked:
        action = {
            "type": target.element["type"],
            "action_id": target.element["action_id"],
            "block_id": target.block["block_id"],
            "action_ts": self._state.stamp(),
            **deepcopy(details),
        }
        if isinstance(target.item, Message):
            payload = self._in_message(person, target.item, action)
        else:
            payload = self._in_view(person, target.item, action)
        ack = await self._state.delivery.deliver("interactive", payload)
        return Clicked(error=ack.error)

    def _in_message(self, person: Person, message: Message, action: Json) -> Json:
        channel = self._state.channels[message.channel]
        hook = self._hooks.issue(channel, person.id, message)
        return payloads.click_in_message(
            self._state.installation,
            person,
            channel,
            message,
            action=action,
            trigger_id=self._state.triggers.issue(person.id),
            response_url=self._state.url + hook.path,
        )

    def _in_view(self, person: Person, view: Json, action: Json) -> Json:
        modal = view["id"] if view["type"] == "modal" else None
        return payloads.click_in_view(
            self._state.installation,
            person,
            deepcopy(view),
            action=action,
            trigger_id=self._state.triggers.issue(person.id, view_id=modal),
        )

    def _target(self, person: Person, label: str, on: Json | None, block_id: str | None) -> Target:
        seen = list(self._seen(person))
        items = seen if on is None else [it for it in seen if _same(it, on)]
        for item in items:
            for block, element in walk.elements(_blocks(item)):
                if label in _names(block, element) and block_id in (None, block["block_id"]):
                    return Target(item=item, block=block, element=element)
        raise CannotAct(self._nothing(person, label, items))

    def _seen(self, person: Person) -> Iterator[Item]:
        """Yield what this person could click in: the modal in front first, then newest first."""
        if modal := self._state.views.top(person.id):
            yield modal
        yield from self._sight.visible(person)
        home = self._state.views.home(person.id)
        if home and self._state.home_tabs.get(person.id) == "home":
            yield home

    def _nothing(self, person: Person, label: str, items: list[Item]) -> str:
        there = [
            walk.label_of(element)
            for item in items
            for _, element in walk.elements(_blocks(item))
            if element["type"] == "button"
        ]
        return f"{person.name} sees no {label!r} to click; there is {there or 'nothing'}."


def _blocks(item: Item) -> list[Json]:
    return list(item.content.blocks) if isinstance(item, Message) else list(item["blocks"])


def _same(item: Item, on: Json) -> bool:
    if isinstance(item, Message):
        return item.ts == on.get("ts")
    return bool(item["id"] == on.get("id"))


def _names(block: Json, element: Json) -> list[str]:
    """Return every name under which a person or a test knows this element."""
    names = [walk.label_of(element), element["action_id"]]
    if block["type"] == "input":
        names += [block["label"]["text"], block["block_id"]]
    if element["type"] == "overflow":
        names += [option["text"]["text"] for option in element["options"]]
    return names


def _button(element: Json) -> Json:
    return {key: element[key] for key in ("text", "value", "style", "url") if key in element}


def _overflow(element: Json, label: str) -> Json:
    for option in element["options"]:
        if option["text"]["text"] == label:
            return {"selected_option": option}
    raise CannotAct(f"Choose one of the texts of {label!r}.")
