"""Stories: what users do on a stage, in few calls, and what they then see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from bot.playground.stage import Stage
from bot.playground.workspace.record import Entry
from bot.playground.workspace.results import Clicked, Reply, Submitted

Json = dict[str, Any]
Opening = TypeVar("Opening", Reply, Clicked)

PATIENCE = 60.0
"""Real seconds after which what does not happen never will, on a machine that stalls."""
TRIES = 3
TOO_LATE = "expired_trigger_id"
TRY_AGAIN = "Slack did not say who you are"
UNKNOWN = f"{TRY_AGAIN}, so nothing was done. Try again in a moment."
"""What a person reads for whom the look-up took more than a second, on a machine that stalls."""
LOOKS = 30
"""How often the bot gets time for what is due now, before the clock is moved on: it is the same
loop that looks, so that a machine that stalls delays both."""
QUIET_LOOKS = 15
"""So many looks without any call in between mean that nothing is due: the bot itself looks every
tenth of a second."""
LOOK_SECONDS = 0.01
"""Real time between two looks: a change in storage or in the tenant wakes nobody."""
NOTICES = (" has revoked ", "it was deleted from Entra.", " needs admin consent")
"""Said in messages of the approval channel that are no cards."""


class Story:
    """Rosa asks, Ada and Grace decide, Ben looks on."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.workspace = stage.workspace
        self.tenant = stage.tenant
        self.clock = stage.clock

    async def ask(self, name: str = "billing", *, by: str = "rosa", **values: Any) -> str:
        """Fill in the form and send it; return the registration's id once its card is there."""
        before = len(self._cards())
        sent = await self.fill_and_send(name, by=by, **values)
        assert not sent.errors, sent.errors
        await self.until(lambda: len(self._cards()) > before)
        return self.card().split()[0]

    async def fill_and_send(
        self, name: str = "billing", *, by: str = "rosa", **values: Any
    ) -> Submitted:
        """Open the form, fill it in and send it; wait for no card, which may never come."""
        await self.open_form(by)
        if "Profile" in values:  # which redraws the form
            await self.workspace.choose(by, "Profile", values.pop("Profile"))
        answers = {"Application name": name, "Reason": "To sync the directory", **values}
        return await self.workspace.submit(by, answers)

    async def open_form(self, person: str = "rosa", words: str = "", **where: Any) -> Reply:
        """Type the command that opens the form."""
        return await self.opens(person, lambda: self.workspace.command(person, words, **where))

    async def open_denial(self, id: str, *, by: str = "grace") -> Clicked:
        """Press *Deny*, which asks why."""
        card = self.card_of(id)
        return await self.opens(by, lambda: self.workspace.click(by, "Deny", on=card))

    async def ask_again(self, *, by: str = "rosa") -> Clicked:
        """Press *Ask again*, which opens the form as it was sent."""
        return await self.opens(by, lambda: self.workspace.click(by, "Ask again"))

    async def opens(self, person: str, act: Callable[[], Awaitable[Opening]]) -> Opening:
        """Do what opens a modal, and as people do, again if Slack said that it took too long.

        Slack waits three real seconds, which a machine that stalls lets pass.
        """
        for _ in range(TRIES - 1):
            before = self._too_late()
            done = await act()
            if self.workspace.view_of(person) or (done.acked and self._too_late() == before):
                return done
        return await act()

    def _too_late(self) -> int:
        """Count the forms that Slack did not open because what was done was too long ago."""
        answers = [call.answer for call in self.workspace.calls("views.open")]
        return sum(answer.get("error") == TOO_LATE for answer in answers)

    async def ready(self, name: str = "billing", **values: Any) -> str:
        """Ask and approve; return the id once the values are waiting."""
        id = await self.ask(name, **values)
        await self.approve(id)
        return id

    async def approve(self, id: str, *, by: str = "ada") -> None:
        """Approve and wait until the values are announced."""
        await self._press(by, "Approve", lambda: self.card_of(id))
        await self.until(lambda: self.is_announced(id))

    async def fails(self, name: str = "billing", *, by: str = "ada", **values: Any) -> str:
        """Ask and approve; return the id once it has failed."""
        id = await self.ask(name, **values)
        await self.workspace.click(by, "Approve", on=self.card_of(id))
        await self.until(lambda: f"{id} failed" in self.card(id))
        return id

    async def vote(self, id: str, *, by: str = "ada") -> None:
        """Approve as the first of two, and wait until the card counts it."""
        await self.workspace.click(by, "Approve", on=self.card_of(id))
        await self.until(lambda: "1 of 2 approvals given" in self.card(id))

    async def answer_to(self, person: str, button: str, *, on: Json | None = None) -> str:
        """Press a button, and return what the person alone is told then."""
        self.workspace.reload(person)
        await self.workspace.click(person, button, on=on)
        return self.whispers(person)

    async def _press(self, by: str, button: str, on: Callable[[], Json]) -> None:
        """Press a button, and as the refusal says, again if Slack did not say in time by whom."""
        for _ in range(TRIES):
            before = self.whispers(by).count(TRY_AGAIN)
            await self.workspace.click(by, button, on=on())
            if self.whispers(by).count(TRY_AGAIN) == before:
                return

    async def confirm(self, by: str, entry: str, *, on: Json) -> None:
        """Choose an entry of a menu, and confirm it where the question opens as a modal."""
        await self.workspace.click(by, entry, on=on)
        if self.workspace.view_of(by):
            assert not (await self.workspace.submit(by, {})).errors

    async def deny(self, id: str, *, by: str = "grace", reason: str = "Not this quarter") -> Any:
        """Press *Deny*, say why, and return what became of the form."""
        await self.open_denial(id, by=by)
        return await self.workspace.submit(by, {"Reason": reason})

    async def click_when_idle(self, by: str, button: str, on: Json) -> None:
        """Press a button, and again while a run is just at work, as the refusal says."""
        for _ in range(50):
            self.workspace.reload(by)
            await self.workspace.click(by, button, on=on)
            if "is being worked on" not in self.whispers(by):
                return
        raise AssertionError(self.whispers(by))

    async def check(self, id: str, *, by: str = "rosa") -> None:
        """Ask for a check, and again while a sweep is just at work, as the refusal says."""
        for _ in range(50):
            self.workspace.reload(by)
            await self.workspace.command(by, f"check {id}")
            if "is being compared with the tenant" in self.whispers(by):
                return
            assert self.whispers(by) == f"{id} is being worked on. Try again in a moment."
        raise AssertionError(self.whispers(by))

    def is_announced(self, id: str) -> bool:
        """Whether the values of this registration were announced to Rosa."""
        text = f"{id}: your connector values"
        return any(message["text"].startswith(text) for message in self.workspace.messages("rosa"))

    async def until(self, predicate: Any, timeout: float = PATIENCE) -> Any:  # noqa: ASYNC109 - as the workspace's own
        return await self.workspace.until(predicate, timeout=timeout)

    async def eventually(
        self, predicate: Callable[[], object], *, step: timedelta = timedelta(minutes=2)
    ) -> None:
        """Let time pass, step by step, until it comes true: retries and dues come by the clock."""
        for _ in range(40):
            if await self._soon(predicate):
                return
            self.clock.move(step)
        await self.until(predicate, timeout=LOOKS * LOOK_SECONDS)

    async def _soon(self, predicate: Callable[[], object]) -> bool:
        """Return whether it comes true while the clock stands and the bot is at work."""
        calls, quiet = 0, 0
        for _ in range(LOOKS):
            if predicate():
                return True
            before, calls = calls, len(self.tenant.log) + len(self.workspace.log)
            quiet = quiet + 1 if calls == before else 0
            if quiet == QUIET_LOOKS:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def command(self, person: str, text: str, **where: Any) -> str:
        """Type a command and return the answer, which must reach nobody else."""
        reply = await self.workspace.command(person, text, **where)
        assert reply.acked, reply.text
        assert all(message.get("is_ephemeral") for message in reply.messages)
        return reply.text

    async def new_request(self, ask: Awaitable[Any], button: str) -> Json:
        """Ask, and return the new message with this button: an older one may still show its own."""
        before = {each["ts"] for each in self.workspace.messages("approvals")}
        await ask

        def found() -> list[Json]:
            posted = self.workspace.messages("approvals")
            fresh = [each for each in posted if each["ts"] not in before]
            return [each for each in fresh if f"[{button}]" in self.workspace.text_of(each)]

        await self.until(found)
        return found()[-1]

    def card(self, id: str = "") -> str:
        """Return a registration's card in the approval channel as people read it, or the newest
        card there, which is no notice of what happened.
        """
        return self.read(self.card_of(id)) if id else self._cards()[-1]

    def _cards(self) -> list[str]:
        texts = map(self.read, self.workspace.messages("approvals"))
        return [text for text in texts if not any(it in text for it in NOTICES)]

    def card_of(self, id: str) -> Json:
        return next(
            message
            for message in self.workspace.messages("approvals")
            if self.read(message).startswith(id)
        )

    def read(self, message: Json) -> str:
        """Return a message as it notifies and as it looks: the headline of a card has the name of
        its application, and its notification begins with its id.
        """
        shown = self.workspace.text_of(message)
        announced = self.workspace.text_of({**message, "blocks": []})
        is_said = announced.partition(" ")[0] in shown.partition("\n")[0]
        return shown if is_said else f"{announced}\n{shown}"

    def posted(self, place: str, words: str = "") -> list[Json]:
        """Return the messages with these words in a channel, or from the bot to somebody."""
        found = self.workspace.messages(place)
        return [each for each in found if words in self.workspace.text_of(each)]

    def texts(self, place: str, words: str = "") -> list[str]:
        """Return these messages as people read them."""
        return [self.workspace.text_of(each) for each in self.posted(place, words)]

    async def details(self, id: str, *, by: str = "ada") -> str:
        """Press *Details* on a card and return the whole plan that opens."""
        card = self.card_of(id)
        await self.opens(by, lambda: self.workspace.click(by, "Details", on=card))
        seen = self.workspace.text_of(self.workspace.view_of(by) or {})
        await self.workspace.close_view(by)
        return seen

    def direct(self, person: str) -> str:
        """Return everything in somebody's direct messages from the bot."""
        return "\n".join(map(self.read, self.workspace.messages(person)))

    async def press(self, person: str, button: str) -> None:
        """Press a button in a person's direct messages as soon as it is there."""
        await self.until(lambda: f"[{button}]" in self.direct(person))
        await self.workspace.click(person, button)

    def whispers(self, person: str) -> str:
        """Return every ephemeral message that somebody sees."""
        found = self.workspace.ephemerals(person)
        return "\n".join(self.workspace.text_of(message) for message in found)

    def notice(self, id: str) -> Json:
        """Return the newest message that says the values of this registration are there."""
        return next(
            message
            for message in reversed(self.workspace.messages("rosa"))
            if self.workspace.text_of(message).startswith(f"{id}: your connector values")
        )

    async def values(self, id: str, *, by: str = "rosa") -> str:
        """Press *Get the values* and return what the person then sees."""
        await self._press(by, "Get the values", lambda: self.notice(id))
        return self.whispers(by)

    async def revealed(self, id: str) -> str:
        """Get the values, show the secret, and return what Rosa then sees."""
        await self.values(id)
        return await self.reveal()

    async def reveal(self, *, by: str = "rosa") -> str:
        """Press *Show the secret* in the newest ephemeral and return what the person then sees."""
        await self.workspace.click(by, "Show the secret", on=self.workspace.ephemerals(by)[-1])
        return self.whispers(by)


def updates(story: Story, card: Json) -> int:
    return sum(each.sent.get("ts") == card["ts"] for each in _updates(story))


def _updates(story: Story) -> Sequence[Entry]:
    return story.workspace.calls("chat.update")
