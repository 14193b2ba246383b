"""What people do in a simulated workspace. Each acts as a Slack client would let them."""

from copy import deepcopy
from typing import Any

from bot.playground.workspace.place import Place, Who
from bot.playground.workspace.results import Clicked, Reply, Submitted
from bot.playground.workspace.sight import Where
from bot.playground.workspace.wire import Json


class Acting(Place):
    """Acting raises CannotAct for what a Slack client would not let one do."""

    async def command(
        self,
        person: Who,
        text: str = "",
        *,
        command: str = "/aad-setup",
        channel: Where = "general",
    ) -> Reply:
        """Type a slash command and return what it showed by the time the app acknowledged it."""
        who = self.people.find(person)
        return await self._talking.command(who, text, command=command, where=channel)

    async def mention(
        self, person: Who, text: str, *, channel: Where = "general", thread: Json | None = None
    ) -> Json:
        """Write `@aad-setup text` in a channel, or below a message, and return what was written."""
        thread_ts = (thread.get("thread_ts") or thread["ts"]) if thread else None
        who = self.people.find(person)
        return (await self._talking.mention(who, text, channel, thread_ts)).seen()

    async def say(
        self, person: Who, text: str, *, channel: Where = "general", thread: Json | None = None
    ) -> Json:
        """Write in a conversation; @names and #names become mentions. Return what was written."""
        thread_ts = (thread.get("thread_ts") or thread["ts"]) if thread else None
        who = self.people.find(person)
        return (await self._talking.say(who, text, channel, thread_ts)).seen()

    async def message_im(self, person: Who, text: str) -> Json:
        """Write to the app in its Messages tab and return what was written."""
        who = self.people.find(person)
        return (await self._talking.say(who, text, who)).seen()

    async def open_home(self, person: Who) -> Json | None:
        """Open the app's Home tab and return the home view, if there is one by then."""
        return deepcopy(await self._talking.open_home(self.people.find(person)))

    async def open_messages(self, person: Who) -> None:
        """Open the app's Messages tab, which leaves its Home tab."""
        await self._talking.open_home(self.people.find(person), "messages")

    async def click(
        self, person: Who, label: str, *, on: Json | None = None, block_id: str | None = None
    ) -> Clicked:
        """Click a button by its label or action_id: in `on`, or wherever it is seen first.

        First comes the modal in front, then messages and ephemerals from the newest, then the home.
        With a `block_id`, only elements of that block count: a list repeats its action_ids.
        """
        return await self._clicking.click(self.people.find(person), label, on, block_id)

    async def choose(
        self,
        person: Who,
        label: str,
        value: object,
        *,
        on: Json | None = None,
        block_id: str | None = None,
    ) -> Clicked:
        """Choose from a menu or fill in one field, which tells the app if it is dispatched."""
        who = self.people.find(person)
        return await self._clicking.choose(who, label, value, on, block_id)

    async def submit(self, person: Who, values: dict[str, Any] | None = None) -> Submitted:
        """Fill in the view in front (by label, block_id or action_id) and submit it.

        Choices are named by their visible text (a list of them for checkboxes), people by name.
        """
        return await self._submitting.submit(self.people.find(person), values or {})

    def fill(self, person: Who, values: dict[str, Any]) -> Json:
        """Fill in the view in front without submitting it."""
        return deepcopy(self._submitting.fill(self.people.find(person), values))

    async def close_view(self, person: Who) -> None:
        """Close the view in front; the one below, if any, shows again."""
        self._submitting.close(self.people.find(person))

    def reload(self, person: Who) -> None:
        """Reload this person's Slack: ephemeral messages and open modals are gone."""
        who = self.people.find(person)
        for message in self._sight.ephemerals(who):
            self._state.ephemerals.remove(message)
        self._state.views.clear(who.id)
