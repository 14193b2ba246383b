"""A stage whose bot signs in with one credential or another: the settings for each."""

from collections.abc import Callable

from bot.playground.stage import Stage
from tests.support.credentials import PASSWORD, certificate, issuer, pem, pfx, private, rsa_key

Environ = dict[str, str]
SUBJECT = "system:serviceaccount:bots:aad-setup"


def with_secret(stage: Stage) -> Environ:
    return {}


def with_pem(stage: Stage) -> Environ:
    stage.tenant.trust(stage.tenant.administrator, certificate(rsa_key()))
    file = private(stage.folder / "bot.pem", pem(rsa_key()))
    return {"ENTRA_CLIENT_SECRET": "", "ENTRA_CERTIFICATE": str(file)}


def with_pfx(stage: Stage) -> Environ:
    stage.tenant.trust(stage.tenant.administrator, certificate(rsa_key()))
    file = private(stage.folder / "bot.pfx", pfx(rsa_key(), password=PASSWORD))
    return {
        "ENTRA_CLIENT_SECRET": "",
        "ENTRA_CERTIFICATE": str(file),
        "ENTRA_CERTIFICATE_PASSWORD": PASSWORD,
    }


def with_federated_token(stage: Stage) -> Environ:
    cluster = issuer()
    stage.tenant.federate(stage.tenant.administrator, cluster, subject=SUBJECT)
    file = private(stage.folder / "token", cluster.token(subject=SUBJECT))
    return {"ENTRA_CLIENT_SECRET": "", "ENTRA_FEDERATED_TOKEN_FILE": str(file)}


CREDENTIALS: dict[str, Callable[[Stage], Environ]] = {
    "secret": with_secret,
    "PEM": with_pem,
    "PFX with a password": with_pfx,
    "federated token": with_federated_token,
}
