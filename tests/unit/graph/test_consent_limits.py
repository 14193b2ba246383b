"""Which directory roles of the bot are not the one that the limited mode needs."""

from dataclasses import replace

from graph.consent_policy import ACTION, APPLICATION_UPDATE, ROLE_NAME, HeldRole, role_differences

OURS = HeldRole(name=ROLE_NAME, actions=frozenset({ACTION}), is_enabled=True, scope="/")


def test_the_role_must_be_enabled_for_the_whole_tenant_and_the_only_one() -> None:
    assert role_differences([OURS]) == []
    assert role_differences([replace(OURS, actions=OURS.actions | {APPLICATION_UPDATE})]) == []
    [disabled] = role_differences([replace(OURS, is_enabled=False)])
    assert "disabled" in disabled
    for scope in ("/administrativeUnits/5", "", None):
        [elsewhere] = role_differences([replace(OURS, scope=scope)])
        assert "not for the whole tenant" in elsewhere
    [other] = role_differences([OURS, replace(OURS, name="Helpdesk", actions=frozenset({"x"}))])
    assert "“Helpdesk”" in other
    [none] = role_differences([])
    assert ACTION in none
