"""usergroups.users.list: who is in a group."""

from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def members(state: State, arguments: Json) -> Json:
    if not state.groups.available:
        raise ApiError("plan_upgrade_required")
    group = state.groups.by_id(arguments["usergroup"])
    if group is None or group.disabled:
        raise ApiError("no_such_subteam")
    if group.unreadable:
        raise ApiError("internal_error")
    # Deactivated people leave their groups.
    people = [state.people.by_id(id) for id in group.members]
    return {"users": [person.id for person in people if person and not person.deleted]}


METHODS = {
    "usergroups.users.list": Method(
        do=members,
        scope="usergroups:read",
        required=names("usergroup"),
    ),
}
