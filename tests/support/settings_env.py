"""An environment from which the settings can be read."""

import base64

from bot.playground.tenant import Credential

TENANT = "11111111-2222-3333-4444-555555555555"


KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()  # constant: it stands in test ids


GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1-bot",
    "SLACK_APP_TOKEN": "xapp-1-app",
    "APPROVAL_CHANNEL": "C0123456789",
    "APPROVERS": "U0ADA, U0GRACE",
    "REQUESTERS": "U0ROSA",
    "ENTRA_TENANT_ID": TENANT,
    "ENTRA_CLIENT_ID": "99999999-2222-3333-4444-555555555555",
    "ENTRA_CLIENT_SECRET": "s3cret-of-the-bot",
    "CONSENT_MODE": "autonomous",
    "VAULT_KEYS": KEY,
}


def signing_in_as(bot: Credential, *, consent_mode: str) -> dict[str, str]:
    """Return the settings of a bot that is this application."""
    return {
        "ENTRA_CLIENT_ID": bot.client_id,
        "ENTRA_CLIENT_SECRET": bot.client_secret,
        "CONSENT_MODE": consent_mode,
    }
