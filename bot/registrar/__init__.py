"""The registrar: the verbs of people. Each is one transaction that writes everything it owes.

Listeners call these and nothing else. A verb touches only the database; what Entra and Slack have
to do with it is owed as rows, and bells are rung after the commit.
"""

from bot.registrar.asking import Asking
from bot.registrar.deciding import Deciding
from bot.registrar.handing_over import HandingOver
from bot.registrar.looking import Looking
from bot.registrar.mending import Mending
from bot.registrar.rotating import Rotating
from bot.registrar.showing import Reveal, Showing
from bot.registrar.taking_back import TakingBack

__all__ = ["Registrar", "Reveal"]


class Registrar(Asking, Deciding, HandingOver, Mending, Rotating, TakingBack, Showing, Looking):
    """What people can do."""
