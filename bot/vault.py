"""Old name of `bot.storage.vault`: kept for a frozen migration, which is never edited."""

from bot.storage.vault import SealBroken, Vault

__all__ = ["SealBroken", "Vault"]
