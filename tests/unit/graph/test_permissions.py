"""The catalogue is a hard allow-list."""

import json
from pathlib import Path

import pytest

from graph.permissions import (
    _ROWS,
    AZURE_AD_GRAPH,
    CATALOGUE,
    Kind,
    NotAllowed,
    NotRetiredPermission,
    explain_retired,
    lookup,
    retired_permission,
)

PUBLISHED = Path(__file__).parents[3] / "bot/playground/tenant/permissions.json"


def test_a_permission_has_an_id_and_a_meaning() -> None:
    found = lookup("User.Read.All", Kind.ROLE)
    assert found.id == "df021288-bdef-4463-88db-98f22de89214"
    assert found.meaning == "reads every user's full profile"


@pytest.mark.parametrize(
    "name",
    [
        *("Directory.ReadWrite.All", "RoleManagement.ReadWrite.Directory"),
        *("AppRoleAssignment.ReadWrite.All", "full_access_as_app", "Mail.Read", "user.read.all"),
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


DIRECTORY_READ_ALL = "5778995a-e1bf-45b8-affa-663a9f3f4d04"
USER_READ_ALL = "c582532d-9d9e-43bd-a97c-2667a28ce295"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Directory.Read.All", "Directory.Read.All (application)"),
        ("Directory.Read.All (delegated)", "Directory.Read.All (delegated)"),
        ("User.Read.All", "User.Read.All (delegated)"),
        (DIRECTORY_READ_ALL, "Directory.Read.All (application)"),
        (f"{DIRECTORY_READ_ALL} (delegated)", "Directory.Read.All (delegated)"),
        (f"{AZURE_AD_GRAPH}/{USER_READ_ALL}", "User.Read.All (delegated)"),
        ("Application.ReadWrite.OwnedBy", "Application.ReadWrite.OwnedBy (application)"),
    ],
)
def test_a_permission_is_known_by_name_or_id(written: str, read_as: str) -> None:
    assert str(retired_permission(written)) == read_as


@pytest.mark.parametrize(
    "written", ["", "Mail.Read", "User.Read.All (application)", "User.Read.All (both)"]
)
def test_what_is_no_permission_of_it_is_said_so(written: str) -> None:
    with pytest.raises(
        NotRetiredPermission, match="is no permission of Azure AD Graph that this bot knows"
    ):
        retired_permission(written)


def test_whatever_has_a_successor_has_one_that_the_bot_may_grant() -> None:
    for row in _ROWS:
        assert ((row.name, row.kind) in CATALOGUE) == row.has_successor


def test_the_guides_two_permissions_are_asked_of_microsoft_graph() -> None:
    wished = [retired_permission("Directory.Read.All"), retired_permission("User.Read.All")]
    told = explain_retired(wished, roles=["Directory.Read.All"], scopes=["User.Read.All"])
    assert told == (
        "Azure AD Graph was retired in August 2025: its permissions can do nothing any more, and"
        " this bot never asks for them. For Directory.Read.All (application) and User.Read.All"
        " (delegated), the plan asks Microsoft Graph instead."
    )


def test_what_the_profile_leaves_out_is_said_with_what_else_may_do() -> None:
    told = explain_retired(
        [retired_permission("Directory.Read.All")], roles=["User.Read.All"], scopes=[]
    )
    assert told is not None
    assert told.endswith(
        "For Directory.Read.All (application), Microsoft Graph has a permission of the same name;"
        " often GroupMember.Read.All and User.Read.All are enough. This plan does without."
    )


def test_what_changes_the_directory_has_nothing_instead() -> None:
    told = explain_retired([retired_permission("Directory.ReadWrite.All")], roles=[], scopes=[])
    assert told is not None
    assert "there is nothing instead: that changes the directory" in told


def test_nothing_retired_needs_no_words() -> None:
    assert explain_retired([], roles=["User.Read.All"], scopes=[]) is None


@pytest.mark.parametrize(
    "name", [USER_READ_ALL, f"{AZURE_AD_GRAPH}/User.Read.All", f"{AZURE_AD_GRAPH}/{USER_READ_ALL}"]
)
def test_asked_for_as_if_it_lived_it_is_refused_with_the_modern_way(name: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        lookup(name, Kind.SCOPE)
    assert "Azure AD Graph was retired in August 2025" in str(refused.value)
    assert "Microsoft Graph has a permission of the same name" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AppRoleAssignment.ReadWrite.All", "any permission, and so make itself Global Admin"),
        ("RoleManagement.ReadWrite.Directory", "the role of Global Administrator"),
        ("Application.ReadWrite.All", "a credential of any application"),
        ("Mail.Read", "It reaches what people write and keep."),
        ("full_access_as_app", "It reaches what people write and keep."),
        ("Directory.ReadWrite.All", "It changes things."),
        ("AuditLog.Read.All", "grant. It only grants permissions to read a directory, whoever"),
    ],
)
def test_a_dangerous_wish_is_refused_with_its_danger(name: str, words: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        lookup(name, Kind.ROLE)
    assert words in str(refused.value)
    assert "retired" not in str(refused.value)
