"""Azure AD Graph is recognised by its names and ids, explained, and never asked for."""

import pytest

from graph.azure_ad_graph import _ROWS, NotRetiredPermission, explain_retired, retired_permission
from graph.permission_kinds import AZURE_AD_GRAPH
from graph.permissions import CATALOGUE, Kind, NotAllowed, lookup

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
