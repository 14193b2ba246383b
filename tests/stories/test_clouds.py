"""Each national cloud: its own names in tokens and links, and profiles that refuse it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from bot.domain.catalogue import Catalogue, read_catalogue
from bot.planning.plans import preview
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.playground.tenant.cloud_names import CLOUD_NAMES
from bot.settings.settings import read_access
from graph.clouds import CLOUDS, PUBLIC, Cloud
from tests.support.bot_credentials import SUBJECT, settings_of
from tests.support.credentials import issuer, private
from tests.support.factories import form
from tests.support.running_bot import Bot, why_not_started
from tests.support.story import Story

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
