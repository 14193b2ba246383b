"""Signing in: the bot itself, and what it is told when it may not."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from bot.playground.tenant import Credential
from graph.errors import SignInFailed
from graph.signin import Certificate, FederatedToken, SignIn
from graph.signin_errors import SecretNotThereYet, TenantUnknown
from tests.support.graph_bot import Bot, bot_of


def certificate(passphrase: bytes) -> bytes:
    """Make a key with its certificate, in a PFX."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aad-setup")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, SHA256())
    )
    lock = BestAvailableEncryption(passphrase)
    return serialize_key_and_certificates(b"aad-setup", key, signed, None, lock)


async def test_discovery_and_the_bots_token_are_fetched_once_for_many(bot: Bot) -> None:
    plans = await asyncio.gather(*(bot.plan() for _ in range(20)))
    assert len({plan.digest for plan in plans}) == 1
    assert len([call for call in bot.tenant.log if call.kind == "discovery"]) == 1
    assert len([call for call in bot.tenant.log if call.kind == "token"]) == 1


async def test_a_wrong_tenant_and_a_wrong_secret_are_told_apart(bot: Bot) -> None:
    with pytest.raises(SecretNotThereYet):
        await bot.sign_in.token(bot.client_id, "wrong")
    elsewhere = SignIn(
        authority=f"{bot.tenant.url}/00000000-0000-4000-8000-000000000000",
        graph_host=bot.tenant.graph_url,
        ca_bundle=bot.tenant.ca_file,
    )
    with pytest.raises(TenantUnknown):
        await elsewhere.token(bot.client_id, "any")
    elsewhere.close()


async def test_the_bots_own_failing_sign_in_is_told_as_its_own(bot: Bot) -> None:
    wrong = Credential(client_id=bot.client_id, client_secret="wrong")
    async with bot_of(bot.tenant, bot.clock, wrong) as stranger:
        with pytest.raises(SecretNotThereYet) as caught:
            await stranger.plan()
    assert caught.value.sentence.startswith("The bot itself could not sign in.")


async def test_certificates_and_federated_tokens_sign_in_without_a_secret(
    bot: Bot, tmp_path: Path
) -> None:
    assertion, pfx = tmp_path / "token", tmp_path / "bot.pfx"
    assertion.write_text("another issuer's token\n")
    pfx.write_bytes(certificate(b"word"))
    for credential in (FederatedToken(path=assertion), Certificate(path=pfx, passphrase="word")):
        with pytest.raises(SignInFailed, match="AADSTS7000218"):  # this tenant only knows secrets
            await bot.sign_in.token(bot.client_id, credential)
        assert "word" not in repr(credential)
