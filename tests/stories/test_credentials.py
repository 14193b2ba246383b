"""How the bot itself signs in, with each credential and in each cloud: it does all that it does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bot.doctor.findings import Mark
from bot.domain.catalogue import Catalogue, read_catalogue
from bot.planning.plans import preview
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from bot.playground.tenant.cloud_names import CLOUD_NAMES
from bot.settings.settings import read_access
from graph.clouds import CLOUDS, PUBLIC, Cloud
from graph.rights import ConsentMode, rights
from tests.support.bot_credentials import CREDENTIALS, SUBJECT, Environ, settings_of, signing_in
from tests.support.cli import typed
from tests.support.credentials import (
    PASSWORD,
    certificate,
    issuer,
    key_pem,
    pem,
    pfx,
    private,
    rsa_key,
)
from tests.support.doctor_cli import findings
from tests.support.factories import form
from tests.support.limited_consent import set_up
from tests.support.marks import slow
from tests.support.running_bot import Bot, why_not_started
from tests.support.signing_in import consent_world, signed_in
from tests.support.story import Story

OFTEN = CREDENTIALS[-1]
"""What plain pytest tries of the stories that are alike: it has least in common with a secret."""


def each(*modes: str) -> list[Any]:
    """Return every credential in these consent modes; all but one are left to the slow tier."""
    return [
        (credential, mode) if (credential, mode) == (OFTEN, modes[0]) else slow(credential, mode)
        for credential in CREDENTIALS
        for mode in modes
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("credential", "mode"), each("autonomous", "portal", "limited", "signed-in")
)
async def test_from_the_form_to_the_mask_with_each_credential(
    stage: Stage, bot: Bot, credential: str, mode: str
) -> None:
    async with signing_in(stage, credential) as environ:
        own = Credential(client_id=stage.environ(**environ)["ENTRA_CLIENT_ID"], client_secret="")
        held = rights(ConsentMode(mode))
        stage.tenant.deny(own, *stage.tenant.roles_of(own.client_id) - held)
        stage.tenant.allow(own, *held)
        if mode == "limited":
            await set_up(stage.tenant, own)
        world = consent_world(stage) if mode == "signed-in" else None
        sign_ins = world.mode if world else {}
        async with bot(**{**environ, **sign_ins, "CONSENT_MODE": mode}) as app:
            story = Story(stage)
            id = await story.ask("billing")
            await story.workspace.click("ada", "Approve", on=story.card_of(id))
            if mode == "portal":
                await consented(story, id)
            elif world:
                await story.until(lambda: "[Sign in and grant]" in story.card(id))
                assert (await signed_in(world, story, id)).status == 200
            await story.until(lambda: story.is_announced(id))
            assert "••••••••" not in await story.revealed(id)
            story.clock.move(timedelta(seconds=61))
            await story.until(lambda: "masked for good" in story.whispers("rosa"))
            token = await app.services.tenant.tokens.token()
    assert (token.app_id, token.roles) == (own.client_id, held)
    [application] = stage.tenant.applications_named("billing")
    assert application["createdByAppId"] == own.client_id
    assert len(stage.tenant.live_secrets(application["appId"])) == 1
    assert "client_secret" in proof_of(stage, application["appId"])


def proof_of(stage: Stage, app_id: str) -> Environ:
    """Return the form with which a new application has signed in; its secret is not in it."""
    [call] = [it for it in stage.tenant.calls("POST", "oauth2") if it.caller_app_id == app_id]
    assert isinstance(call.body, dict)
    assert "client_assertion" not in call.body
    return call.body


async def consented(story: Story, id: str) -> None:
    """Grant admin consent in the Entra admin centre, and let time pass until the bot has looked."""
    await story.until(lambda: "CallAnAPI" in str(story.card_of(id)))
    [application] = story.tenant.applications
    story.tenant.grant_admin_consent(application["appId"])

    def is_ready() -> bool:
        story.clock.move(timedelta(minutes=1))
        return f"{id} is ready" in story.card(id)

    await story.until(is_ready)


def renew_certificate(stage: Stage, environ: Environ) -> None:
    stage.tenant.trust(stage.tenant.administrator, certificate(rsa_key(1)))
    private(Path(environ["ENTRA_CERTIFICATE"]), pem(rsa_key(1)))


def renew_token(stage: Stage, environ: Environ) -> None:
    """The cluster has a new key, so its earlier tokens count no more."""
    cluster = issuer(number=2)
    cluster.known_to(stage.tenant, stage.tenant.administrator, subject=SUBJECT)
    private(Path(environ["ENTRA_FEDERATED_TOKEN_FILE"]), cluster.token(subject=SUBJECT))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("credential", "renew"), [("PEM", renew_certificate), ("federated token", renew_token)]
)
async def test_a_file_that_changes_is_used_at_the_next_sign_in(
    stage: Stage, bot: Bot, credential: str, renew: Callable[[Stage, Environ], None]
) -> None:
    async with signing_in(stage, credential) as environ, bot(**environ):
        story = Story(stage)
        renew(stage, environ)
        # Graph refuses the token in use once, so that the bot signs in again.
        stage.tenant.faults.fail(
            "GET", "applications", status=401, code="InvalidAuthenticationToken"
        )
        await story.ask("billing")
        signed_in = stage.tenant.calls("POST", "oauth2")
        assert [call.status for call in signed_in] == [200, 200]


@pytest.mark.slow
async def test_while_a_file_cannot_be_used_work_fails_with_that_sentence_and_can_be_retried(
    stage: Stage, bot: Bot
) -> None:
    environ = settings_of(stage, "PEM")
    file = Path(environ["ENTRA_CERTIFICATE"])
    async with bot(**environ):
        story = Story(stage)
        private(file, key_pem(rsa_key()))
        stage.tenant.faults.fail("GET", "applications", status=401, code="InvalidToken")
        await story.fill_and_send()
        await story.until(lambda: "ENTRA_CERTIFICATE holds no certificate" in story.direct("rosa"))
        private(file, pem(rsa_key()))
        await story.workspace.click("rosa", "Retry", on=story.workspace.messages("rosa")[-1])
        await story.until(lambda: story.workspace.messages("approvals"))
        assert "waits for approval" in story.card()


async def test_a_certificate_that_has_expired_ends_the_start(stage: Stage, bot: Bot) -> None:
    environ = settings_of(stage, "PEM")
    stage.clock.move(timedelta(days=366))
    expired = "The certificate in ENTRA_CERTIFICATE expired on 20"
    assert expired in await why_not_started(bot, **environ)


@pytest.mark.slow
async def test_a_certificate_that_entra_does_not_know_is_told_from_a_token_that_does_not_match(
    stage: Stage, bot: Bot
) -> None:
    certified, federated = settings_of(stage, "PEM"), settings_of(stage, "federated token")
    stage.tenant.trust(stage.tenant.administrator)
    private(Path(federated["ENTRA_FEDERATED_TOKEN_FILE"]), issuer().token(subject="another"))
    unknown = await why_not_started(bot, **certified)
    assert "Entra does not know the certificate" in unknown
    assert "subject" in await why_not_started(bot, **federated)


@pytest.mark.parametrize("cloud", [CLOUDS["usgov"]], ids=["usgov"])
async def test_the_doctor_names_a_token_for_another_audience(cloud: Cloud, stage: Stage) -> None:
    changes = settings_of(stage, "federated token")
    assert {it.mark for it in await findings(stage, "Entra:", **changes)} == {Mark.WELL}
    token = issuer().token(subject=SUBJECT, audience=PUBLIC.federated_audience)
    private(Path(changes["ENTRA_FEDERATED_TOKEN_FILE"]), token)
    found = await findings(stage, "Entra:", **changes)
    doubt, wrong = [it for it in found if it.mark is not Mark.WELL]
    assert cloud.federated_audience in doubt.sentence
    assert (doubt.mark, wrong.mark) == (Mark.DOUBT, Mark.WRONG)
    assert "audience (aud)" in wrong.sentence


@pytest.mark.parametrize("credential", [slow(it) if it != OFTEN else it for it in CREDENTIALS])
async def test_plan_and_doctor_sign_in_with_each_credential(stage: Stage, credential: str) -> None:
    asked = ("plan", "--profile", "directory-read", "--name", "reader")
    async with signing_in(stage, credential) as changes:
        environ = stage.environ(**changes)
        planned = await typed(*asked, environ=environ, folder=stage.folder)
        told = await typed("doctor", environ=environ, folder=stage.folder)
    assert planned.status == 0, planned.err
    assert told.status == 0, told.out
    assert "✔ Entra: the bot's own application signs in." in told.out
    assert PASSWORD not in planned.out + planned.err + told.out + told.err


def spoilt(folder: Path) -> dict[str, tuple[Environ, str]]:
    """Return settings with which nothing starts, and what they are refused with."""
    locked = private(folder / "locked.pfx", pfx(rsa_key(), password=PASSWORD))
    elliptic = private(folder / "elliptic.pem", pem(ec.generate_private_key(ec.SECP256R1())))
    keyless = private(folder / "keyless.pem", certificate(rsa_key()).public_bytes(Encoding.PEM))
    bare = private(folder / "bare.pem", key_pem(rsa_key()))
    none = {"ENTRA_CLIENT_SECRET": ""}
    password = "ENTRA_CERTIFICATE_PASSWORD"
    return {
        "none": (none, "ENTRA_CLIENT_SECRET is missing"),
        "two": ({"ENTRA_CERTIFICATE": str(bare)}, "ENTRA_CLIENT_SECRET and ENTRA_CERTIFICATE are"),
        "elliptic curve": (none | {"ENTRA_CERTIFICATE": str(elliptic)}, "not RSA"),
        "wrong password": (
            none | {"ENTRA_CERTIFICATE": str(locked), password: "hunter2"},
            f"{password} does not open",
        ),
        "no password": (none | {"ENTRA_CERTIFICATE": str(locked)}, f"set {password}"),
        "no key": (none | {"ENTRA_CERTIFICATE": str(keyless)}, "no private key"),
        "no certificate": (none | {"ENTRA_CERTIFICATE": str(bare)}, "no certificate"),
        "no token": (none | {"ENTRA_FEDERATED_TOKEN_FILE": str(bare)}, "one signed token"),
        "no identity": (none | {"ENTRA_MANAGED_IDENTITY": "mine"}, "must be system or"),
    }


@pytest.mark.slow
async def test_what_cannot_be_used_is_said_with_status_2_and_nothing_is_started(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("credentials")
    for changes, words in spoilt(folder).values():
        environ = stage.environ(**changes)
        ended = await typed("serve", environ=environ, folder=stage.folder)
        assert ended.status == 2
        [sentence] = ended.err.splitlines()
        assert words in sentence
        assert "hunter2" not in sentence
    assert not list(stage.folder.iterdir())
    assert not stage.tenant.log


USGOV = CLOUDS["usgov"]
REASON = "Mimecast cannot read GCC High tenants."


def refusing() -> Catalogue:
    """Return the shipped profiles, of which the first refuses a cloud."""
    catalogue = dict(read_catalogue())
    mimecast = replace(catalogue["mimecast"], refused_clouds={"usgov": REASON})
    return {**catalogue, "mimecast": mimecast}


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
async def test_from_the_form_to_the_masked_secret_in_each_cloud(
    cloud: Cloud, stage: Stage, bot: Bot
) -> None:
    """With a person's consent and a federated token: what most depends on the cloud."""
    async with bot(**settings_of(stage, "federated token"), CONSENT_MODE="portal") as app:
        story, workspace = Story(stage), stage.workspace
        id = await story.ask()
        await workspace.click("ada", "Approve", on=story.card_of(id))
        await story.until(lambda: "CallAnAPI" in str(story.card_of(id)))
        [application] = stage.tenant.applications
        page = cloud.permissions_page(stage.tenant.id, application["appId"])
        assert page in str(story.card_of(id))
        stage.tenant.grant_admin_consent(application["appId"])
        await story.until(lambda: _later(story) and f"{id} is ready" in story.card(id))
        await story.until(lambda: story.is_announced(id))
        assert "••••••••" not in await story.revealed(id)
        story.clock.move(timedelta(seconds=61))
        await story.until(lambda: "masked for good" in story.whispers("rosa"))
        token = await app.services.tenant.tokens.token()
    assert not stage.workspace.complaints
    claims = jwt.decode(token.access, options={"verify_signature": False})
    assert claims["aud"] == cloud.graph
    assert claims["iss"] == f"{CLOUD_NAMES[cloud.name].issuer}/{stage.tenant.id}/"
    forms = [call.body for call in stage.tenant.log if call.kind == "token"]
    scopes = {form["scope"] for form in forms if isinstance(form, dict)}
    assert scopes == {f"{cloud.graph}/.default"}


def _later(story: Story) -> bool:
    """Let a minute pass, after which the bot looks at the grants again."""
    story.clock.move(timedelta(minutes=1))
    return True


@pytest.mark.parametrize("cloud", [USGOV], ids=["usgov"])
async def test_a_federated_token_for_another_audience_is_refused(stage: Stage, bot: Bot) -> None:
    environ = settings_of(stage, "federated token")
    token = issuer().token(subject=SUBJECT, audience=PUBLIC.federated_audience)
    private(Path(environ["ENTRA_FEDERATED_TOKEN_FILE"]), token)
    assert "audience" in await why_not_started(bot, **environ)


@pytest.mark.slow
@pytest.mark.parametrize("cloud", [USGOV], ids=["usgov"])
async def test_a_profile_is_refused_in_a_cloud_with_the_vendors_reason(
    cloud: Cloud, stage: Stage, bot: Bot
) -> None:
    async with bot(catalogue=refusing()):
        story = Story(stage)
        await story.open_form()
        view = story.workspace.view_of("rosa") or {}
        assert "Profile: Directory reader" in story.workspace.text_of(view)
        choices = {
            it["value"]: it.get("description") for it in view["blocks"][1]["element"]["options"]
        }
        assert choices["directory-read"] is None
        assert "your tenant's cloud" in choices["mimecast"]["text"]

        await story.open_form(words="mimecast")
        assert REASON in story.workspace.text_of(story.workspace.view_of("rosa") or {})
        story.workspace.fill("rosa", {"Application name": "billing", "Reason": "To sync"})
        sent = await story.workspace.submit("rosa")
        assert REASON in sent.errors["Profile"]
        await story.ready(Profile="Directory reader (any vendor)")


@pytest.mark.parametrize("cloud", [USGOV, PUBLIC], ids=["usgov", "public"])
async def test_a_plan_in_a_terminal_is_refused_in_that_cloud_alone(
    cloud: Cloud, stage: Stage, clock: MovableClock
) -> None:
    settings = read_access(stage.environ())
    seen = await preview(form(), refusing()["mimecast"], settings=settings, clock=clock)
    assert (seen.plan is None) == (cloud is USGOV)
    assert any(REASON in each for each in seen.reasons) == (cloud is USGOV)
