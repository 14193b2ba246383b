"""Who and what is there when the workspace opens: enough people to approve, ask and be refused."""

from bot.playground.workspace.state import State


def seed(state: State) -> None:
    people = state.people
    bot = state.installation.bot_user_id
    requester = people.add("rosa", "Rosa Marin", tz="Europe/Madrid")
    ada = people.add("ada", "Ada Lovelace", is_admin=True)
    grace = people.add("grace", "Grace Hopper", tz="America/New_York")
    bystander = people.add("ben", "Ben Okafor")
    guest = people.add("gus", "Gus Petrov", is_restricted=True)
    ultra = people.add("una", "Una Lind", is_restricted=True, is_ultra_restricted=True)
    gone = people.add("dora", "Dora Silva", deleted=True)
    machine = people.add("builder", "Builder", is_bot=True)
    stranger = people.add_external("ext", "Eve Stone")
    everybody = {person.id for person in people if person not in (gone, ultra, stranger)}
    state.channels.add("approvals", {ada.id, grace.id, bystander.id, bot}, private=True)
    state.channels.add("general", {*everybody, ultra.id, bot})
    state.channels.add("random", {requester.id, ada.id, bystander.id, machine.id, guest.id})
    shared = state.channels.add("partners", {requester.id, ada.id, stranger.id, bot})
    shared.is_ext_shared = True
    state.groups.add("directory-admins", [ada.id, grace.id, gone.id])
    people.add_external("stan", "Stan Ito", is_stranger=True, tz="Asia/Tokyo")
