"""The registrar: the actions of users. Each is one transaction that writes all its consequences.

Listeners call these and nothing else. An action uses only the database: runs and messages, which
need Entra and Slack, are rows, and the loops that work on them are woken after the commit.
"""

from bot.registrar.access import Access
from bot.registrar.approval import Approval, Requests
from bot.registrar.deliveries import Deliveries
from bot.registrar.queries import Queries
from bot.registrar.recovery import Recovery, Revocation
from bot.registrar.secrets import Reveal, Secrets
from bot.registrar.sign_ins import SignIns
from bot.registrar.submission import Submission
from bot.services import Services

__all__ = ["Registrar", "Reveal"]


class Registrar:
    """Everything that users can do, by topic."""

    def __init__(self, services: Services) -> None:
        self.catalogue = services.catalogue
        self.policy = services.policy
        access = Access(services)
        self.quorum = access.quorum
        self.submission = Submission(access)
        self.requests = Requests(access)
        self.approval = Approval(access)
        self.recovery = Recovery(access)
        self.revocation = Revocation(access)
        self.secrets = Secrets(access)
        self.sign_ins = SignIns(access)
        self.queries = Queries(access)
        self.deliveries = Deliveries(access)
