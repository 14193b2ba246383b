"""Issuers of tokens that federated credentials may name, such as a Kubernetes cluster.

Entra fetches an issuer's keys from its address. This tenant reaches no other host, so an issuer
lives beside it and the tenant knows its key.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from graph.clouds import PUBLIC


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Whoever signs tokens for programs that run on its machines."""

    url: str
    key: rsa.RSAPrivateKey = field(repr=False)

    def token(
        self,
        *,
        subject: str,
        audience: str = PUBLIC.federated_audience,
        life: timedelta = timedelta(hours=1),
    ) -> str:
        """Sign a token that is valid from now on, by the machine's clock."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "nbf": min(now, now + life),
            "exp": now + life,
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "issuer"})
