"""The connector values: in the vendor's order, with the secret masked unless it is given."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.catalogue import read_catalogue
from bot.domain.forms import MASK, Values, values_of
from bot.domain.runs import RunKind
from handlers.views.values import sheet
from tests.support.factories import CLIENT_ID, PLAN, registration, secret
from tests.support.secret_lives import SecretLife

CATALOGUE = read_catalogue()
CLEAR = "abc8Q~the-clear-secret"


def lines(profile: str = "mimecast", **changes: Any) -> dict[str, str]:
    return {line.label: line.text for line in values(profile, **changes).lines}


def values(profile: str = "mimecast", clear: str | None = None, **changes: Any) -> Values:
    found = registration(**{"secret": secret()} | changes)
    return values_of(found, CATALOGUE[profile], secret=clear)


def test_mimecast_gets_the_fields_of_its_form_in_its_order() -> None:
    assert list(lines().items()) == [
        ("Description", "billing"),
        ("Type", "Office 365 / Windows Azure Active Directory"),
        ("Application Id", CLIENT_ID),
        ("Key", f"abc{MASK}"),
        ("Tenant Domain", "northwind.example"),
        ("Acknowledge Disabled Accounts in Active Directory", "No"),
        ("Optional Email Domains Filter", "(leave empty)"),
    ]


def test_mimecast_options_are_told_as_they_were_chosen() -> None:
    chosen = {"acknowledge_disabled": True, "domains": ["example.com", "other.org"]}
    found = lines(options=chosen)
    assert found["Acknowledge Disabled Accounts in Active Directory"] == "Yes"
    assert found["Optional Email Domains Filter"] == "example.com, other.org"


def test_directory_reader_gets_ids_and_the_day_the_secret_expires() -> None:
    assert list(lines("directory-read").items()) == [
        ("Tenant ID", PLAN["tenant_id"]),
        ("Tenant domain", "northwind.example"),
        ("Application (client) ID", CLIENT_ID),
        ("Client secret", f"abc{MASK}"),
        ("Secret expires", "2027-03-01"),
    ]


def test_the_secret_stands_in_its_one_line_and_only_if_given() -> None:
    opened = values(clear=CLEAR)
    assert opened.is_open
    assert [line.label for line in opened.lines if CLEAR in line.text] == ["Key"]
    assert not values().is_open


@pytest.mark.parametrize("state", SecretLife)
def test_no_state_of_the_secret_puts_more_than_its_hint_into_the_mask(state: SecretLife) -> None:
    assert lines(secret=secret(state))["Key"] == f"abc{MASK}"


def test_braces_that_somebody_typed_are_text_and_not_fields() -> None:
    found = values_of(
        registration(options={"domains": ["{secret}"]}), CATALOGUE["mimecast"], secret=CLEAR
    )
    assert found.lines[-1].text == "{secret}"


def test_values_and_lines_never_print_the_secret() -> None:
    opened = values(clear=CLEAR)
    printed = f"{opened!r} {opened} {opened.lines!r} {[str(line) for line in opened.lines]}"
    assert CLEAR not in printed
    assert "Line('Key', …)" in printed


def test_after_a_rotation_the_key_is_replaced_in_the_connector_that_is_there() -> None:
    first, second = values(), values(secret=replace(secret(), made_by=RunKind.ADD_SECRET))
    assert "choose *New*" in str(sheet(first))
    assert "choose *New*" not in str(sheet(second))
    assert "Open the existing connector, replace the Key, save." in str(sheet(second))
