"""usergroups.*: groups, and who is in them."""

from bot.playground.workspace.groups import Group
from bot.playground.workspace.methods.method import Method, names
from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json


def groups(state: State, arguments: Json) -> Json:
    """Members and their number are only told to those who ask: docs …/usergroups.list."""
    shown = []
    for group in _visible(state, arguments):
        body = group.to_json(state.installation.team_id, state.clock.now())
        members = _members(state, group)
        if arguments.get("include_users"):
            body["users"] = members
        if arguments.get("include_count"):
            body["user_count"] = len(members)
        shown.append(body)
    return {"usergroups": shown}


def members(state: State, arguments: Json) -> Json:
    for group in _visible(state, arguments):
        if group.id == arguments["usergroup"]:
            if group.unreadable:
                raise ApiError("internal_error")
            return {"users": _members(state, group)}
    raise ApiError("no_such_subteam")


def _visible(state: State, arguments: Json) -> list[Group]:
    if not state.groups.available:
        raise ApiError("plan_upgrade_required")
    everything = arguments.get("include_disabled")
    return [group for group in state.groups if everything or not group.disabled]


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
