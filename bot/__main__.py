"""The command line: serve, demo, tenant, workspace, plan, doctor, audit, restore, manifest, keys.

Whatever cannot be used is said all at once, in sentences, with exit status 2 and nothing started.
"""

import asyncio
import json
import os
import platform
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from cryptography.fernet import Fernet
from dotenv import dotenv_values
from rich.console import Console

from bot import app, logs, slots
from bot import restore as copies
from bot.arguments import Unusable, form_of
from bot.catalogue import CatalogueError, profile_ids, read_catalogue
from bot.config import EntraSettings, Settings, SettingsError
from bot.doctor import examine
from bot.doctor.audit import verify
from bot.doctor.findings import Finding, Mark
from bot.doctor.orphans import find_orphans
from bot.exposure import exposures
from bot.manifest import NoAddress, request_url
from bot.manifest import manifest as slack_manifest
from bot.playground import alone
from bot.playground import demo as story
from bot.preview import preview
from bot.start import CannotStart
from bot.storage.database import AlreadyRunning, UnusableDatabase
from bot.vault import Vault
from graph.clock import SystemClock
from graph.errors import GraphError

UNWELL = 1
FAILED, UNUSABLE, REFUSED = 1, 2, 3
SENTENCES = (AlreadyRunning, UnusableDatabase, slots.NoSlot, CatalogueError, copies.CannotRestore)
"""Errors that each have one sentence for whoever runs the program."""
INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C has ended."""

STOPS = (signal.SIGTERM, signal.SIGINT)
STOP_SECONDS = 1.5
"""How long a stop of the bot waits for what is under way: all of it must be over in two seconds."""
AT_LAST_SECONDS = 1.8
"""After how long a stop ends the process even if the loop is blocked and does not come to it."""

log = structlog.get_logger()

SWITCH = ""  # the metavar of an option that takes no value: typer shows <bool> otherwise

Port = Annotated[int, typer.Option(metavar="N", help="Where it listens; 0 takes a free port.")]
AsLine = Annotated[
    bool, typer.Option("--json", metavar=SWITCH, help="Print one line of JSON when it is there.")
]

main = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Registers Entra applications from Slack: asked for, approved, proven, handed over once.",
)
keys = typer.Typer(help="Keys that seal the vault.")
main.add_typer(keys, name="keys")
audit = typer.Typer(help="What the history proves.")
main.add_typer(audit, name="audit")


@main.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", metavar=SWITCH, help="Print the version.")
    ] = False,
) -> None:
    """Serve, unless another command is named."""
    if version:
        typer.echo(f"aad-setup {metadata.version('aad-setup')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        serve()


@main.command()
def serve() -> None:
    """Run the bot with the settings of the environment and of `.env`."""
    with _in_sentences():
        settings = Settings.read({**_dotenv(), **os.environ})
        logs.set_up(settings.log_level, settings.log_format)
        _keep_to_itself()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # in every thread: one waits for them
        asyncio.run(_serve_until_stopped(settings))


@main.command()
def demo(
    plain: Annotated[
        bool, typer.Option("--plain", metavar=SWITCH, help="No colours, 100 columns.")
    ] = False,
) -> None:
    """Play the whole story between simulators: no account, no network, a few seconds."""
    logs.set_up("ERROR")
    console = (
        Console(no_color=True, width=100, highlight=False) if plain else Console(highlight=False)
    )
    with _in_sentences():
        is_over = asyncio.run(_play(console))
    if not is_over:
        raise typer.Exit(INTERRUPTED)


@main.command()
def tenant(
    port: Port = 9443,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write the certificate that callers trust."),
    ] = None,
    users: Annotated[int, typer.Option(metavar="N", help="How many users it has.")] = 2000,
    groups: Annotated[int, typer.Option(metavar="N", help="How many groups it has.")] = 150,
    seed: Annotated[
        int, typer.Option(metavar="N", help="The same seed makes the same ids and names.")
    ] = 7,
    as_json: AsLine = False,
) -> None:
    """Run the simulated Entra tenant alone, for other programs to talk to, until it is stopped."""
    _stand(
        alone.tenant(port=port, ca_file=ca_file, users=users, groups=groups, seed=seed),
        as_json=as_json,
    )


@main.command()
def workspace(port: Port = 9080, as_json: AsLine = False) -> None:
    """Run the simulated Slack workspace alone, for other programs to talk to, until stopped."""
    _stand(alone.workspace(port=port), as_json=as_json)


@main.command()
def doctor(
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans",
            metavar=SWITCH,
            help="List what carries the bot's mark in the tenant and belongs to no registration.",
        ),
    ] = False,
) -> None:
    """Look at everything the bot needs, and say what to do. It changes nothing.

    Ends with 0 if nothing has to be mended, with 1 if something has.
    """
    logs.set_up("ERROR")
    look = find_orphans if orphans else examine
    if not asyncio.run(_is_well(look({**_dotenv(), **os.environ}, SystemClock()))):
        raise typer.Exit(UNWELL)


@main.command()
def plan(
    profile: Annotated[
        str, typer.Option(help=f"One of {', '.join(profile_ids())}. Required.")
    ] = "",
    name: Annotated[str, typer.Option(help="The application's name. Required.")] = "",
    reason: Annotated[str, typer.Option(help="What it is for.")] = "",
    secret_days: Annotated[
        str, typer.Option(metavar="N", help="How many days the secret works.")
    ] = "",
    redirect: Annotated[
        str, typer.Option(metavar="URL", help="The redirect URL that the vendor gave.")
    ] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=VALUE", help="An option of the profile; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar=SWITCH, help="Print JSON.")] = False,
) -> None:
    """Print the plan that an approver would see. Reads the tenant, changes and stores nothing.

    Ends with 0, or with 3 if the plan is refused, 2 if arguments or settings cannot be used,
    1 if the tenant does not answer.
    """
    problems: list[str] = []
    try:
        form, chosen = form_of(
            read_catalogue(),
            profile=profile,
            name=name,
            reason=reason,
            secret_days=secret_days,
            redirect=redirect,
            options=option or (),
        )
    except Unusable as error:
        problems += error.problems
    except CatalogueError as error:
        problems += str(error).splitlines()
    try:
        settings = EntraSettings.read({**_dotenv(), **os.environ})
    except SettingsError as error:
        problems += error.problems
    if problems:
        _refuse(problems)
    logs.set_up("WARNING")
    try:
        seen = asyncio.run(preview(form, chosen, settings=settings, clock=SystemClock()))
    except GraphError as error:
        _refuse(_told(error), status=FAILED)
    typer.echo(json.dumps(seen.to_json(), indent=2) if as_json else seen.to_text())
    if seen.plan is None:
        raise typer.Exit(REFUSED)


@main.command()
def restore(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A copy of the SQLite database.")
    ] = None,
    done: Annotated[
        bool,
        typer.Option(
            "--done",
            metavar=SWITCH,
            help="A copy was restored by other means, such as pg_restore: announce it.",
        ),
    ] = False,
) -> None:
    """Put an older copy of the database in place while the bot is stopped.

    The next start compares it with the tenant before anything acts on it. The database that the
    copy replaces is kept beside it.
    """
    if done == (file is not None):
        _refuse(["Name the copy, or say --done if it is in place already: one of the two."])
    with _in_sentences():
        settings = Settings.read({**_dotenv(), **os.environ})
        logs.set_up(settings.log_level)
        _keep_to_itself()
        typer.echo(asyncio.run(_restored(settings, file)))


@main.command()
def manifest(
    http: Annotated[
        str, typer.Option(metavar="URL", help="The bot's public https address: HTTP mode.")
    ] = "",
) -> None:
    """Print the Slack app manifest: api.slack.com/apps, Create New App, From a manifest.

    It is for Socket Mode; with --http for HTTP mode.
    """
    try:
        url = request_url(http) if http else None
    except NoAddress as error:
        _refuse([str(error)])
    typer.echo(json.dumps(slack_manifest(url), indent=2))


@keys.command("new")
def new_key() -> None:
    """Print a new key for VAULT_KEYS. To change keys, put it and a comma before the old ones."""
    typer.echo(Fernet.generate_key().decode())


@audit.command("verify")
def verify_history(
    id: Annotated[str, typer.Argument(help="One registration; without it, all.")] = "",
) -> None:
    """Check that nothing but the bot has changed history, approvals, or what is sealed.

    It may run beside the bot. Ends with 0 if all is as it was signed, with 1 if something is not.
    """
    with _in_sentences():
        settings = Settings.read({**_dotenv(), **os.environ})
        logs.set_up("ERROR")
        is_well = asyncio.run(_is_well(verify(settings, id)))
    if not is_well:
        raise typer.Exit(UNWELL)


def _keep_to_itself() -> None:
    """Files that others cannot read, and no memory on disk if the process dies."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _play(console: Console) -> bool:
    return await story.play(console, stop=_stop_asked_for())


async def _restored(settings: Settings, file: Path | None) -> str:
    """Restore, or announce that; return what to say of it."""
    url, vault = settings.database_url, Vault(settings.vault_keys)
    now, then = SystemClock().now(), "Start the bot: it compares the copy with Entra first."
    if file is None:
        await copies.announce(url, vault=vault, now=now)
        return f"Announced. {then}"
    aside = await copies.put_in_place(url, file, vault=vault, now=now)
    kept = f" The database before it is kept as {aside}." if aside else ""
    return f"{file} is in place.{kept} {then}"


async def _serve_until_stopped(settings: Settings) -> None:
    """Serve; at any moment, also of the start, end when the process is asked to.

    What is not over in time is left as a crash leaves it, and goes on at the next start.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    tell = partial(loop.call_soon_threadsafe, stop.set)
    threading.Thread(target=_obey, args=(tell,), name="stop", daemon=True).start()
    serving = asyncio.create_task(_serve(settings))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not serving.done():
        log.info("stopping")
        # What is abandoned now goes on at the next start, so how it ends here is no news.
        loop.set_exception_handler(lambda *_: None)
        serving.cancel()  # only once: how it ends must not be interrupted
        await asyncio.wait((serving,), timeout=STOP_SECONDS)
    if serving.done():
        with suppress(asyncio.CancelledError):
            await serving
    else:
        log.info("left for the next start: what is still under way")
    log.info("stopped")
    _leave()


def _obey(tell: Callable[[], object]) -> None:
    """Wait for the signal to stop, and see that it is obeyed.

    This takes a thread: whatever blocks the loop, such as a locked file, keeps signal handlers
    waiting, too.
    """
    signal.sigwait(STOPS)
    with suppress(RuntimeError):  # the loop is closed: the process is ending
        tell()
    time.sleep(AT_LAST_SECONDS)
    os._exit(0)


async def _serve(settings: Settings) -> None:
    version = metadata.version("aad-setup")
    log.info("starting", version=version, python=platform.python_version())
    async with app.running(settings, SystemClock()) as running:
        for exposure in exposures(settings, os.environ, Path()):
            log.warning("exposed", what=exposure)
        await running.serve()


def _leave() -> NoReturn:
    """End the process at once.

    Python waits for every thread, and one that looks up a name or connects to a host that does not
    answer cannot be interrupted for half a minute.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stand(simulator: AbstractAsyncContextManager[alone.Alone], *, as_json: bool) -> None:
    """Let a simulator run until it is stopped; say that it is there once it answers."""

    async def stand() -> None:
        stop = _stop_asked_for()
        async with simulator as it:
            typer.echo(json.dumps(it.to_json()) if as_json else it.to_text())
            await stop.wait()

    logs.set_up("WARNING")
    with _in_sentences():
        asyncio.run(stand())


@contextmanager
def _in_sentences() -> Iterator[None]:
    """Say what cannot be used, all of it, and end."""
    try:
        yield
    except (SettingsError, CannotStart, Unusable) as error:
        _refuse(error.problems)
    except SENTENCES as error:
        _refuse([str(error)])


def _stop_asked_for() -> asyncio.Event:
    """Return what is set when the process is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    return stop


async def _is_well(findings: AsyncIterator[Finding]) -> bool:
    """Print each finding as it comes; return whether nothing has to be mended."""
    marks = []
    async for finding in findings:
        typer.echo(str(finding))
        marks.append(finding.mark)
    return Mark.WRONG not in marks


def _dotenv() -> dict[str, str]:
    if Path(".env").is_dir():  # which dotenv passes over: a container makes one of a lost file
        _refuse([".env is a folder: put a file with the settings in its place."])
    try:
        found = dotenv_values(".env", interpolate=False)  # a password may hold ${
    except UnicodeDecodeError:
        _refuse([".env is not UTF-8 text: save it as UTF-8."])
    except OSError as error:
        _refuse([f".env cannot be read ({type(error).__name__}): let this user read it."])
    return {name: value for name, value in found.items() if value is not None}


def _told(error: GraphError) -> Iterable[str]:
    yield error.sentence
    yield error.advice
    if error.request_id:
        yield f"Request id {error.request_id}"


def _refuse(problems: Iterable[str], *, status: int = UNUSABLE) -> NoReturn:
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(status)


if __name__ == "__main__":
    main()
