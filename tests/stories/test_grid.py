"""Enterprise Grid: members of the workspace whose home is another one of the organization."""

import pytest

from bot.playground.stage import Stage
from tests.support.doctor_cli import call
from tests.support.marks import slow
from tests.support.running_bot import Bot, why_not_started
from tests.support.story import Story


@pytest.mark.slow
@pytest.mark.parametrize("says_team", [True, False])
async def test_a_member_in_teams_asks_and_approves(stage: Stage, bot: Bot, says_team: bool) -> None:
    workspace = stage.workspace
    wanda = workspace.add_from_grid("wanda", "Wanda Ruiz", says_team=says_team)
    walt = workspace.add_from_grid("walt", "Walt Ek", says_team=says_team)
    workspace.channels["approvals"].members.add(walt.id)
    async with bot(REQUESTERS=wanda.id, APPROVERS=walt.id):
        story = Story(stage)
        id = await story.ask(by="wanda")
        await workspace.click("walt", "Approve", on=story.card_of(id))
        await story.until(lambda: f"{id}: your connector values" in story.direct("wanda"))
        assert id in (await workspace.command("wanda", f"status {id}")).text
        asked = await workspace.mention("wanda", f"status {id}")
        await story.until(lambda: workspace.replies(asked))
    assert not workspace.complaints


@pytest.mark.parametrize("says_team", [slow(True), False])
async def test_others_of_the_grid_stay_refused(stage: Stage, bot: Bot, says_team: bool) -> None:
    workspace = stage.workspace
    olaf = workspace.add_from_grid("olaf", "Olaf Berg", is_member=False, says_team=says_team)
    guest = workspace.add_from_grid("gwen", "Gwen Li", is_restricted=True)
    async with bot(REQUESTERS="*", APPROVERS=f"{olaf.id},{guest.id},{workspace.people['ada'].id}"):
        story = Story(stage)
        assert "Guest accounts" in (await workspace.command("gwen", "")).text
        id = await story.ask()
        for name in ("olaf", "gwen"):
            workspace.channels["approvals"].members.add(workspace.people[name].id)
            await workspace.click(name, "Approve", on=story.card_of(id))
        assert "another Slack team" in story.whispers("olaf")
        assert "Guest accounts" in story.whispers("gwen")
        assert not stage.tenant.applications


async def test_an_organization_wide_installation_is_not_supported(stage: Stage, bot: Bot) -> None:
    stage.workspace.join_grid()
    stage.workspace.installation.is_org_wide = True
    said = await why_not_started(bot)
    assert "the whole organization, which is not supported" in said
    told = await call(stage)
    assert any("an installation for the whole organization" in each for each in told.wrong)
