"""Looking for secrets in whatever was written, also in the forms that encodings give them."""

import base64
import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")
"""How every JSON web token looks."""


@cache
def forms(secret: str) -> frozenset[bytes]:
    """Return the secret plainly and as encodings would write it, wherever it stands in a text."""
    raw = secret.encode()
    # In base64 a secret looks different at each of three offsets; its ends mix with neighbours.
    shifted = [bytes(shift) + raw for shift in range(3)]
    encoded = {
        encode(text)[4:-4]
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for text in shifted
    }
    return frozenset({raw, quote(secret, safe="").encode(), raw.hex().encode(), *encoded})


def found(secrets: Iterable[str], text: bytes) -> list[str]:
    """Return which secrets stand in the text, by their beginnings."""
    hits = [secret[:6] for secret in secrets if any(form in text for form in forms(secret))]
    return hits + [token[:6].decode() for token in TOKEN.findall(text)]
