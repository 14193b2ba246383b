"""Commands about consent: the bot's own rights, and the policy that may limit what it grants."""

import json
from collections.abc import Iterator

import typer

from bot.cli.process import environment, in_sentences
from bot.domain.catalogue import permissions_of, read_catalogue
from bot.planning.consent_script import ConsentScript, az_lines, powershell
from bot.settings.settings import read_access
from graph.rights import ConsentMode, Right, table
from handlers.listeners.commands import RESERVED


def rights(mode: ConsentMode | None, *, as_json: bool) -> None:
    """Print the rows of the table of rights, of one mode or of each."""
    rows = {each: list(table(each)) for each in ([mode] if mode else ConsentMode)}
    if as_json:
        told = {each: [right.to_json() for right in of] for each, of in rows.items()}
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo("\n\n".join("\n".join(_listed(each, of)) for each, of in rows.items()))


def consent_policy() -> None:
    """Print the calls that make the policy and the role of CONSENT_MODE=limited, in both forms."""
    with in_sentences():
        catalogue = read_catalogue(reserved=RESERVED)
        access = read_access(environment(), signs_in=False)
    script = ConsentScript(
        permissions=permissions_of(catalogue),
        tenant_id=access.tenant_id,
        client_id=access.client_id,
        graph_url=access.graph_url,
        cloud=access.cloud.name,
    )
    typer.echo("\n".join(["# Microsoft Graph PowerShell", *powershell(script)]))
    typer.echo("\n".join(["", "# Or az rest, in a POSIX shell", *az_lines(script)]))


def _listed(mode: ConsentMode, rows: list[Right]) -> Iterator[str]:
    yield f"CONSENT_MODE={mode}: application permissions of Microsoft Graph"
    width = max(len(right.name) for right in rows)
    for right in rows:
        yield f"  {right.name:{width}}  to {right.needed_to}{_note(right)}"


def _note(right: Right) -> str:
    if right.is_only_for_scopes:
        return " (only for profiles with delegated permissions)"
    return " (optional)" if right.is_helpful else ""
