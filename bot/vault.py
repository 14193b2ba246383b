"""The vault: seals one-time secrets, opens them, and keeps everybody else out.

The clear text exists only between `open` and whoever shows or tests it. Each sealed text names
what it belongs to, so that swapping two rows opens neither.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBroken(Exception):
    """A sealed text does not open: another key, another owner, or tampering."""


class Vault:
    """Seals with the first key, opens with any, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # A Fernet key is 16 bytes to sign with and 16 to encrypt: github.com/fernet/spec
        self._signers = [base64.urlsafe_b64decode(key)[:16] for key in keys]

    def holds_key_of(self, sealed: bytes) -> bool:
        """Whether `open` would find a key. Only the seal is looked at: nothing is in the clear."""
        try:
            token = base64.urlsafe_b64decode(sealed)
        except binascii.Error:
            return False
        return any(
            hmac.compare_digest(hmac.digest(signer, token[:-32], "sha256"), token[-32:])
            for signer in self._signers
        )

    def seal(self, owner: str, text: str) -> bytes:
        return self._fernet.encrypt(json.dumps([owner, text]).encode())

    def open(self, owner: str, sealed: bytes) -> str:
        """Return the text that was sealed for `owner`. Raises SealBroken."""
        try:
            found, text = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SealBroken(f"The sealed text of {owner} does not open with VAULT_KEYS.") from None
        if found != owner:
            raise SealBroken(f"The sealed text of {owner} belongs to something else.")
        return str(text)
