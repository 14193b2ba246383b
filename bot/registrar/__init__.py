"""The registrar: the verbs of people. Each is one transaction that writes everything it owes.

Listeners call these and nothing else. A verb touches only the database; what Entra and Slack have
to do with it is owed as rows, and bells are rung after the commit.
"""

from bot.registrar.approval import Deciding
from bot.registrar.handover import HandingOver
from bot.registrar.queries import Looking
from bot.registrar.recovery import Mending
from bot.registrar.revocation import TakingBack
from bot.registrar.rotation import Rotating
from bot.registrar.secrets import Reveal, Showing
from bot.registrar.submission import Asking

__all__ = ["Registrar", "Reveal"]


class Registrar(Asking, Deciding, HandingOver, Mending, Rotating, TakingBack, Showing, Looking):
    """What people can do."""
