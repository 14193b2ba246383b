"""The simulated vendor in stories: what a person carries from Slack to its console."""

from typing import Any

from bot.playground import vendor as vendors
from bot.playground.vendor import Vendor

EMPTY = "(leave empty)"


def copied(blocks: list[dict[str, Any]]) -> dict[str, str]:
    """Return the values of a sheet by their labels, as a person copies them."""
    found = {}
    for block in blocks:
        if block["type"] == "rich_text":
            label, value = (each["elements"][0]["text"] for each in block["elements"])
            found[label] = "" if value == EMPTY else value
    return found


def values(**changes: str) -> dict[str, str]:
    """Return a form that can be saved."""
    return {
        vendors.DESCRIPTION: "Directory sync",
        vendors.TYPE: vendors.OFFICE_365,
        vendors.APPLICATION_ID: "11111111-2222-3333-4444-555555555555",
        vendors.KEY: "a-key",
        vendors.TENANT_DOMAIN: "northwind.example",
        vendors.ACKNOWLEDGE: vendors.NO,
        vendors.FILTER: "",
        **{getattr(vendors, name): value for name, value in changes.items()},
    }


async def synced(vendor: Vendor, **changes: str) -> dict[str, Any]:
    """Save the form, sync, and return the result."""
    vendor.save(values(**changes))
    await vendor.sync()
    result: dict[str, Any] = vendor.to_json()["result"]
    return result
