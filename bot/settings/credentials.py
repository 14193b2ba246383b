"""Read how the bot signs in to Entra: exactly one of four settings says so."""

import re
from pathlib import Path

from bot.settings.env_reader import GUID, Reader
from graph.credentials import (
    Certificate,
    Credential,
    CredentialUnusable,
    FederatedToken,
    ManagedIdentity,
)

SECRET, CERTIFICATE = "ENTRA_CLIENT_SECRET", "ENTRA_CERTIFICATE"
FEDERATED, MANAGED = "ENTRA_FEDERATED_TOKEN_FILE", "ENTRA_MANAGED_IDENTITY"
PASSWORD = "ENTRA_CERTIFICATE_PASSWORD"


def read_credential(reader: Reader, client_id: str, *, is_needed: bool = True) -> Credential:
    """Return what the bot signs in with, read once to see that it can be used.

    Where none is needed and none is set, it is an empty secret.
    """
    names = (SECRET, CERTIFICATE, FEDERATED, MANAGED)
    chosen = {name: value for name in names if (value := reader.text(name))}
    password = reader.text(PASSWORD)
    if password and CERTIFICATE not in chosen:
        reader.problem(
            f"{PASSWORD} is set, but {CERTIFICATE} is not. Set {CERTIFICATE} or remove it."
        )
    if len(chosen) > 1:
        reader.problem(f"{' and '.join(chosen)} are set: keep one of them.")
        return ""
    match chosen:
        case {"ENTRA_CERTIFICATE": path}:
            return _tried(reader, Certificate(path=Path(path), password=password or None))
        case {"ENTRA_FEDERATED_TOKEN_FILE": path}:
            return _tried(reader, FederatedToken(path=Path(path)))
        case {"ENTRA_MANAGED_IDENTITY": identity}:
            return _managed_identity(reader, identity.lower(), client_id)
        case {"ENTRA_CLIENT_SECRET": secret}:
            return secret
    if is_needed:
        reader.problem(
            f"{SECRET} is missing: set it to the bot's own client secret, or set {CERTIFICATE},"
            f" {FEDERATED} or {MANAGED} instead."
        )
    return ""


def _tried(reader: Reader, credential: Certificate | FederatedToken) -> Credential:
    try:
        credential.read()
    except CredentialUnusable as error:
        reader.problem(error.sentence)
    return credential


def _managed_identity(reader: Reader, identity: str, client_id: str) -> ManagedIdentity:
    if identity == "system":
        return ManagedIdentity(client_id=None)
    if not re.fullmatch(GUID, identity):
        reader.problem(f"{MANAGED} must be system or the client id of a managed identity.")
    elif client_id and identity != client_id:
        reader.problem(
            f"{MANAGED} is not the id in ENTRA_CLIENT_ID: both must be the identity's client id."
        )
    return ManagedIdentity(client_id=identity)
