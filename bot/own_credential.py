"""What the bot itself signs in with: when it ends, how to renew it, and how to grant rights to its
holder.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

from bot.settings.settings import Settings
from graph.client import Client
from graph.connection import own_credential_ends, secret_ends
from graph.credentials import Certificate, Credential, ManagedIdentity

NEW_SECRET = "Make another one in Entra, set ENTRA_CLIENT_SECRET and start again."
NEW_CERTIFICATE = (
    "Upload another one in Entra, then put it and its key in the place of the file that"
    " ENTRA_CERTIFICATE names: the next sign-in uses it."
)

NEW_CONSENT_SECRET = "Create another one in Entra, set it and restart the bot."

CONSENT = "Grant it in the Entra admin centre under API permissions, with admin consent."
REVOKE = "Under API permissions revoke its admin consent, then remove the permission."
REVOKE_OF_IDENTITY = (
    "Remove it from the managed identity: SETUP.md, With a managed identity. Azure keeps the"
    " identity's token for up to a day, and until then it has the right."
)
CONSENT_OF_IDENTITY = (
    "Assign it to the managed identity: SETUP.md, With a managed identity. Azure keeps the"
    " identity's token for up to a day, and until then it lacks the right."
)


class OwnCredential(NamedTuple):
    """A secret or certificate of the settings."""

    name: str
    advice: str
    ends: Callable[[], Awaitable[datetime | None]]
    """Return when it ends, or None if that is not known. Raises GraphError."""


def own_credentials(settings: Settings, graph: Client) -> list[OwnCredential]:
    """Return the credentials that must be renewed in time."""
    ends = partial(own_credential_ends, graph, settings)
    own = OwnCredential(*renewal(settings.credential), ends)
    if settings.approver_sign_ins is None:
        return [own]
    client = settings.approver_sign_ins.consent_client
    ends = partial(secret_ends, graph, client.client_id, client.client_secret)
    return [own, OwnCredential("CONSENT_CLIENT_SECRET", NEW_CONSENT_SECRET, ends)]


def renewal(credential: Credential) -> tuple[str, str]:
    """Return the name of what the bot signs in with and can end, and how to renew it."""
    if isinstance(credential, Certificate):
        return "the bot's own certificate", NEW_CERTIFICATE
    return "the bot's own secret", NEW_SECRET


def granting(credential: Credential) -> str:
    """Return how a right is given: a managed identity has no page *API permissions*."""
    return CONSENT_OF_IDENTITY if isinstance(credential, ManagedIdentity) else CONSENT


def removing(credential: Credential) -> str:
    """Return how a right is taken away again."""
    return REVOKE_OF_IDENTITY if isinstance(credential, ManagedIdentity) else REVOKE
