"""The main road: ask, approve, steps, values, reveal, mask, status."""

from datetime import timedelta

from tests.support.story import Scene


async def test_from_the_form_to_the_masked_secret(scene: Scene) -> None:
    id = await scene.ask("billing")
    assert "Directory.Read.All (application): reads the whole directory" in scene.card()
    assert "until about" in scene.card()

    await scene.approve(id)
    application = scene.tenant.applications_named("billing")[0]
    assert scene.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}
    assert scene.tenant.scopes_of(application["appId"]) == {"User.Read.All"}

    masked = await scene.values(id)
    assert application["appId"] in masked
    assert "••••••••" in masked
    shown = await scene.reveal()
    assert "••••••••" not in shown

    scene.clock.move(timedelta(seconds=61))
    await scene.until(lambda: "••••••••" in scene.whispers("rosa"))
    assert "masked for good" in scene.whispers("rosa")
    assert not scene.workspace.complaints


async def test_the_final_card_says_who_approved_and_that_it_was_tried(scene: Scene) -> None:
    id = await scene.ready()
    await scene.until(lambda: f"{id} is ready" in scene.card())
    assert "Approved by @ada" in scene.card()
    assert "it signs in. It reads 50 users and 5 groups." in scene.card()
    assert "8 of 8 steps done" in scene.card()
    assert "[Approve]" not in scene.card()


async def test_anybody_may_ask_in_a_channel_how_it_stands(scene: Scene) -> None:
    id = await scene.ready()
    asked = await scene.workspace.mention("ben", f"status {id.lower()}", channel="general")
    await scene.until(lambda: scene.workspace.replies(asked))
    answer = scene.workspace.text_of(scene.workspace.replies(asked)[0])
    assert answer.startswith(f"{id} is ready · asked for by Rosa Marin")
    assert "billing" not in answer


async def test_the_whole_road_takes_nine_calls_when_caches_are_warm(scene: Scene) -> None:
    await scene.ready("first")
    before = len(scene.tenant.log)
    await scene.ready("second")
    calls = [call for call in scene.tenant.log[before:] if call.kind in ("graph", "token")]
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
