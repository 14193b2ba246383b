"""Tokens of people: what an application gets when a user signs in to it.

Claims: learn.microsoft.com/entra/identity-platform/id-token-claims-reference and access-token-
claims-reference. A v2.0 ID token has neither `amr` nor `acr`, and `acrs` only if it was asked for.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import jwt

from bot.playground.tenant import built_in_roles, tokens
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.logins import Login

Json = dict[str, Any]


def access_token(
    directory: Directory,
    user: Mapping[str, Any],
    client: Mapping[str, Any],
    *,
    scopes: Iterable[str],
    proof: str,
) -> str:
    """Sign a token with which the client calls Microsoft Graph for the user.

    `proof` says by what the client signed in.
    """
    claims = _claims(directory, user, client["appId"]) | {
        "aud": directory.cloud.graph,
        "iss": tokens.issuer(directory),
        "app_displayname": client["appDisplayName"],
        "appid": client["appId"],
        "appidacr": proof,
        "idtyp": "user",
        "name": user["displayName"],
        "oid": user["id"],
        "scp": " ".join(sorted(scopes)),
        "unique_name": user["userPrincipalName"],
        "upn": user["userPrincipalName"],
        "ver": "1.0",
        "wids": sorted(built_in_roles.held_by(directory, user)),
    }
    return _signed(directory, claims)


def id_token(
    directory: Directory, user: Mapping[str, Any], login: Login, *, scopes: frozenset[str]
) -> str:
    """Sign the token that tells the client who signed in."""
    claims = _claims(directory, user, login.asked.client_id) | {
        "aud": login.asked.client_id,
        "iss": f"{directory.url}/{directory.id}/v2.0",
        "ver": "2.0",
    }
    if login.asked.nonce is not None:
        claims["nonce"] = login.asked.nonce
    if "profile" in scopes:
        claims |= {"name": user["displayName"], "oid": user["id"]}
        claims["preferred_username"] = _address(user)
    if "email" in scopes and user["mail"]:
        claims["email"] = user["mail"]
    if login.acrs:
        claims["acrs"] = list(login.acrs)
    return _signed(directory, claims)


def client_info(directory: Directory, user: Mapping[str, Any]) -> str:
    """Return the ids of user and tenant, as msal wants them to tell accounts apart."""
    ids = json.dumps({"uid": user["id"], "utid": directory.id}).encode()
    return base64.urlsafe_b64encode(ids).decode().rstrip("=")


def _claims(directory: Directory, user: Mapping[str, Any], client_id: str) -> Json:
    now = int(directory.now().timestamp())
    # Pairwise: no two applications can tell by it that they have the same user.
    pair = hashlib.sha256(f"{directory.id} {client_id} {user['id']}".encode()).digest()
    return {
        "iat": now,
        "nbf": now,
        "exp": now + int(tokens.LIFE.total_seconds()),
        "sub": base64.urlsafe_b64encode(pair).decode().rstrip("="),
        "tid": directory.id,
        "uti": uuid.UUID(int=directory.random.getrandbits(128)).hex,
    }


def _address(user: Mapping[str, Any]) -> str:
    """Return the name by which a user signs in: guests with that of their own tenant."""
    is_guest = user["userType"] == "Guest"
    return str(user["mail"] if is_guest and user["mail"] else user["userPrincipalName"])


def _signed(directory: Directory, claims: Json) -> str:
    headers = {"kid": tokens.KEY_ID}
    token = jwt.encode(claims, tokens.signing_key(), algorithm="RS256", headers=headers)
    directory.logins.issued.append(token)
    return token
