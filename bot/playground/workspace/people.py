"""The people of the workspace, and what Slack says of each to an app that asks."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import CannotAct, Json


@dataclass(kw_only=True)
class Person:
    """Somebody with an account. Flags are Slack's own.

    docs.slack.dev/reference/objects/user-object

    Tests change them as life does: `workspace.people["ada"].deleted = True`.
    """

    id: str
    name: str
    real_name: str
    team_id: str
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_admin: bool = False
    active: bool = True  # has Slack open; ephemeral messages reach nobody else

    def to_json(self) -> Json:
        names = {"real_name": self.real_name, "display_name": self.name}
        user = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "profile": {**names, "team": self.team_id},
            "is_bot": self.is_bot,
            "is_app_user": False,
        }
        if self.is_stranger:
            user["is_stranger"] = True
        return user if self.deleted else {**user, **self._full()}

    def _full(self) -> Json:
        """Slack leaves these out for deactivated accounts."""
        return {
            "real_name": self.real_name,
            "tz": "Europe/London",
            "tz_offset": 0,
            "is_admin": self.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
        }


class People:
    """Everybody, by name or id."""

    def __init__(self, ids: Ids, team_id: str) -> None:
        self._ids = ids
        self._team_id = team_id
        self._by_id: dict[str, Person] = {}

    def add(self, name: str, real_name: str, **flags: bool) -> Person:
        return self._keep(name, real_name, self._team_id, flags)

    def add_external(self, name: str, real_name: str) -> Person:
        """Add somebody of another company, met in a shared channel."""
        return self._keep(name, real_name, self._ids.new("T"), {"is_stranger": True})

    def find(self, who: "str | Person") -> Person:
        """Return the person of that name or id."""
        if isinstance(who, Person):
            return who
        for person in self._by_id.values():
            if who in (person.id, person.name):
                return person
        raise CannotAct(f"There is nobody called {who!r}.")

    def by_id(self, id: object) -> Person | None:
        return self._by_id.get(id) if isinstance(id, str) else None

    def __getitem__(self, name: str) -> Person:
        return self.find(name)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_id.values())

    def _keep(self, name: str, real_name: str, team_id: str, flags: dict[str, bool]) -> Person:
        id = self._ids.new("U")
        person = Person(id=id, name=name, real_name=real_name, team_id=team_id, **flags)
        self._by_id[id] = person
        return person


@dataclass(kw_only=True)
class Group:
    """A user group, such as @directory-admins."""

    id: str
    handle: str
    members: list[str]
    disabled: bool = False

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "is_usergroup": True,
            "handle": self.handle,
            "name": self.handle,
            "user_count": len(self.members),
            "date_delete": int(self.disabled),
        }
