"""`/users`, `/groups` and members: what a directory sync reads.

learn.microsoft.com/graph/api/user-list: 100 to a page, 999 at most, a small set of properties by
default.
"""

from collections.abc import Iterable
from typing import Any

from bot.playground.tenant.calls import Answer, Caller, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import denied, not_found
from bot.playground.tenant.query import EntitySet, count, many, one

_BASIC = ("id", "displayName", "givenName", "mail", "surname", "userPrincipalName")
_USER_DEFAULT = (
    "businessPhones",
    *_BASIC,
    *("jobTitle", "mobilePhone", "officeLocation", "preferredLanguage"),
)
USERS = EntitySet(
    name="users",
    type="user",
    properties=frozenset(
        {*_USER_DEFAULT, "accountEnabled", "createdDateTime", "department", "mailNickname"}
        | {"proxyAddresses", "userType", "companyName", "employeeId", "onPremisesSyncEnabled"}
    ),
    filterable=frozenset(
        {"id", "accountEnabled", "department", "displayName", "givenName", "mail"}
        | {"mailNickname", "proxyAddresses", "surname", "userPrincipalName", "userType"}
    ),
    default=_USER_DEFAULT,
)
GROUPS = EntitySet(
    name="groups",
    type="group",
    properties=frozenset(
        {"id", "createdDateTime", "description", "displayName", "groupTypes", "mail"}
        | {"mailEnabled", "mailNickname", "proxyAddresses", "securityEnabled", "visibility"}
    ),
    filterable=frozenset(
        {"id", "displayName", "groupTypes", "mail", "mailEnabled", "mailNickname"}
        | {"proxyAddresses", "securityEnabled"}
    ),
)
MEMBERS = EntitySet(name="directoryObjects", type="directoryObject", properties=USERS.properties)


def list_users(directory: Directory, request: Request) -> Answer:
    _check_properties(request)
    of = USERS if _reads_profiles(request.caller) else _basic_users()
    return many(directory.url, request, of, directory.people.users)


def count_users(directory: Directory, request: Request) -> Answer:
    return count(request, directory.people.users)


def read_user(directory: Directory, request: Request) -> Answer:
    _check_properties(request)
    key = request.target.keys[0].value
    of = USERS if _reads_profiles(request.caller) else _basic_users()
    user = _find(directory.people.users, key, by=("id", "userPrincipalName"))
    return one(
        directory.url, request, of, {name: user.get(name) for name in of.default or ()} | user
    )


def list_groups(directory: Directory, request: Request) -> Answer:
    return many(directory.url, request, GROUPS, directory.people.groups)


def count_groups(directory: Directory, request: Request) -> Answer:
    return count(request, directory.people.groups)


def read_group(directory: Directory, request: Request) -> Answer:
    group = _find(directory.people.groups, request.target.keys[0].value, by=("id",))
    return one(directory.url, request, GROUPS, group)


def list_members(directory: Directory, request: Request) -> Answer:
    group = _find(directory.people.groups, request.target.keys[0].value, by=("id",))
    ids = set(directory.people.members.get(group["id"], ()))
    members = [user for user in directory.people.users if user["id"] in ids]
    return many(
        directory.url, request, MEMBERS, [_member(user, request.caller) for user in members]
    )


def _member(user: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """A member whose type the caller may not read comes as type and id only."""
    names: Iterable[str] = ("id",)
    if _reads_profiles(caller):
        names = _USER_DEFAULT
    elif "User.ReadBasic.All" in caller.permissions:
        names = _BASIC
    return {"@odata.type": "#microsoft.graph.user", **{name: user[name] for name in names}}


def _find(rows: list[dict[str, Any]], key: str, *, by: tuple[str, ...]) -> dict[str, Any]:
    found = next((row for row in rows if key in [row[name] for name in by]), None)
    if found is None:
        raise not_found(key)
    return found


def _reads_profiles(caller: Caller) -> bool:
    return bool(caller.permissions & {"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"})


def _check_properties(request: Request) -> None:
    """User.ReadBasic.All opens a few properties; asking for others is refused."""
    wanted = {name.strip() for name in request.query.get("$select", "id").split(",")}
    if not _reads_profiles(request.caller) and wanted - set(_BASIC):
        raise denied()


def _basic_users() -> EntitySet:
    return EntitySet(name=USERS.name, type=USERS.type, properties=frozenset(_BASIC), default=_BASIC)
