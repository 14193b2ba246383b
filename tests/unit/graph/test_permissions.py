"""The catalogue is a hard allow-list, and the table of the bot's own rights has no holes."""

import json
from pathlib import Path

import pytest

from graph.permissions import CATALOGUE, Kind, NotAllowed, lookup
from graph.rights import BOT_RIGHTS, ConsentMode, excess, missing, rights

PUBLISHED = Path(__file__).parents[3] / "bot/playground/tenant/permissions.json"


def test_a_permission_has_an_id_and_a_meaning() -> None:
    found = lookup("User.Read.All", Kind.ROLE)
    assert found.id == "df021288-bdef-4463-88db-98f22de89214"
    assert found.meaning == "reads every user's full profile"


@pytest.mark.parametrize(
    "name",
    [
        "Directory.ReadWrite.All",
        "RoleManagement.ReadWrite.Directory",
        "AppRoleAssignment.ReadWrite.All",
        "full_access_as_app",
        "Mail.Read",
        "user.read.all",
        "",
    ],
)
def test_everything_else_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(NotAllowed, match="is not one this bot may grant"):
        lookup(name, Kind.ROLE)


def test_the_same_name_is_another_permission_when_delegated() -> None:
    role, scope = lookup("User.Read.All", Kind.ROLE), lookup("User.Read.All", Kind.SCOPE)
    assert role.id != scope.id
    with pytest.raises(NotAllowed, match="delegated"):
        lookup("Domain.Read.All", Kind.SCOPE)


def test_the_catalogue_only_reads() -> None:
    for name, _ in CATALOGUE:
        assert "Write" not in name
        assert "Read" in name


def test_the_ids_of_the_catalogue_are_those_that_are_published() -> None:
    published = PUBLISHED.read_text()
    for permission in CATALOGUE.values():
        assert json.dumps(permission.id) in published


def test_without_scopes_no_right_to_grant_scopes_is_needed() -> None:
    held = rights(ConsentMode.AUTONOMOUS) - {"DelegatedPermissionGrant.ReadWrite.All"}
    assert not missing(ConsentMode.AUTONOMOUS, held, scopes=())
    assert missing(ConsentMode.AUTONOMOUS, held, scopes=("User.Read",)) == {
        "DelegatedPermissionGrant.ReadWrite.All"
    }


def test_a_stronger_right_is_enough_but_is_too_much() -> None:
    held = rights(ConsentMode.PORTAL) - {"Application.ReadWrite.OwnedBy"}
    held |= {"Application.ReadWrite.All"}
    assert not missing(ConsentMode.PORTAL, held, scopes=())
    assert excess(ConsentMode.PORTAL, held) == {"Application.ReadWrite.All"}


def test_only_the_autonomous_mode_may_grant() -> None:
    for mode in (ConsentMode.PORTAL, ConsentMode.SIGNED_IN):
        assert "grant" not in BOT_RIGHTS[mode]
        assert "AppRoleAssignment.ReadWrite.All" in excess(mode, rights(ConsentMode.AUTONOMOUS))
