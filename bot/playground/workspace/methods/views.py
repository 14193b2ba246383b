"""views.*: modals, opened with a trigger_id, and App Homes."""

from bot.playground.workspace.blocks.check import Surface, too_large, view_problems
from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def open_view(state: State, arguments: Json) -> Json:
    definition = checked(arguments["view"], Surface.MODAL)
    trigger = state.triggers.exchange(arguments["trigger_id"])
    return {"view": state.views.open(trigger.person, definition)}


def push(state: State, arguments: Json) -> Json:
    definition = checked(arguments["view"], Surface.MODAL)
    trigger = state.triggers.exchange(arguments["trigger_id"])
    if trigger.view_id is None or state.views.find(trigger.view_id) is None:
        raise ApiError("not_found")
    return {"view": state.views.push(trigger.person, definition)}


def update(state: State, arguments: Json) -> Json:
    view = state.views.find(arguments["view_id"])
    if view is None:
        raise ApiError("not_found")
    definition = checked(arguments["view"], Surface.MODAL)
    _check_hash(view, arguments)
    return {"view": state.views.update(view, definition)}


def publish(state: State, arguments: Json) -> Json:
    if not state.installation.home_enabled:
        raise ApiError("not_enabled")
    person = state.people.by_id(arguments["user_id"])
    if person is None or person.deleted or person.is_bot:
        raise ApiError("invalid_arguments", "invalid `user_id`")
    definition = checked(arguments["view"], Surface.HOME)
    home = state.views.home(person.id)
    if home is None and arguments.get("hash"):
        # Not documented; the stricter reading is that a hash of nothing matches nothing.
        raise ApiError("hash_conflict")
    _check_hash(home, arguments)
    return {"view": state.views.publish(person.id, definition)}


def checked(view: object, surface: Surface) -> Json:
    """Return a view definition that this surface can show."""
    if found := view_problems(view, surface):
        raise ApiError("invalid_arguments", *found)
    assert isinstance(view, dict)
    if too_large(view):
        raise ApiError("view_too_large")
    return view


def _check_hash(view: Json | None, arguments: Json) -> None:
    if view and arguments.get("hash") not in (None, view["hash"]):
        raise ApiError("hash_conflict")


METHODS = {
    "views.open": Method(do=open_view, required=names("trigger_id view")),
    "views.push": Method(do=push, required=names("trigger_id view")),
    "views.update": Method(do=update, required=names("view_id view"), optional=names("hash")),
    "views.publish": Method(do=publish, required=names("user_id view"), optional=names("hash")),
}
