"""People as Slack knows them, and refusals that they read."""

from collections.abc import Iterable
from dataclasses import dataclass

GUEST = "is a guest's"
"""The doubt about an account that Slack limits to some channels."""
CONTACT = "this bot's administrators"
"""The contact for users, unless the settings name a person, team or channel."""


class Refusal(Exception):
    """An expected "no": its text is a sentence for the person who asked.

    `people` are the people that it mentions: their names replace the mentions where Slack shows
    plain text.
    """

    def __init__(self, sentence: str, *, people: "Iterable[Person]" = ()) -> None:
        self.people = tuple(people)
        super().__init__(sentence)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of Slack: their ids, and Slack's record of them now."""

    team_id: str
    user_id: str
    name: str = ""
    doubts: tuple[str, ...] = ()  # why this account may not act: "is deactivated", …
    groups: frozenset[str] = frozenset()  # the user groups of the settings that it belongs to
    unread: frozenset[str] = frozenset()  # those of which Slack did not say who is in them

    @property
    def key(self) -> tuple[str, str]:
        """The identity of a person; names and addresses are none."""
        return self.team_id, self.user_id

    def __str__(self) -> str:
        return f"{self.name} ({self.user_id} in {self.team_id})"
