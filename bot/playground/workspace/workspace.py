"""A simulated Slack workspace, as a test or the demo holds it: people act, and one looks.

Apps talk to it over HTTP and a websocket, as they do to Slack; nothing here is for apps.
"""

from bot.playground.workspace.acting import Acting
from bot.playground.workspace.looking import Looking
from bot.playground.workspace.steering import Steering


class Workspace(Acting, Looking, Steering):
    """The workspace. Acting raises CannotAct for what a Slack client would not let one do."""
