"""The people of the workspace, and what Slack says of each to an app that asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import CannotAct, Json


@dataclass(kw_only=True)
class Person:
    """A person with an account. Flags are Slack's own.

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
    is_stranger: bool = False  # of another company, and in no channel that the app is in
    is_invited_user: bool = False
    is_app_user: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_primary_owner: bool = False
    is_external: bool = False  # of another company; Slack has no such flag, only another team_id
    enterprise_id: str | None = None  # on Enterprise Grid, with the workspaces that they are in
    teams: tuple[str, ...] = ()
    says_team: bool = True  # on Grid Slack may leave team_id out
    hidden: bool = False  # users.info answers user_not_visible
    active: bool = True  # has Slack open; ephemeral messages reach no others
    tz: str = "Europe/London"

    def is_of(self, team_id: str) -> bool:
        """Whether this is a member of that workspace: on Enterprise Grid of several."""
        return team_id in (self.team_id, *self.teams)

    def to_json(self, now: datetime) -> Json:
        """Return what users.info says. Apps must bear what is left out, as Slack leaves it out."""
        user = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "profile": self._profile(),
            "is_bot": self.is_bot,
            "is_app_user": self.is_app_user,
            "updated": int(now.timestamp()),
        }
        if self.enterprise_id:
            user["enterprise_user"] = self._in_the_organization()
        if not self.says_team:
            del user["team_id"]
        if self.is_stranger:
            user["is_stranger"] = True
        if self.is_invited_user:
            user["is_invited_user"] = True
        return user if self.deleted else {**user, **self._place(now), **self._rights()}

    def _in_the_organization(self) -> Json:
        """docs.slack.dev/reference/objects/user-object"""
        return {
            "id": self.id,
            "enterprise_id": self.enterprise_id,
            "enterprise_name": "Playground",
            "is_admin": False,
            "is_owner": False,
            "teams": list(self.teams),
        }

    def _profile(self) -> Json:
        return {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.team_id,
        }

    def _place(self, now: datetime) -> Json:
        zone = ZoneInfo(self.tz)
        offset = now.astimezone(zone).utcoffset() or timedelta(0)
        return {
            "real_name": self.real_name,
            "tz": self.tz,
            "tz_label": now.astimezone(zone).tzname(),
            "tz_offset": int(offset.total_seconds()),
        }

    def _rights(self) -> Json:
        # What Slack says of people of other companies is not documented field by field; the
        # stricter reading is that their rights at home are none of the app's business.
        if self.is_external:
            return {}
        return {
            "is_admin": self.is_admin,
            "is_owner": self.is_owner,
            "is_primary_owner": self.is_primary_owner,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
        }


class People:
    """Everybody, by name or id."""

    def __init__(self, ids: Ids, team_id: str) -> None:
        self._ids = ids
        self._team_id = team_id
        self._by_id: dict[str, Person] = {}

    def add(self, name: str, real_name: str, **flags: Any) -> Person:
        """Add a member of this workspace; flags are the fields of Person."""
        return self._keep(name, real_name, self._team_id, flags)

    def add_external(self, name: str, real_name: str, **flags: Any) -> Person:
        """Add a person of another company: met in a shared channel, or not (is_stranger=True)."""
        return self._keep(name, real_name, self._ids.new("T"), {"is_external": True, **flags})

    def add_from_grid(
        self, name: str, real_name: str, *, enterprise_id: str, is_member: bool, **flags: Any
    ) -> Person:
        """Add a person whose home is another workspace of the same organization."""
        home = self._ids.new("T")
        teams = (home, self._team_id) if is_member else (home,)
        return self._keep(
            name, real_name, home, {"enterprise_id": enterprise_id, "teams": teams, **flags}
        )

    def find(self, who: "str | Person") -> Person:
        """Return the person of that name or id."""
        if isinstance(who, Person):
            return who
        for person in self._by_id.values():
            if who in (person.id, person.name):
                return person
        raise CannotAct(f"There is no person called {who!r}.")

    def by_id(self, id: object) -> Person | None:
        return self._by_id.get(id) if isinstance(id, str) else None

    def __getitem__(self, name: str) -> Person:
        return self.find(name)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_id.values())

    def _keep(self, name: str, real_name: str, team_id: str, flags: Json) -> Person:
        id = self._ids.new("U")
        person = Person(id=id, name=name, real_name=real_name, team_id=team_id, **flags)
        self._by_id[id] = person
        return person
