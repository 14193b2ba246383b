"""usergroups.*: groups, and who is in them."""

from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.people import Group
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def groups(state: State, arguments: Json) -> Json:
    shown = []
    for group in _visible(state, arguments):
        users = {"users": _members(state, group)} if arguments.get("include_users") else {}
        shown.append({**group.to_json(), **users, "team_id": state.installation.team_id})
    return {"usergroups": shown}


def members(state: State, arguments: Json) -> Json:
    for group in _visible(state, arguments):
        if group.id == arguments["usergroup"]:
            return {"users": _members(state, group)}
    raise ApiError("no_such_subteam")


def _visible(state: State, arguments: Json) -> list[Group]:
    everything = arguments.get("include_disabled")
    return [group for group in state.groups.values() if everything or not group.disabled]


def _members(state: State, group: Group) -> list[str]:
    """Deactivated people leave their groups."""
    people = [state.people.by_id(id) for id in group.members]
    return [person.id for person in people if person and not person.deleted]


METHODS = {
    "usergroups.list": Method(
        do=groups,
        scope="usergroups:read",
        optional=names("include_users include_disabled include_count team_id"),
    ),
    "usergroups.users.list": Method(
        do=members,
        scope="usergroups:read",
        required=names("usergroup"),
        optional=names("include_disabled team_id"),
    ),
}
