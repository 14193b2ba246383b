"""The command line: serve, demo, tenant, workspace, plan, rights, doctor, audit, restore and more.

Each command imports its implementation when it is called, so that help does not wait for it.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.domain.catalogue import profile_ids
from graph.rights import ConsentMode


def switch(name: str, help: str) -> Any:
    """Return an option that takes no value; typer would show <bool> as its metavar."""
    return typer.Option(name, metavar="", help=help)


def valued(metavar: str, help: str) -> Any:
    return typer.Option(metavar=metavar, help=help)


Port = Annotated[int, valued("N", "Where it listens; 0 takes a free port.")]
AsLine = Annotated[bool, switch("--json", "Print one line of JSON when it is there.")]
AsJson = Annotated[bool, switch("--json", "Print JSON.")]
Open = Annotated[bool, switch("--open", "Open the page in a browser.")]
ORPHANS = "List what carries the bot's mark in the tenant and belongs to no registration."
LIVE = "Prove by a probe application, which it removes, that CONSENT_MODE=limited is limited."
DONE = "A copy was restored by other means, such as pg_restore: announce it."

main = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Registers Entra applications from Slack: asked for, approved, proven, handed over once.",
)
keys = typer.Typer(help="Keys that seal the vault.")
main.add_typer(keys, name="keys")
audit = typer.Typer(help="Check the signed history.")
main.add_typer(audit, name="audit")


@main.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    version: Annotated[bool, switch("--version", "Print the version.")] = False,
) -> None:
    """Serve, unless another command is named."""
    if version:
        from importlib import metadata

        typer.echo(f"aad-setup {metadata.version('aad-setup')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Run the bot with the settings of the environment and of `.env`."""
    with _uncollected():
        from bot.cli import serving

    serving.serve()


@main.command()
def cards(open_browser: Open = False) -> None:
    """Show every card, message and modal in every state, in the demo's page."""
    from bot.cli import simulators

    simulators.page(open_browser=open_browser, keep=None, plain=False, view="#gallery")


@main.command()
def demo(
    open_browser: Open = False,
    keep: Annotated[
        Path | None, valued("DIR", "Keep the bot's database and log in this folder.")
    ] = None,
    story: Annotated[
        bool, switch("--story", "No page: play one registration as text, and end.")
    ] = False,
    plain: Annotated[bool, switch("--plain", "With --story: no colours, 100 columns.")] = False,
) -> None:
    """Show the bot between simulators as a page in a browser: no account, no network.

    The page is for this machine alone, and is there until Ctrl-C.
    """
    from bot.cli import simulators

    if story:
        simulators.story(plain=plain, open_browser=open_browser, keep=keep)
    else:
        simulators.page(open_browser=open_browser, keep=keep, plain=plain)


@main.command()
def tenant(
    port: Port = 9443,
    ca_file: Annotated[
        Path | None, valued("FILE", "Where to write the certificate that callers trust.")
    ] = None,
    users: Annotated[int, valued("N", "How many users it has.")] = 2000,
    groups: Annotated[int, valued("N", "How many groups it has.")] = 150,
    seed: Annotated[int, valued("N", "The same seed makes the same ids and names.")] = 7,
    cloud: Annotated[str, valued("NAME", "The cloud it is in: public, usgov, …")] = "public",
    real_host_names: Annotated[
        bool, switch("--real-host-names", "Answer as its cloud's own hosts, too, behind a proxy.")
    ] = False,
    as_json: AsLine = False,
) -> None:
    """Run the simulated Entra tenant alone, for other programs to talk to, until it is stopped."""
    from bot.cli import simulators

    size = {"users": users, "groups": groups, "seed": seed}
    where = {"port": port, "cloud": cloud, "real_host_names": real_host_names}
    simulators.tenant(as_json=as_json, ca_file=ca_file, **where, **size)


@main.command()
def workspace(port: Port = 9080, as_json: AsLine = False) -> None:
    """Run the simulated Slack workspace alone, for other programs to talk to, until stopped."""
    from bot.cli import simulators

    simulators.workspace(as_json=as_json, port=port)


@main.command()
def doctor(
    orphans: Annotated[bool, switch("--orphans", ORPHANS)] = False,
    live: Annotated[bool, switch("--live", LIVE)] = False,
) -> None:
    """Check everything that the bot needs, and advise. Without --live it changes nothing.

    Exits 0 if nothing must be fixed, 1 if something must, 2 if arguments cannot be used.
    """
    from bot.cli import maintenance

    maintenance.doctor(orphans=orphans, live=live)


@main.command()
def plan(
    profile: Annotated[
        str, typer.Option(help=f"One of {', '.join(profile_ids())}. Required.")
    ] = "",
    name: Annotated[str, typer.Option(help="The application's name. Required.")] = "",
    reason: Annotated[str, typer.Option(help="What it is for.")] = "",
    secret_days: Annotated[str, valued("N", "How many days the secret works.")] = "",
    redirect: Annotated[str, valued("URL", "The redirect URL that the vendor gave.")] = "",
    option: Annotated[
        list[str] | None, valued("ID=VALUE", "An option of the profile; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the plan that an approver would see. Reads the tenant, changes and stores nothing.

    Ends with 0, or with 3 if the plan is refused, 2 if arguments or settings cannot be used,
    1 if the tenant does not answer.
    """
    from bot.cli import planning

    planning.plan(
        as_json=as_json,
        profile=profile,
        name=name,
        reason=reason,
        secret_days=secret_days,
        redirect=redirect,
        options=option or (),
    )


@main.command()
def rights(
    mode: Annotated[
        ConsentMode | None, valued("MODE", f"Only of one consent mode: {', '.join(ConsentMode)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the rights that the bot's own application needs in Entra, and what needs each."""
    from bot.cli import consent

    consent.rights(mode, as_json=as_json)


@main.command("consent-policy")
def consent_policy() -> None:
    """Print the calls that set up CONSENT_MODE=limited. It calls nothing.

    It needs ENTRA_TENANT_ID, ENTRA_CLIENT_ID and ENTRA_CLOUD, and no credential.

    They make an app consent policy with the permissions of the profiles, and a directory role for
    the bot that is bound to it: for Microsoft Graph PowerShell, and for az rest. After profiles
    have changed, the calls at the end replace what the policy includes.
    """
    from bot.cli import consent

    consent.consent_policy()


@main.command()
def restore(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A copy of the SQLite database.")
    ] = None,
    done: Annotated[bool, switch("--done", DONE)] = False,
) -> None:
    """Put an older copy of the database in place while the bot is stopped.

    The next start compares it with the tenant before anything acts on it. The database that the
    copy replaces is kept beside it.
    """
    from bot.cli import maintenance

    maintenance.restore(file, done=done)


@main.command()
def manifest(
    http: Annotated[str, valued("URL", "The bot's public https address: HTTP mode.")] = "",
) -> None:
    """Print the Slack app manifest: api.slack.com/apps, Create New App, From a manifest.

    It is for Socket Mode; with --http for HTTP mode.
    """
    from bot.cli.process import in_sentences
    from bot.manifest import manifest as slack_manifest
    from bot.manifest import request_url

    with in_sentences():
        url = request_url(http) if http else None
        typer.echo(json.dumps(slack_manifest(url), indent=2))


@keys.command("new")
def new_key() -> None:
    """Print a new key for VAULT_KEYS. To change keys, put it and a comma before the old ones."""
    from cryptography.fernet import Fernet

    typer.echo(Fernet.generate_key().decode())


@audit.command("verify")
def verify_history(
    id: Annotated[str, typer.Argument(help="One registration; without it, all.")] = "",
) -> None:
    """Check that nothing but the bot has changed history, approvals, or what is sealed.

    It may run beside the bot. Ends with 0 if all is as it was signed, with 1 if something is not.
    """
    from bot.cli import maintenance

    maintenance.verify_history(id)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Import many modules without looking for garbage among them, now or ever: that takes a fifth
    of the time, and later it would keep the loop waiting.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
