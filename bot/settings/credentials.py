"""Read how the bot signs in to Entra: exactly one of three settings says so."""

from pathlib import Path
from typing import TypeVar

from bot.settings.env_reader import Reader
from graph.credentials import (
    Certificate,
    Credential,
    CredentialUnusable,
    FederatedToken,
)

SECRET, CERTIFICATE = "ENTRA_CLIENT_SECRET", "ENTRA_CERTIFICATE"
FEDERATED = "ENTRA_FEDERATED_TOKEN_FILE"
PASSWORD = "ENTRA_CERTIFICATE_PASSWORD"

File = TypeVar("File", Certificate, FederatedToken)


def read_credential(reader: Reader) -> Credential:
    """Return what the bot signs in with, read once to see that it can be used."""
    names = (SECRET, CERTIFICATE, FEDERATED)
    chosen = {name: value for name in names if (value := reader.text(name))}
    password = reader.text(PASSWORD)
    if password and CERTIFICATE not in chosen:
        reader.problem(f"{PASSWORD} is set, but {CERTIFICATE} is not.")
    if len(chosen) > 1:
        reader.problem(f"{' and '.join(chosen)} are set: keep one of them.")
        return ""
    match chosen:
        case {"ENTRA_CERTIFICATE": path}:
            return _tried(reader, Certificate(path=Path(path), password=password or None))
        case {"ENTRA_FEDERATED_TOKEN_FILE": path}:
            return _tried(reader, FederatedToken(path=Path(path)))
        case {"ENTRA_CLIENT_SECRET": secret}:
            return secret
    reader.problem(
        f"{SECRET} is missing: set it to the bot's own client secret, or set {CERTIFICATE} or"
        f" {FEDERATED} instead."
    )
    return ""


def _tried(reader: Reader, credential: File) -> File:
    try:
        credential.read()
    except CredentialUnusable as error:
        reader.problem(error.sentence)
    return credential
