"""Commands about consent: the rights that the bot's own application needs."""

import json
from collections.abc import Iterator

import typer

from graph.rights import ConsentMode, Right, table


def rights(mode: ConsentMode | None, *, as_json: bool) -> None:
    """Print the rows of the table of rights, of one mode or of each."""
    rows = {each: list(table(each)) for each in ([mode] if mode else ConsentMode)}
    if as_json:
        told = {each: [right.to_json() for right in of] for each, of in rows.items()}
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo("\n\n".join("\n".join(_listed(each, of)) for each, of in rows.items()))


def _listed(mode: ConsentMode, rows: list[Right]) -> Iterator[str]:
    yield f"CONSENT_MODE={mode}: application permissions of Microsoft Graph"
    width = max(len(right.name) for right in rows)
    for right in rows:
        yield f"  {right.name:{width}}  to {right.needed_to}{_note(right)}"


def _note(right: Right) -> str:
    if right.is_only_for_scopes:
        return " (only for profiles with delegated permissions)"
    return " (optional)" if right.is_helpful else ""
