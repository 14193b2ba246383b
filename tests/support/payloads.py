"""What the bot has sent to be shown, kept so that a browser can draw it: one of each shape."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.playground.workspace import Workspace
from bot.playground.workspace.record import Kind

SHOWN = {Kind.MESSAGE: "message", Kind.EPHEMERAL: "message", Kind.VIEW: "view"}
SETTING = "PAYLOADS"
"""The environment variable that names the folder. Without one, nothing is kept."""


def keep_payloads(workspace: Workspace) -> None:
    """Write what was shown here to the folder, if there is one."""
    named = os.environ.get(SETTING)
    if named:
        folder = Path(named)
        folder.mkdir(parents=True, exist_ok=True)
        for shape, payload in payloads(workspace):
            path = folder / f"{shape}.json"
            if not path.exists():
                # Of workers that write it at once, each writes the same shape; none is read half.
                draft = folder / f"{shape}.{os.getpid()}"
                draft.write_text(json.dumps(payload), "utf-8")
                draft.replace(path)


def payloads(workspace: Workspace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a digest of the shape, and the payload, of each version of all that was shown."""
    for entry in workspace.log:
        if entry.kind in SHOWN and "blocks" in entry.sent:
            blocks = list(entry.sent["blocks"])
            payload = {"surface": entry.sent.get("type", SHOWN[entry.kind]), "blocks": blocks}
            yield _shape(payload), payload


def _shape(payload: dict[str, Any]) -> str:
    """Return a digest that words and numbers in texts do not change, but their markup does."""
    bare = json.dumps(_bare(payload), sort_keys=True)
    return hashlib.sha256(bare.encode()).hexdigest()[:16]


def _bare(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: it if key in ("type", "surface", "style", "action_id") else _bare(it)
                for key, it in value.items()
            }
        case list():
            return [_bare(each) for each in value]
        case str():
            return re.sub(r"\w+", "w", value)
        case _:
            return value
