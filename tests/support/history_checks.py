"""What a registration's history proves by itself: that it is whole, and who decided."""

from collections.abc import Callable, Sequence

from bot.storage.history import Entry, digest

Key = tuple[str, str]


def is_whole(id: str, entries: Sequence[Entry]) -> bool:
    """Whether each entry carries its own hash and that of the one before, from the first on."""
    previous = ""
    for seq, entry in enumerate(entries, start=1):
        if entry.seq != seq or entry.previous != previous:
            return False
        if digest({"registration": id, **vars(entry)}) != entry.hash:
            return False
        previous = entry.hash
    return True


def winners(entries: Sequence[Entry], is_enough: Callable[[set[Key]], bool]) -> list[Entry]:
    """Return the entries that decided, which should be one at most: as if nobody had counted yet.

    `is_enough` says whether the approvals of these people make the quorum. Raises AssertionError
    if somebody voted twice, withdrew what they had not given, or acted after the decision.
    """
    standing: set[Key] = set()
    found: list[Entry] = []
    for entry in entries:
        who = entry.team_id, entry.user_id
        match entry.what:
            case "approved":
                assert not found, f"{who} approved after it was {found[0].what}"
                assert who not in standing, f"{who} approved twice"
                standing.add(who)
                if is_enough(standing):
                    found.append(entry)
            case "withdrawn":
                assert not found, f"{who} withdrew after it was {found[0].what}"
                assert who in standing, f"{who} withdrew and had not approved"
                standing.remove(who)
            case "denied":
                assert who not in standing, f"{who} approved and denied"
                found.append(entry)
            case "cancelled" | "expired":
                found.append(entry)
    return found
