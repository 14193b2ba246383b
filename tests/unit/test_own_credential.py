"""Advice on the bot's own credential fits what the bot signs in with."""

from bot.own_credential import removing
from graph.credentials import ManagedIdentity


def test_a_managed_identity_has_no_page_on_which_a_right_is_removed() -> None:
    identity = removing(ManagedIdentity(client_id=None))
    assert "SETUP.md" in identity
    assert "API permissions" not in identity
    assert "API permissions" in removing("a secret")
