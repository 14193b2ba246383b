"""What one person's window shows of the workspace: people, channels, messages, views, notices."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from bot.playground.page.item import Item, Items, as_is
from bot.playground.stage import slack_environ
from bot.playground.workspace import Workspace
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.installation import BOT_NAME
from bot.playground.workspace.messages import Message
from bot.playground.workspace.notices import Notification
from bot.playground.workspace.people import Person
from handlers.listeners.command_table import COMMANDS

Json = dict[str, Any]


class WorkspaceItems:
    """Looks at the workspace through one person's eyes."""

    def __init__(self, workspace: Workspace, person: Person) -> None:
        self._workspace = workspace
        self._person = person
        self._notified: dict[str, Notification | None] = {}
        """By `ts`: what pops up is decided when a message is posted, and costs a search."""
        workspace.channel(person)  # opens the direct messages with the app

    def look(self) -> Items:
        messages = self._workspace.visible(self._person)
        return {
            "me": as_is(self._person.id),
            "people": as_is(people(self._workspace)),
            "names": as_is(names(self._workspace)),
            "commands": as_is(commands()),
            "channels": as_is(self._channels()),
            **dict(map(_message, messages)),
            **dict(self._notifications(messages)),
            **dict(self._views()),
        }

    def _channels(self) -> list[Json]:
        mine = [it for it in self._workspace.channels if self._person.id in it.members]
        return [_channel(it) for it in mine if not it.archived]

    def _notifications(self, messages: list[Message]) -> Iterator[tuple[str, Item]]:
        for message in messages:
            if message.ts not in self._notified:
                found = self._workspace.notification(self._person, message)
                self._notified[message.ts] = found
            if notification := self._notified[message.ts]:
                yield f"notification/{message.ts}", as_is(asdict(notification))

    def _views(self) -> Iterator[tuple[str, Item]]:
        if modal := self._workspace.view_of(self._person):
            depth = self._workspace.depth_of(self._person)
            yield (
                "modal",
                Item((modal["id"], modal["hash"], depth), lambda: modal | {"depth": depth}),
            )
        if home := self._workspace.home_of(self._person):
            yield "home", Item((home["id"], home["hash"]), lambda: home)


def people(workspace: Workspace) -> list[Json]:
    """Return those whom a visitor can be."""
    roles = _roles(workspace)
    return [
        {
            "id": person.id,
            "name": person.name,
            "real_name": person.real_name,
            "tz": person.tz,
            "role": roles.get(person.id, _role(person)),
        }
        for person in workspace.people
        if not (person.deleted or person.is_bot or person.is_stranger)
    ]


def names(workspace: Workspace) -> dict[str, str]:
    """Return the shown name of everything that a text may mention."""
    return {
        workspace.bot_user_id: BOT_NAME,
        **{person.id: person.name for person in workspace.people},
        **{channel.id: channel.name for channel in workspace.channels if channel.name},
        **{group.id: group.handle for group in workspace.groups},
    }


def commands() -> list[Json]:
    """Return what the composer offers behind the command, in the order of the help."""
    shown = (each for each in COMMANDS.values() if not each.is_hidden)
    return [{"usage": each.usage(), "does": each.does} for each in shown]


def _roles(workspace: Workspace) -> dict[str, str]:
    settings = slack_environ(workspace)
    approvers = dict.fromkeys(settings["APPROVERS"].split(","), "approver")
    return {**dict.fromkeys(settings["REQUESTERS"].split(","), "requester"), **approvers}


def _role(person: Person) -> str:
    if person.is_external:
        return "external"
    return "guest" if person.is_restricted else "member"


def _channel(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": BOT_NAME if channel.im else channel.name,
        "kind": "app" if channel.im else "channel",
        "private": channel.private,
        "shared": channel.is_ext_shared,
    }


def _message(message: Message) -> tuple[str, Item]:
    key = f"message/{message.channel}/{message.ts}"
    return key, Item(len(message.versions), partial(_shown, message))


def _shown(message: Message) -> Json:
    return {
        "channel": message.channel,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.author,
        "is_bot": message.bot_id is not None,
        "text": message.content.text,
        "blocks": list(message.content.blocks),
        "edited": message.edited_ts is not None,
        "only_for_you": message.only_for is not None,
    }
