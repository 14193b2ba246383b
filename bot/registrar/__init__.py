"""The registrar: the verbs of people. Each is one transaction that writes everything it owes.

Listeners call these and nothing else. A verb touches only the database; what Entra and Slack have
to do with it is owed as rows, and bells are rung after the commit.
"""

from bot.registrar.handover import HandoverActions
from bot.registrar.queries import Queries
from bot.registrar.recovery import RecoveryActions
from bot.registrar.revocation import RevocationActions
from bot.registrar.rotation import RotationActions
from bot.registrar.secrets import Reveal, SecretActions
from bot.registrar.submission import SubmissionActions

__all__ = ["Registrar", "Reveal"]


class Registrar(
    SubmissionActions,
    RecoveryActions,
    HandoverActions,
    RotationActions,
    RevocationActions,
    SecretActions,
    Queries,
):
    """What people can do."""
