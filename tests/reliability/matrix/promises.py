"""What holds however a registration ends: looked at in the tenant, on the screens, in storage."""

from datetime import timedelta
from typing import Any

from bot.domain.registration import Status
from bot.playground.tenant.calls import Call
from tests.reliability.matrix.cases import Case
from tests.reliability.matrix.record import registration, sealed_keys
from tests.reliability.matrix.scenario import cards
from tests.support.story import Story

SCOPES = {"User.Read.All"}
ROLES = {"Directory.Read.All", "User.Read.All"}


def nobody_was_impatient(story: Story, case: Case) -> None:
    """No call comes again before the Retry-After of its last answer is over."""
    for strike in case.strikes:
        if (asked := strike.trouble.asked) is None:
            continue
        calls = strike.spot.of(story.tenant.log)
        refused = [call for call in calls if call.status in (429, 503)]
        assert refused, "the fault has met nobody"
        for call in refused:
            assert len(_hasty(call, calls, asked)) <= strike.spot.siblings


def there_is_one_application(story: Story) -> None:
    """None is there twice, and none was made and thrown away."""
    tenant = story.tenant
    assert len(tenant.applications) <= 1
    assert len(tenant.service_principals) <= 1
    assert not tenant.deleted


def a_failure_is_told(story: Story) -> None:
    """The step, a sentence, advice, and the request id where Entra gave one."""
    failure = registration(story.stage)["failure"]
    told = story.direct("rosa")
    assert failure["sentence"].endswith(".")
    assert failure["advice"].endswith(".")
    assert not failure["bug"]
    for part in ("step", "sentence", "advice", "request_id"):
        assert failure[part] in told, part
    assert _is_known(story, failure["request_id"])
    assert "your connector values" not in told


def all_is_complete(story: Story) -> None:
    """One of each, with exactly what was approved, and one secret: the sealed one."""
    [application] = story.tenant.applications_named("billing")
    [principal] = story.tenant.service_principals
    app_id = application["appId"]
    held = [it for it in story.tenant.assignments if it["principalId"] == principal["id"]]
    assert (principal["appId"], len(held)) == (app_id, len(ROLES))
    assert story.tenant.roles_of(app_id) == ROLES
    assert story.tenant.scopes_of(app_id) == SCOPES
    assert len(story.tenant.grants) == 1
    assert live_keys(story) == sealed_keys(story.stage)
    assert len(live_keys(story)) == 1


def no_secret_is_left(story: Story) -> None:
    assert not live_keys(story)
    assert not sealed_keys(story.stage)


def screens_and_storage_agree(story: Story, ended: Status) -> None:
    assert registration(story.stage)["status"] == ended
    assert "bug" not in story.direct("rosa") + cards(story)
    assert not story.workspace.complaints


def live_keys(story: Story) -> set[str]:
    """Return the key ids of every secret that works in Entra."""
    made = [app["appId"] for app in story.tenant.applications]
    return {secret["keyId"] for app in made for secret in story.tenant.live_secrets(app)}


def _hasty(refused: Call, calls: list[Call], asked: int) -> list[Call]:
    """Return the calls that came before this one's Retry-After was over."""
    end = refused.at + timedelta(seconds=asked)
    return [call for call in calls if refused.at < call.at < end]


def _is_known(story: Story, request_id: str) -> bool:
    """Whether Entra gave that id in an answer. At sign-in it is the trace id of its body."""
    calls: list[Any] = story.tenant.log
    return request_id.endswith("cafe") or request_id in {call.request_id for call in calls}
