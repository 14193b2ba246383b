"""People fill in forms, submit them and close them: docs.slack.dev/surfaces/modals."""

from copy import deepcopy
from typing import Any

from bot.playground.workspace import payloads
from bot.playground.workspace.blocks import walk
from bot.playground.workspace.blocks.check import Surface
from bot.playground.workspace.fields import KINDS, filled, value_of
from bot.playground.workspace.methods.views import checked
from bot.playground.workspace.people import Person
from bot.playground.workspace.results import Submitted
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, CannotAct, Json


class Submitting:
    """Fills in the view in front, as a client would let one, and follows the app's answer."""

    def __init__(self, state: State) -> None:
        self._state = state

    def fill(self, person: Person, values: dict[str, Any]) -> Json:
        """Type values into fields, named by label, block_id or action_id, and return the view."""
        view = self._in_front(person)
        for name, wanted in values.items():
            block, element = _field(view, name)
            typed = filled(element, wanted)
            view["state"]["values"][block["block_id"]][element["action_id"]] = typed
        return view

    async def submit(self, person: Person, values: dict[str, Any]) -> Submitted:
        view = self.fill(person, values)
        if not view["submit"]:
            raise CannotAct("This view has nothing to submit.")
        _check_required(view)
        trigger_id = self._state.triggers.issue(person.id, view_id=view["id"])
        payload = payloads.submission(
            self._state.installation, person, deepcopy(view), trigger_id=trigger_id
        )
        ack = await self._state.delivery.deliver("interactive", payload, answerable=True)
        if ack.error:
            return self._submitted(person, error=ack.error)
        return self._followed(person, view, ack.payload)

    def close(self, person: Person) -> None:
        self._state.views.close(self._in_front(person))

    def _followed(self, person: Person, view: Json, answer: Json) -> Submitted:
        """Do what the ack says. What Slack would not take changes nothing."""
        try:
            errors = self._follow(view, answer)
        except ApiError as wrong:
            details = [wrong.code, *wrong.messages]
            self._state.record.complain("an ack of a submission", answer=answer, errors=details)
            return self._submitted(person, error=wrong.code)
        return self._submitted(person, errors=errors)

    def _follow(self, view: Json, answer: Json) -> dict[str, str]:
        match answer:
            case {"response_action": "errors", "errors": dict(errors)}:
                return _by_label(view, errors)
            case {"response_action": "update", "view": definition}:
                self._state.views.update(view, checked(definition, Surface.MODAL))
            case {} if not answer:
                self._state.views.close(view)
            case _:
                raise ApiError("invalid_response_action")
        return {}

    def _submitted(
        self, person: Person, *, errors: dict[str, str] | None = None, error: str | None = None
    ) -> Submitted:
        view = self._state.views.top(person.id)
        return Submitted(errors=errors or {}, error=error, view=deepcopy(view))

    def _in_front(self, person: Person) -> Json:
        view = self._state.views.top(person.id)
        if view is None:
            raise CannotAct(f"{person.name} has no view open.")
        return view


def _field(view: Json, name: str) -> tuple[Json, Json]:
    for block, element in walk.elements(view["blocks"]):
        label = block.get("label", {}).get("text")
        if element["type"] in KINDS and name in (label, block["block_id"], element["action_id"]):
            return block, element
    labels = [block["label"]["text"] for block in view["blocks"] if block["type"] == "input"]
    raise CannotAct(f"There is no field {name!r}; there are {labels}.")


def _check_required(view: Json) -> None:
    for block, element in walk.elements(view["blocks"]):
        if block["type"] != "input" or block.get("optional"):
            continue
        state = view["state"]["values"][block["block_id"]][element["action_id"]]
        if value_of(element, state) in (None, "", []):
            raise CannotAct(f"{block['label']['text']!r} must be filled in.")


def _by_label(view: Json, errors: dict[str, str]) -> dict[str, str]:
    """Errors may only name input blocks of the view."""
    labels = {
        block["block_id"]: block["label"]["text"]
        for block in view["blocks"]
        if block["type"] == "input"
    }
    if not errors or not set(errors) <= set(labels):
        raise ApiError("invalid_error_blocks", f"inputs are {sorted(labels)}")
    return {labels[id]: str(sentence) for id, sentence in errors.items()}
