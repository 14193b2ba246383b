"""A call of Microsoft Graph."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request. `path` is relative to `/v1.0`; `query` is not yet encoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    @property
    def url(self) -> str:
        """The path with its query, as OData wants it: `$` bare, spaces as %20."""
        if not self.query:
            return self.path
        pairs = (f"{name}={quote(value, safe='')}" for name, value in self.query.items())
        return f"{self.path}?{'&'.join(pairs)}"

    @property
    def label(self) -> str:
        """The method and the path without the ids in it, for logs and errors."""
        path = _QUOTED.sub("'…'", _GUID.sub("…", self.path))
        return f"{self.method} {path}"


_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_QUOTED = re.compile(r"'[^']*'")
