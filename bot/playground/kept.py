"""A folder that keeps what the demo's bot has stored.

It is to be looked at, not to be gone on with: the simulators are new at each start, so that a later
bot would miss its messages and applications. So a folder that holds a database is refused.
"""

import stat
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from bot.problems import Unusable

ADVICE = """The bot's database, log and settings are kept in {folder}: look at them with sqlite3, or
check the signed history there with `aad-setup audit verify`. Another demo can't go on with them."""
PRIVATE = stat.S_IRUSR | stat.S_IWUSR


def prepared(folder: Path) -> Path:
    """Return the folder, made if need be. Raises Unusable if it cannot be used."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise Unusable(f"--keep: {folder} cannot be used: {error.strerror}.") from error
    if not is_empty:
        raise Unusable(
            f"--keep: {folder} is not empty. Name an empty or new folder: what an earlier demo kept"
            " there is only to be looked at, because its workspace and tenant are gone."
        )
    return folder.absolute()


def write_settings(folder: Path, environ: Mapping[str, str]) -> None:
    """Write the bot's settings to `.env`, which commands in that folder read."""
    certificate = folder / "ca.pem"  # the tenant's own is gone when it stops
    _write(certificate, Path(environ["CA_BUNDLE"]).read_text("ascii"))
    settings = {**environ, "CA_BUNDLE": str(certificate)}
    _write(folder / ".env", "".join(f"{name}={quote(it)}\n" for name, it in settings.items()))


def _write(path: Path, text: str) -> None:
    path.touch(mode=PRIVATE, exist_ok=False)
    path.write_text(text, encoding="utf-8")
