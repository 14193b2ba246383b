"""azure-identity signs in at the simulated tenant with each credential that needs no secret."""

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from bot.playground.stage import Stage
from tests.judges.presence import need_package, sign_in_options
from tests.support.bot_credentials import SUBJECT, in_the_environment
from tests.support.credentials import PASSWORD, certificate, issuer, pem, pfx, private, rsa_key

pytestmark = pytest.mark.slow


@pytest.fixture
def identity() -> Any:
    need_package("azure.identity")
    import azure.identity  # here, because it may not be installed

    return azure.identity


def options(stage: Stage) -> dict[str, Any]:
    return sign_in_options(stage.tenant.url, str(stage.tenant.ca_file))


def certified(stage: Stage, identity: Any, content: bytes, **more: Any) -> Any:
    """Return the credential of the bot that signs in with this certificate and its key."""
    who, said = stage.tenant.administrator.client_id, {**options(stage), **more}
    return identity.CertificateCredential(stage.tenant.id, who, certificate_data=content, **said)


async def claims(stage: Stage, credential: Any) -> dict[str, Any]:
    """Return what the token says that the credential gets for Graph."""
    asked = f"{stage.tenant.cloud.graph}/.default"
    with credential:
        token = await asyncio.to_thread(credential.get_token, asked)
    read: dict[str, Any] = jwt.decode(token.token, options={"verify_signature": False})
    return read


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_a_certificate(stage: Stage, identity: Any, password: str | None) -> None:
    administrator = stage.tenant.administrator
    content = pfx(rsa_key(), password=password) if password else pem(rsa_key())
    stage.tenant.trust(administrator, certificate(rsa_key()))
    credential = certified(stage, identity, content, password=password)
    assert (await claims(stage, credential))["appid"] == administrator.client_id


async def test_a_certificate_on_its_own_protocol(stage: Stage, identity: Any) -> None:
    from azure.identity import aio

    administrator = stage.tenant.administrator
    stage.tenant.trust(administrator, certificate(rsa_key()))
    async with certified(stage, aio, pem(rsa_key())) as credential:
        token = await credential.get_token(f"{stage.tenant.cloud.graph}/.default")
    read = jwt.decode(token.token, options={"verify_signature": False})
    assert read["appid"] == administrator.client_id


async def test_a_federated_token(stage: Stage, identity: Any, tmp_path: Path) -> None:
    administrator = stage.tenant.administrator
    issuer().known_to(stage.tenant, administrator, subject=SUBJECT)
    credential = identity.WorkloadIdentityCredential(
        tenant_id=stage.tenant.id,
        client_id=administrator.client_id,
        token_file_path=str(private(tmp_path / "token", issuer().token(subject=SUBJECT))),
        **options(stage),
    )
    assert (await claims(stage, credential))["appid"] == administrator.client_id


@pytest.mark.parametrize("is_system", [True, False])
@pytest.mark.parametrize("where", ["virtual_machine", "app_service"])
async def test_a_managed_identity(stage: Stage, identity: Any, where: str, is_system: bool) -> None:
    own, other = stage.tenant.add_managed_identity(), stage.tenant.add_managed_identity()
    system, assigned = (own, [other]) if is_system else (other, [own])
    async with stage.tenant.machine(system=system, assigned=assigned) as machine:
        with in_the_environment(getattr(machine, where)):
            named = {} if is_system else {"client_id": own.client_id}
            credential = identity.ManagedIdentityCredential(use_env_settings=False, **named)
            assert (await claims(stage, credential))["appid"] == own.client_id


async def test_a_refusal_is_understood(stage: Stage, identity: Any) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        await claims(stage, certified(stage, identity, pem(rsa_key())))
    async with stage.tenant.machine() as machine:
        with in_the_environment(machine.virtual_machine):
            credential = identity.ManagedIdentityCredential(use_env_settings=False)
            with pytest.raises(ClientAuthenticationError, match="Identity not found"):
                await claims(stage, credential)
