"""The vault: seals one-time secrets, opens them, and signs history.

The clear text exists only between `open` and the code that shows or tests it. Each sealed text
names its owner, so that swapping two rows opens neither. The signing keys of history are derived
from the same keys by HKDF, so that no key does two jobs.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HISTORY = b"aad-setup history"
"""The purpose that HKDF binds the signing keys to."""


class SealBroken(Exception):
    """A sealed text does not open: another key, another owner, or tampering."""


class Vault:
    """Seals with the first key, opens with any, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        # A Fernet key is 16 bytes to sign with and 16 to encrypt: github.com/fernet/spec
        self._signers = [base64.urlsafe_b64decode(key)[:16] for key in keys]
        derived = [_derived(key) for key in keys]
        self._history_keys = {each[32:].hex(): each[:32] for each in derived}
        self.newest_history_key = derived[0][32:].hex()

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

    def sign(self, text: str) -> str:
        """Return the newest key's id and an HMAC-SHA256 of the text under it."""
        return self._signature(self.newest_history_key, text)

    def is_signed(self, text: str, signature: str) -> bool:
        """Whether one of the keys signed this text."""
        id = key_id_of(signature)
        if not self.holds_history_key(id):
            return False
        return hmac.compare_digest(self._signature(id, text), signature)

    def holds_history_key(self, id: str) -> bool:
        return id in self._history_keys

    def _signature(self, id: str, text: str) -> str:
        return f"{id}:{hmac.digest(self._history_keys[id], text.encode(), 'sha256').hex()}"


def key_id_of(signature: str) -> str:
    """Return the id of the key that a signature says it was made with."""
    return signature.partition(":")[0]


def _derived(key: str) -> bytes:
    """Return 32 bytes to sign with and 4 that name them, which tell nothing of the key."""
    hkdf = HKDF(algorithm=SHA256(), length=36, salt=None, info=HISTORY)
    return hkdf.derive(base64.urlsafe_b64decode(key))
