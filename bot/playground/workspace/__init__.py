"""The simulated workspace: Slack as the bot meets it, as strict as the real one or stricter.

Apps reach it over HTTP and a websocket on loopback. People act through `Workspace`, or through
`/sim/` over HTTP.
"""

from bot.playground.workspace.changes import NeverHappened
from bot.playground.workspace.channels import Channel
from bot.playground.workspace.faults import Held
from bot.playground.workspace.groups import Group
from bot.playground.workspace.notices import Notification
from bot.playground.workspace.people import Person
from bot.playground.workspace.record import Entry, Kind
from bot.playground.workspace.results import Clicked, Reply, Submitted
from bot.playground.workspace.server import running
from bot.playground.workspace.wire import CannotAct
from bot.playground.workspace.workspace import Workspace

__all__ = [
    "CannotAct",
    "Channel",
    "Clicked",
    "Entry",
    "Group",
    "Held",
    "Kind",
    "NeverHappened",
    "Notification",
    "Person",
    "Reply",
    "Submitted",
    "Workspace",
    "running",
]
