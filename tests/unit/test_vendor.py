"""The form of the simulated vendor's connector."""

from pathlib import Path

import pytest

from bot.domain.catalogue import read_catalogue
from bot.playground import vendor as vendors
from bot.playground.directory_sync import Entra
from bot.playground.vendor import CannotSave, CannotSync, Vendor
from graph.clock import SystemClock
from tests.support.vendor_story import values

KEY = "abc8Q~not-to-be-shown"


@pytest.fixture
def vendor() -> Vendor:
    entra = Entra(
        login_url="https://127.0.0.1:1",
        graph_url="https://127.0.0.1:1",
        scope="https://127.0.0.1:1/.default",
        ca_file=Path("/nowhere"),
    )
    return Vendor(entra, SystemClock())


def test_the_fields_are_those_of_the_values_in_their_order(vendor: Vendor) -> None:
    labels = [value.label for value in read_catalogue()["mimecast"].values]
    assert [field["name"] for field in vendor.to_json()["fields"]] == labels


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("DESCRIPTION", "", "Description is missing."),
        ("DESCRIPTION", "x" * 501, "Description is longer"),
        ("TYPE", "LDAP", "Type must be"),
        ("APPLICATION_ID", "northwind", "Application Id must look like"),
        ("KEY", "", "Key is missing."),
        ("KEY", "two words", "Key must have no spaces"),
        ("TENANT_DOMAIN", "northwind", "Tenant Domain must be a domain"),
        ("TENANT_DOMAIN", "a/../b.example", "Tenant Domain must be a domain"),
        ("TENANT_DOMAIN", "<script>alert(1)</script>", "Tenant Domain must be a domain"),
        ("ACKNOWLEDGE", "perhaps", "must be Yes or No"),
        ("FILTER", "one.example, two", "must be domains"),
    ],
)
def test_a_form_that_cannot_be_saved_changes_nothing(
    vendor: Vendor, field: str, value: str, problem: str
) -> None:
    with pytest.raises(CannotSave) as refused:
        vendor.save(values(**{field: value}))
    [(name, sentence)] = refused.value.problems.items()
    assert name == getattr(vendors, field)
    assert problem in sentence
    assert vendor.to_json()["saved"] is False


def test_all_problems_are_told_at_once(vendor: Vendor) -> None:
    with pytest.raises(CannotSave) as refused:
        vendor.save({"Colour": "red"})
    assert len(refused.value.problems) == 7


def test_the_key_is_shown_masked_and_kept_when_left_empty(vendor: Vendor) -> None:
    vendor.save(values(KEY=f" {KEY}\n"))
    vendor.save(values(KEY="", DESCRIPTION="Renamed"))
    shown = {field["name"]: field["value"] for field in vendor.to_json()["fields"]}
    assert (shown["Description"], shown["Key"]) == ("Renamed", "abc••••••••")
    assert KEY not in f"{vendor.to_json()}{vendor!r}{vendor._connector()!r}"


async def test_nothing_is_synced_before_it_is_saved(vendor: Vendor) -> None:
    with pytest.raises(CannotSync, match="save it first"):
        await vendor.sync()
