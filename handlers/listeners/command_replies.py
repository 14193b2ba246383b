"""Replies to commands, mentions and direct messages.

Each word calls one verb. The answer is for the person alone, unless it is public; then it is the
shortest view.
"""

from dataclasses import dataclass

from bot.domain.catalogue import drawable
from bot.domain.people import Person, Refusal
from bot.domain.registration import Status
from bot.registrar import Registrar
from bot.registrar.queries import ENTRIES, LISTED
from bot.storage.queries import ListKind
from handlers.listeners.command_parser import Command
from handlers.slack.users import Users
from handlers.views import card, drift, help, history, ids, listing, requests
from handlers.views.blocks import Blocks, question
from handlers.views.buttons import RETIRE, REVOKE, UNDO
from handlers.views.card import Drawing
from handlers.views.values import sheet


@dataclass(frozen=True)
class Reply:
    """An answer. `is_fleeting` must never be put where Slack keeps it."""

    text: str
    blocks: Blocks | None = None
    is_fleeting: bool = False


REMOVE = "Remove the previous secret"
ASKED = "An approver has to confirm this: the approval channel was asked."


async def reply(
    command: Command, registrar: Registrar, person: Person, users: Users, *, plain: bool
) -> Reply:
    """Carry out a command and return the answer. Raises Refusal."""
    id = command.id or ""
    match command.word:
        case "list":
            return await _list(command, registrar, person)
        case "status" if command.is_public:
            return Reply(text=card.least(await registrar.queries.status(id, by=person)))
        case "status" | "details":
            return await _status(id, registrar, person, plain=plain)
        case "values":
            found = await registrar.secrets.values(id, by=person)
            return Reply(*sheet(found), is_fleeting=True)
        case "history":
            told = await registrar.queries.history(id, by=person, page=command.page)
            return Reply(text=history.history(id, told, size=ENTRIES))
        case "check":
            await registrar.recovery.check(id, by=person)
            return Reply(text=drift.asked(id))
        case "rotate":
            await registrar.requests.rotation(id, by=person)
            return Reply(text=f"{ASKED} Until then the current secret of {id} keeps working.")
        case "purge":
            await registrar.requests.purge(id, by=person)
            return Reply(text=f"{ASKED} Until then the application can be restored.")
        case "cancel":
            return Reply(text=await _cancel(id, registrar, person))
        case "retry":
            return Reply(text=await _retry(id, registrar, person, users))
        case "handover":
            raise Refusal(
                "Who should take it over?"
                f" Type `{ids.COMMAND} handover {id} @` and pick the person."
            )
        case "undo":
            await registrar.recovery.check_may_undo(id, by=person)
            return _question(f"Undo {id}?", "Undo", ids.UNDO_ASKED, id, UNDO)
        case "retire":
            await registrar.rotation.check_may_remove_previous(id, by=person)
            return _question(f"{REMOVE} of {id} now?", REMOVE, ids.RETIRE_ASKED, id, RETIRE)
        case "revoke":
            await registrar.revocation.check_may_revoke(id, by=person)
            return _question(f"Revoke {id}?", "Revoke", ids.REVOKE_ASKED, id, REVOKE)
        case "greeting":
            registrar.policy.check_account(person)
            return Reply(*help.greeting(may_ask=registrar.policy.may_ask(person)))
        case _:
            registrar.policy.check_account(person)
            return Reply(text=help.IN_THREAD if command.is_public else help.HELP)


def _question(asks: str, label: str, action: str, id: str, confirm: str) -> Reply:
    return Reply(*question(f"{asks} {confirm}", label, action, id, confirm))


async def retried(id: str, registrar: Registrar, person: Person, users: Users) -> Status:
    """Retry, with those who approved as Slack knows them now. Raises Refusal."""
    approvers = await registrar.recovery.approvers(id, by=person)
    seen = await users.look_up_all([each.user_id for each in approvers])
    return await registrar.recovery.retry(id, by=person, seen=seen)


async def _retry(id: str, registrar: Registrar, person: Person, users: Users) -> str:
    if await retried(id, registrar, person, users) is Status.PENDING:
        return f"{id} waits for approval again. Its card says whose approval no longer counts."
    return f"{id} continues where it stopped. Its card shows the progress."


async def _cancel(id: str, registrar: Registrar, person: Person) -> str:
    """Take back what waits: the plan, or something else that was asked for."""
    found = await registrar.queries.status(id, by=person)
    asked = requests.cancellable(found)
    await registrar.approval.cancel(found.id, asked.id if asked else None, by=person)
    assert asked is not None
    return requests.cancelled_text(found, asked)


async def _list(command: Command, registrar: Registrar, person: Person) -> Reply:
    which = ListKind(command.which or "open")
    page = await registrar.queries.listed(
        which, by=person, for_all=command.is_public, page=command.page
    )
    if command.is_public:
        return Reply(text=listing.least(which, page, size=LISTED))
    text = listing.listing(
        which,
        page,
        size=LISTED,
        decides=registrar.policy.is_approver(person),
        may_ask=registrar.policy.may_ask(person),
    )
    return Reply(text=text)


async def _status(id: str, registrar: Registrar, person: Person, *, plain: bool) -> Reply:
    found = await registrar.queries.status(id, by=person)
    drawing = Drawing(expected=await registrar.queries.expected(), plain=plain)
    text, blocks = card.status(
        found,
        drawable(registrar.catalogue, found.form.profile),
        quorum=registrar.quorum(found),
        in_full=registrar.queries.is_concerned(found, person),
        drawing=drawing,
    )
    return Reply(text=text, blocks=blocks)
