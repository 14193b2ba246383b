"""Access tokens: signed by the tenant with the roles of this moment, checked at every call.

Claims of app-only tokens: learn.microsoft.com/en-us/entra/identity-platform/
access-token-claims-reference. Roles are as of issue; a later grant needs a later token.
"""

import functools
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from bot.playground.tenant.built_in_roles import held_by
from bot.playground.tenant.calls import Caller
from bot.playground.tenant.cloud_names import CLOUD_NAMES
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, unauthenticated

LIFE = timedelta(seconds=3599)
KEY_ID = "playground"
NOTHING, SECRET, ASSERTION = "0", "1", "2"


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    """One key a process: making it costs more than everything else of a tenant together."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published_keys() -> dict[str, Any]:
    """The JSON Web Key Set that the discovery document points to."""
    key = json.loads(RSAAlgorithm.to_jwk(signing_key().public_key()))
    return {"keys": [{**key, "use": "sig", "kid": KEY_ID, "alg": "RS256"}]}


def issue(
    directory: Directory,
    principal: Mapping[str, Any],
    *,
    audience: str,
    roles: list[str],
    proof: str,
    life: timedelta = LIFE,
) -> str:
    """Sign an access token of an application, known by its service principal.

    `proof` says by what it signed in.
    """
    now = int(directory.now().timestamp())
    claims = {
        "aud": audience,
        "iss": issuer(directory),
        "iat": now,
        "nbf": now,
        "exp": now + int(life.total_seconds()),
        "app_displayname": principal["appDisplayName"],
        "appid": principal["appId"],
        "appidacr": proof,
        "idtyp": "app",
        "oid": principal["id"],
        "sub": principal["id"],
        "tid": directory.id,
        "uti": uuid.UUID(int=directory.random.getrandbits(128)).hex,
        "ver": "1.0",
    }
    # An application without roles gets a token without the claim, not one with an empty list.
    if roles:
        claims["roles"] = roles
    return jwt.encode(claims, signing_key(), algorithm="RS256", headers={"kid": KEY_ID})


def issuer(directory: Directory) -> str:
    return f"{CLOUD_NAMES[directory.cloud.name].issuer}/{directory.id}/"


def caller_of(directory: Directory, authorization: str | None, *, audience: str) -> Caller:
    """Return who is calling; raise 401 unless it is a token for it, of this tenant and alive."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or not token.isascii():
        raise _refused(directory, "Access token is empty.")
    claims = _claims(directory, token.strip())
    if problem := _problem(directory, claims, audience):
        raise _refused(directory, problem)
    if claims["idtyp"] == "user":
        return _user(directory, claims)
    return Caller(
        app_id=claims["appid"],
        principal_id=claims["oid"],
        roles=frozenset(claims.get("roles", [])),
    )


def _user(directory: Directory, claims: dict[str, Any]) -> Caller:
    """A role counts if the user had it when the token was issued, and has it still."""
    user = next(user for user in directory.people.users if user["id"] == claims["oid"])
    return Caller(
        app_id=claims["appid"],
        principal_id=claims["oid"],
        roles=frozenset(),
        scopes=frozenset(claims["scp"].split()),
        directory_roles=held_by(directory, user) & frozenset(claims["wids"]),
    )


def _claims(directory: Directory, token: str) -> dict[str, Any]:
    # Times are compared with the tenant's clock, which may be far from the machine's.
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    options |= {"verify_aud": False, "verify_iss": False}
    key = signing_key().public_key()
    try:
        return jwt.decode(token, key, algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        message = "CompactToken parsing failed with error code: 80049217"
        raise _refused(directory, message) from None


def _refused(directory: Directory, message: str) -> GraphFailure:
    return unauthenticated(message, authority=f"{directory.url}/{directory.id}")


def _problem(directory: Directory, claims: dict[str, Any], audience: str) -> str | None:
    if claims.get("aud") != audience:
        return "Access token validation failure. Invalid audience."
    if claims.get("iss") != issuer(directory):
        return "Access token validation failure. Invalid issuer."
    if datetime.fromtimestamp(claims["exp"], tz=directory.now().tzinfo) <= directory.now():
        return "Lifetime validation failed, the token is expired."
    return None
