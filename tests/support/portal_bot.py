"""A bot that waits for an administrator's consent, with the rights for that and no others."""

from bot.playground.stage import Stage
from graph.rights import ConsentMode, rights
from tests.support.settings_env import signing_in_as


def portal_settings(stage: Stage) -> dict[str, str]:
    """Return the changes to the environment of a bot on this stage."""
    own = stage.tenant.add_administrator(rights(ConsentMode.PORTAL))
    return signing_in_as(own, consent_mode=ConsentMode.PORTAL)
