"""User groups, such as @directory-admins: who is in them, and whether an app may know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import CannotAct


@dataclass(kw_only=True)
class Group:
    """A user group. `members` are user ids and may be changed at any time.

    A disabled group is one that was deleted.
    """

    id: str
    handle: str
    members: list[str] = field(default_factory=list)
    disabled: bool = False
    unreadable: bool = False  # reading its members fails, as when Slack itself is in trouble


class Groups:
    """Every user group, by handle or id."""

    def __init__(self, ids: Ids) -> None:
        self.available = True
        """Whether the workspace's plan has user groups at all; a free one has none."""
        self._ids = ids
        self._by_id: dict[str, Group] = {}

    def add(self, handle: str, members: Iterable[str] = ()) -> Group:
        """Add a group of these user ids."""
        if any(group.handle == handle for group in self):
            raise CannotAct(f"There is already a group called {handle!r}.")
        group = Group(id=self._ids.new("S"), handle=handle, members=list(members))
        self._by_id[group.id] = group
        return group

    def by_id(self, id: object) -> Group | None:
        return self._by_id.get(id) if isinstance(id, str) else None

    def called(self, handle: str) -> Group | None:
        """Return the group that can be mentioned as @handle."""
        named = (it for it in self if it.handle == handle and not it.disabled)
        return next(named, None)

    def leave(self, person: str) -> None:
        """Take a person out of every group."""
        for group in self:
            group.members = [id for id in group.members if id != person]

    def __getitem__(self, handle: str) -> Group:
        found = [group for group in self if handle in (group.handle, group.id)]
        if not found:
            raise CannotAct(f"There is no group called {handle!r}.")
        return found[0]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_id.values())
