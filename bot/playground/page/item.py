"""What a window shows under one key: a mark that differs when the value does, and the value.

The value is made only when it is sent: most of what a window shows has not changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Items = dict[str, "Item"]


@dataclass(frozen=True)
class Item:
    mark: object
    make: Callable[[], Any]


def as_is(value: Any) -> Item:
    """Return an item for a small value, which is its own mark. The value must not change."""
    return Item(value, lambda: value)
