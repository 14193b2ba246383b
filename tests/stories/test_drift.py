"""Somebody changes the tenant by hand, and the bot says what is no longer as it was approved."""

from datetime import timedelta

import pytest

from bot.domain.lifetimes import CHECK_PAUSE
from bot.playground.tenant import AUTONOMOUS
from tests.support.doctor_cli import call
from tests.support.drift_story import SETTLED, Hand, by_hand, report, settled
from tests.support.secret_story import live, make_a_new_one
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow


async def reported(story: Story, id: str, *, to: str = "rosa") -> str:
    await story.until(lambda: report(story, id, to))
    return report(story, id, to)


async def checked(story: Story, id: str, *, by: str = "rosa") -> str:
    """Ask for a check, and return the first report of one."""
    await story.check(id, by=by)
    return await reported(story, id, to=by)


async def test_nothing_differs_and_one_call_says_so(story: Story) -> None:
    id = await settled(story)
    before = len(story.tenant.calls())
    told = await checked(story, id)
    assert told.startswith(f"{id} matches what was approved")
    assert "could not read" not in told
    await story.until(lambda: "it matches what was approved" in story.card())
    calls = story.tenant.calls()[before:]
    assert len([each for each in calls if each.path.endswith("/$batch")]) == 1
    assert {each.method for each in calls} <= {"GET", "POST"}
    assert not [each for each in calls if "Password" in each.path]

    # A second check is refused while the first is under way.
    before = len(story.workspace.messages("rosa"))
    story.clock.move(CHECK_PAUSE)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.check(id)
    await held.reached.wait()
    said = await story.workspace.command("ada", f"check {id.lower()}")
    assert said.text == f"{id} is being worked on. Try again in a moment."
    held.release()
    await story.until(lambda: len(story.workspace.messages("rosa")) > before)
    assert report(story, id).startswith(f"{id} matches what was approved")


@pytest.mark.quick
async def test_every_change_by_hand_is_told_to_whoever_asked(story: Story) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        await hand.change(displayName="payroll", web={"redirectUris": ["https://evil.example/cb"]})
        await hand.graph.grant(hand.principal, "Mail.Read")
        stranger = story.tenant.add_administrator(["User.Read.All"])
        await own(hand, story, stranger.client_id)
        added = await hand.graph.secret(hand.application, displayName="for *me*")
        [ours] = [
            each
            for each in story.tenant.live_secrets(hand.application["appId"])
            if each["keyId"] != added["keyId"]
        ]
        path = f"/applications/{hand.application['id']}/removePassword"
        await hand.graph.post(path, {"keyId": ours["keyId"]})
        await hand.disable()
    told = await checked(story, id, by="ada")
    assert told.startswith(f"{id} no longer matches what was approved: 7 differences")
    assert "The application was renamed to “payroll”." in told
    assert "A redirect URL was added: https://evil.example/cb" in told
    assert f"The secret is gone (key id {ours['keyId']})" in told
    assert f"A secret was added by hand “for ∗me∗”, key id {added['keyId']}, works until" in told
    assert "Sign-in is disabled for the service principal." in told
    assert "Granted and not in the plan: Mail.Read (application)." in told
    assert "An owner was added to the application: aad-setup." in told
    assert added["secretText"] not in told
    await story.until(lambda: "Mail.Read" in story.card(id))
    assert not report(story, id, "rosa")


def alarms(story: Story, id: str) -> list[str]:
    """Return what the approval channel was told of changes that may be an attack."""
    return story.texts("approvals", f"{id} was changed in Entra")


async def test_what_may_be_an_attack_goes_to_the_approvers_even_with_the_requester_gone(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        implicit = {"enableIdTokenIssuance": True}
        web = {"redirectUris": ["https://evil.example/cb"], "implicitGrantSettings": implicit}
        await hand.change(web=web, isFallbackPublicClient=True)
        added = await hand.graph.secret(hand.application, displayName="planted")
        await hand.disable()
    story.workspace.deactivate("rosa")
    story.clock.move(timedelta(days=8))  # the bot looks by itself
    await story.eventually(lambda: len(alarms(story, id)) == 1)
    [told] = alarms(story, id)
    assert "A redirect URL was added: https://evil.example/cb" in told
    assert f"A secret was added by hand “planted”, key id {added['keyId']}" in told
    assert "Public client flows were allowed" in told
    assert "ID tokens are issued to browsers" in told
    assert "Sign-in is disabled" not in told
    assert "[Revoke]" in told
    lines = capsys.readouterr().out.splitlines()
    [line] = [each for each in lines if "changed in Entra" in each]
    assert "warning" in line
    assert id in line

    await story.check(id, by="ada")  # the same once more: no second alarm
    assert "no longer matches" in await reported(story, id, to="ada")
    assert len(alarms(story, id)) == 1
    async with by_hand(story) as hand:
        await hand.change(displayName="payroll")
    story.clock.move(CHECK_PAUSE)
    await story.check(id, by="ada")
    await story.until(lambda: len(alarms(story, id)) == 2)
    assert "The application was renamed to “payroll”." in alarms(story, id)[1]
    story.clock.move(timedelta(days=8))
    await story.eventually(lambda: len(alarms(story, id)) == 3)


async def test_lost_grants_are_told_and_what_the_portal_adds_is_only_named(story: Story) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        path = f"/servicePrincipals/{hand.principal['id']}/appRoleAssignments"
        for each in (await hand.graph.get(path)).json()["value"][:1]:
            await hand.delete(f"{path}/{each['id']}")
        [grant] = story.tenant.grants
        scope = {"scope": "openid profile offline_access"}
        await hand.graph.patch(f"/oauth2PermissionGrants/{grant['id']}", scope)
    told = await checked(story, id)
    assert "no longer matches what was approved: 2 differences" in told
    assert "No longer granted: User.Read.All (delegated)." in told
    assert ".Read.All (application)." in told
    assert "no action needed: offline_access, openid, profile (delegated)." in told


async def test_what_was_deleted_is_told_and_until_when_it_can_come_back(story: Story) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        await hand.delete(f"/servicePrincipals/{hand.principal['id']}")
        told = await checked(story, id)
        assert "The service principal was deleted on " in told
        assert "The application was deleted" not in told
        await hand.delete(f"/applications/{hand.application['id']}")
        story.clock.move(CHECK_PAUSE)
        await story.check(id)
        await story.until(lambda: "The application was deleted on " in report(story, id))
        assert "no longer matches what was approved: 1 difference" in report(story, id)
        assert "it can be restored until then" in report(story, id)
        await hand.delete(f"/directory/deletedItems/{hand.application['id']}")
    story.clock.move(CHECK_PAUSE)
    await story.check(id)
    await story.until(lambda: "gone from the tenant for good" in report(story, id))


async def test_ways_in_without_a_secret_and_a_new_service_principal_are_told(story: Story) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        path = f"/applications/{hand.application['id']}/federatedIdentityCredentials"
        body = {
            "name": "build",
            "issuer": "https://token.actions.example",
            "subject": "repo:mallory/*x*:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"],
        }
        assert (await hand.graph.post(path, body)).status_code == 201
        await hand.change(tags=[], notes="mine")
        await hand.delete(f"/servicePrincipals/{hand.principal['id']}")
        made = await hand.graph.principal(hand.application["appId"])
    told = await checked(story, id)
    assert "A federated credential was added by hand (“build”)" in told
    assert "“repo:mallory/∗x∗∶ref:refs/heads/main” sign in as this application" in told
    assert "A tag was removed, by which the bot knows its own: aad-setup" in told
    assert "The notes were changed" in told
    assert f"made again by hand (object id {made['id']})" in told
    assert "The service principal was deleted on" not in told


async def test_once_a_week_the_requester_hears_only_of_what_differs(story: Story) -> None:
    id = await settled(story)
    story.clock.move(timedelta(days=7, hours=1))
    await story.eventually(lambda: "it matches what was approved" in story.card())
    assert not report(story, id)
    async with by_hand(story) as hand:
        await hand.change(signInAudience="AzureADMultipleOrgs")
    story.clock.move(timedelta(days=7))
    await story.eventually(lambda: report(story, id), step=timedelta(hours=1))
    assert "now accepts other accounts than this directory's" in report(story, id)
    await story.until(lambda: "AzureADMultipleOrgs" in story.card())
    said = await story.command("ben", f"status {id}")
    assert "it no longer matches what was approved: 1 difference" in said
    assert "AzureADMultipleOrgs" not in said


@pytest.mark.parametrize("lag", [60.0, 600.0])
async def test_our_write_on_its_way_to_a_replica_is_no_difference(story: Story, lag: float) -> None:
    story.tenant.faults.lag = lag
    id = await story.ready()
    secret = "passwordCredentials"
    async with by_hand(story) as hand:
        seen = await hand.graph.get(f"/applications/{hand.application['id']}?$select={secret}")
        assert seen.status_code == 404 or not seen.json()[secret]
        await story.check(id)
        await story.eventually(lambda: report(story, id))
    assert report(story, id).startswith(f"{id} matches what was approved")


async def test_a_change_right_after_the_bot_s_own_is_told_when_all_is_settled(story: Story) -> None:
    id = await story.ready()
    async with by_hand(story) as hand:
        await hand.change(displayName="payroll")
    await story.check(id)
    assert "in a quarter of an hour if the bot has just changed something" in story.whispers("rosa")
    await story.eventually(lambda: report(story, id))
    assert "renamed to “payroll”" in report(story, id)


async def test_what_the_bot_may_not_read_it_names(story: Story) -> None:
    id = await settled(story)
    lost = ("Application.Read.All", "DelegatedPermissionGrant.ReadWrite.All")
    story.tenant.deny(story.tenant.administrator, *lost)
    story.clock.move(timedelta(hours=2))
    told = await checked(story, id)
    assert told.startswith(f"{id} matches what was approved, as far as the bot could read it")
    assert "The application permissions: Entra refused (insufficient privileges)." in told
    assert "The delegated permissions: Entra refused (insufficient privileges)." in told
    assert "Who owns it: " in told
    story.tenant.allow(story.tenant.administrator, *AUTONOMOUS)
    before = len(story.workspace.messages("rosa"))
    story.clock.move(CHECK_PAUSE)
    await story.check(id)
    await story.until(lambda: len(story.workspace.messages("rosa")) > before)
    assert "could not read" not in report(story, id)

    story.tenant.faults.refuse("GET", ".*")
    story.clock.move(CHECK_PAUSE)
    await story.check(id)
    refused = f"{id} could not be compared with the tenant"
    await story.until(lambda: report(story, id).startswith(refused))
    assert "to check its rights in Entra" in report(story, id)


async def test_a_tenant_that_cannot_be_reached_is_looked_at_again_tomorrow(story: Story) -> None:
    id = await settled(story)
    async with by_hand(story) as hand:
        await hand.disable()
    story.tenant.faults.unreachable = True
    told = await checked(story, id)
    assert told.startswith(f"{id} could not be compared with the tenant")
    assert "The bot checks again tomorrow." in told
    await story.until(lambda: "it could not be compared" in story.card())
    assert f"{id} is ready" in story.card()
    story.tenant.faults.unreachable = False
    story.clock.move(timedelta(days=1, minutes=1))
    await story.eventually(lambda: "Sign-in is disabled" in report(story, id))
    assert "no longer matches" in report(story, id)
    assert not alarms(story, id)  # a loss is none


async def test_a_new_secret_is_known_and_the_old_one_is_not_missed(story: Story) -> None:
    id = await story.ready()
    [application] = story.tenant.applications_named("billing")
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: not story.tenant.live_secrets(application["appId"]))
    await make_a_new_one(story, id)
    await story.until(lambda: "was replaced by a newer one" in story.direct("rosa"))
    await story.until(lambda: story.tenant.live_secrets(application["appId"]))
    story.clock.move(SETTLED)
    await story.check(id)
    await story.eventually(lambda: report(story, id))
    assert report(story, id).startswith(f"{id} matches what was approved")


async def test_only_what_is_ready_is_checked_and_only_for_those_concerned(story: Story) -> None:
    id = await story.ask()
    for person, about, sentence in (
        ("rosa", id, f"{id} waits for approval. Its card will change by itself."),
        ("ada", "AAD-ZZZZ", "There is no registration AAD-ZZZZ."),
        ("ben", id, "Only the requester or an approver can have this checked."),
        ("rosa", "", "Which one? For example: /aad-setup check AAD-7K3F."),
        ("rosa", f"{id} {id}", "Which one? For example: /aad-setup check AAD-7K3F."),
    ):
        assert sentence in await story.command(person, f"check {about}")


async def own(hand: Hand, story: Story, app_id: str) -> None:
    """Make another application's service principal an owner of this one."""
    found = await hand.graph.get(f"/servicePrincipals(appId='{app_id}')")
    reference = f"{story.tenant.graph_url}/v1.0/directoryObjects/{found.json()['id']}"
    path = f"/applications/{hand.application['id']}/owners/$ref"
    added = await hand.graph.post(path, {"@odata.id": reference})
    assert added.status_code == 204, added.text


async def test_a_secret_that_waits_for_removal_is_no_leftover_and_no_orphan(story: Story) -> None:
    id = await settled(story)
    story.tenant.faults.refuse("POST", "/removePassword")
    story.clock.move(timedelta(days=7))  # nobody came for it
    waits = "so it is being deleted from Entra"
    await story.eventually(lambda: waits in story.direct("rosa"))
    found = await checked(story, id)
    assert "is closed and waits for its removal" in found
    assert "leftover" not in found
    assert len(live(story)) == 1
    assert (await call(story.stage, "--orphans")).wrong == []
