"""The main road: ask, approve, steps, values, reveal, mask, status."""

from datetime import timedelta

from tests.support.story import Story


async def test_from_the_form_to_the_masked_secret(story: Story) -> None:
    id = await story.ask("billing")
    assert "Directory.Read.All (application): reads the whole directory" in story.card()
    assert "Secret valid until: about 20" in story.card()

    await story.approve(id)
    application = story.tenant.applications_named("billing")[0]
    assert story.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}
    assert story.tenant.scopes_of(application["appId"]) == {"User.Read.All"}

    masked = await story.values(id)
    assert application["appId"] in masked
    assert "••••••••" in masked
    shown = await story.reveal()
    assert "••••••••" not in shown

    story.clock.move(timedelta(seconds=61))
    await story.until(lambda: "••••••••" in story.whispers("rosa"))
    assert "masked for good" in story.whispers("rosa")
    assert not story.workspace.complaints


async def test_the_final_card_says_who_approved_and_that_it_was_tried(story: Story) -> None:
    id = await story.ready()
    await story.until(lambda: f"{id} is ready" in story.card())
    assert "Approved by @ada" in story.card()
    assert "Sign-in tested. The app can read 50 users and 5 groups." in story.card()
    assert "8 of 8 steps done" in story.card()
    assert "[Approve]" not in story.card()


async def test_anybody_may_ask_in_a_channel_how_it_stands(story: Story) -> None:
    id = await story.ready()
    asked = await story.workspace.mention("ben", f"status {id.lower()}", channel="general")
    await story.until(lambda: story.workspace.replies(asked))
    answer = story.workspace.text_of(story.workspace.replies(asked)[0])
    assert answer.startswith(f"{id} is ready · asked for by Rosa Marin")
    assert "billing" not in answer


async def test_the_whole_road_takes_nine_calls_when_caches_are_warm(story: Story) -> None:
    await story.ready("first")
    before = len(story.tenant.log)
    await story.ready("second")
    calls = [call for call in story.tenant.log[before:] if call.kind in ("graph", "token")]
    made = [f"{call.method} {call.path.rsplit('/')[-1].split('(')[0]}" for call in calls]
    made[3:6] = sorted(made[3:6])  # the grants are made together
    assert made == [
        "GET applications",  # the preflight: is there one of the same name?
        "PATCH applications",
        "PATCH servicePrincipals",
        "POST appRoleAssignedTo",
        "POST appRoleAssignedTo",
        "POST oauth2PermissionGrants",
        "POST addPassword",
        "POST token",
        "POST $batch",
    ]
