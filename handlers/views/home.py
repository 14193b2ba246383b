"""The App Home: requests to decide on, own registrations, expiring secrets, history, bot status.

At most a hundred blocks (docs.slack.dev/reference/views/home-tab-views), so every part has pages.
"""

from collections.abc import Callable, Iterator

from slack_sdk.models.blocks import Block, DividerBlock

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import Catalogue, drawable
from bot.domain.people import Refusal
from bot.domain.registration import Registration, Status
from bot.registrar.deliveries import Drawing
from bot.registrar.queries import Home, Part, last_page
from bot.storage.queries import Health, ListKind, Unshown
from handlers.slack.api_errors import MEANING, ErrorScope, advice_on
from handlers.views import card, ids, outcome, ui
from handlers.views.buttons import requester_buttons, rotate_button
from handlers.views.history import entry
from handlers.views.listing import line

MOST_BLOCKS = 100
DETAILS = 120
"""Maximum length of an entry's details, so that all entries of a page fit into one block."""
GREETING = (
    "Welcome: here you ask for Entra applications and see how yours stand."
    " Approvers also decide here on requests of others."
)

ASK = "Press *New application*."
MAY_NOT_ASK = "You can't request applications yet. Ask {contact} to add you to `REQUESTERS`."

CHOICE = "how the bot draws cards for you"
CHOSEN = (
    "From their next change on, your cards show steps as {how}. This does not change cards in the"
    " approval channel."
)

QuorumOf = Callable[[Registration], Quorum]
"""Return the quorum of a registration."""


def home(
    found: Home,
    catalogue: Catalogue,
    *,
    quorum_of: QuorumOf,
    said: str = "",
) -> ui.Json:
    """Return the view. `said` stands above all else: a greeting, or why a click did nothing."""
    parts = [
        *(_waiting(found, catalogue, quorum_of) if found.is_approver else ()),
        *_mine(found),
        *_expiring(found),
        *_history(found),
    ]
    blocks = [
        *ui.drawn(list(_top(found, said))),
        *parts,
        *ui.drawn(list(_health(found.health))),
    ]
    return {"type": "home", "blocks": blocks[:MOST_BLOCKS]}


def read_page(value: object) -> tuple[Part, int]:
    """Return the part and page that a button stands for. Raises Refusal for any other value."""
    part, _, page = str(value).partition(":")
    if part not in set(Part) or not (page.isascii() and page.isdigit() and len(page) < 5):
        raise Refusal("There is no such page. Open this tab again.")
    return Part(part), int(page)


def _top(found: Home, said: str) -> Iterator[Block]:
    if said:
        yield ui.section(said)
    offered = []
    if found.may_ask:
        new = ui.button("New application", ids.OPEN_FORM, ids.ANY_PROFILE, style="primary")
        offered.append(new)
    if found.may_choose_cards:
        is_plain = found.plain_cards
        label, choice = ("Cards with task lists", "off") if is_plain else ("Plain cards", "on")
        offered.append(ui.button(label, ids.PLAIN, choice, about=CHOICE))
    yield from ui.actions(offered)
    yield ui.context(f"As of {ui.when(found.at)}. `{ids.COMMAND} help` lists all commands.")


def _waiting(found: Home, catalogue: Catalogue, quorum_of: QuorumOf) -> ui.Blocks:
    cards: ui.Blocks = []
    for each in found.waiting:
        profile, quorum = drawable(catalogue, each.form.profile), quorum_of(each)
        # Slack draws no plan block in App Home.
        drawing = Drawing(profile=profile, quorum=quorum, plain=True, level=2)
        _, blocks = card.card(each, drawing)
        cards += [*ui.drawn([DividerBlock()]), *blocks]
    return _part(found, Part.WAITING, "Waiting for you", "Nothing waits for you.", cards)


def _mine(found: Home) -> ui.Blocks:
    how = ASK if found.may_ask else MAY_NOT_ASK.format(contact=found.contact)
    nothing = f"You have no registrations yet. {how}"
    blocks: list[Block] = []
    for each in found.mine:
        blocks += [ui.section("\n".join(_lines(each))), *ui.actions(requester_buttons(each))]
    return _part(found, Part.MINE, "Your registrations", nothing, ui.drawn(blocks))


def _lines(registration: Registration) -> Iterator[str]:
    yield f"*{card.headline(registration)}* · {ui.escaped(registration.form.name)}"
    yield f"Asked {ui.when(registration.created_at)}"
    secret = registration.secret
    if registration.failure is not None and registration.status in card.STUCK:
        yield ui.short(registration.failure.sentence, 500)
    if secret is not None and secret.is_unread:
        yield f"Its values wait for you: `{ids.COMMAND} values {registration.id}`"
    if registration.status is not Status.READY:
        return
    if lost := outcome.why_lost(registration, is_theirs=True):
        yield f"{lost} `{ids.COMMAND} values {registration.id}` has the button."
    elif registration.has_expired:
        yield outcome.expired(registration)
    elif secret is not None and secret.expires_at is not None:
        yield f"The secret expires {ui.when(secret.expires_at)}"


def _expiring(found: Home) -> ui.Blocks:
    nothing = "No secret has expired or expires within 30 days."
    blocks = []
    for each in found.expiring.lines:
        may_ask = each.waits is not RequestKind.ROTATION and each.run is None
        accessory = rotate_button(each) if may_ask else None
        blocks.append(
            ui.section(line(ListKind.EXPIRING, each, ui.LONGEST_TEXT // 2), accessory=accessory)
        )
    title = "Secrets about to expire, or expired"
    return _part(found, Part.EXPIRING, title, nothing, ui.drawn(blocks))


def _history(found: Home) -> ui.Blocks:
    title = "What happened lately" if found.is_approver else "What happened to your registrations"
    lines = [f"• *{id}* · {entry(told, DETAILS)}" for id, told in found.history.entries]
    blocks = ui.drawn([ui.section("\n".join(lines))]) if lines else []
    return _part(found, Part.HISTORY, title, "Nothing yet.", blocks)


def _health(health: Health | None) -> Iterator[Block]:
    if health is None:
        return
    yield ui.header("How the bot stands")
    yield ui.section(
        "\n".join(
            [
                "• Database: answers",
                f"• Entra: {_entra(health)}",
                f"• Runs at work: {health.open_runs}",
                f"• Messages waiting for Slack: {health.owed_messages}",
                *(f"• {_not_shown(each)}" for each in health.unshown),
                f"• Secrets waiting to be seen: {health.sealed_secrets}",
            ]
        )
    )


def _not_shown(unshown: Unshown) -> str:
    """Name a place that Slack takes no messages for, and give advice."""
    id, code = unshown.audience, unshown.code
    where = f"<@{id}>" if id[:1] in ("U", "W") else f"<#{id}>"
    advice = advice_on(code, MEANING.get(code, ErrorScope.PASSING))
    return f"Slack takes no messages for {where} (`{ui.escaped(code)}`). {ui.escaped(advice)}"


def _entra(health: Health) -> str:
    if health.last_run_at is None:
        return "no run has ended yet"
    at = ui.when(health.last_run_at)
    if health.last_run_failed is not None:
        return f"the latest run failed {at} (`{ui.escaped(health.last_run_failed)}`)"
    return f"the latest run ended well {at}"


def _part(found: Home, part: Part, title: str, nothing: str, blocks: ui.Blocks) -> ui.Blocks:
    """Return a part of the view with its headline, and buttons for its other pages."""
    total, page = found.totals[part], found.pages[part]
    last = last_page(part, total)
    top = [ui.header(f"{title} ({total})")] if total else [ui.header(title), ui.context(nothing)]
    if last == 1:
        return [*ui.drawn(top), *blocks]
    buttons = []
    if page > 1:
        buttons.append(ui.button("Previous", ids.HOME_BACK, f"{part}:{page - 1}", about=title))
    if page < last:
        buttons.append(ui.button("Next", ids.HOME_ON, f"{part}:{page + 1}", about=title))
    turning = ui.drawn([ui.context(f"Page {page} of {last}"), *ui.actions(buttons)])
    return [*ui.drawn(top), *blocks, *turning]
