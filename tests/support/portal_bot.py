"""A bot that waits for an administrator's consent, with the rights for that and no others."""

from bot.playground.stage import Stage
from graph.rights import ConsentMode, rights


def portal_settings(stage: Stage) -> dict[str, str]:
    """Return the changes to the environment of a bot on this stage."""
    own = stage.tenant.add_administrator(rights(ConsentMode.PORTAL))
    return {
        "CONSENT_MODE": ConsentMode.PORTAL,
        "ENTRA_CLIENT_ID": own.client_id,
        "ENTRA_CLIENT_SECRET": own.client_secret,
    }
