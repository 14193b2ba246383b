"""Who and what is there when the workspace opens: enough people to approve, ask and be refused."""

from bot.playground.workspace.people import Group
from bot.playground.workspace.state import State


def seed(state: State) -> None:
    people = state.people
    bot = state.installation.bot_user_id
    requester = people.add("rosa", "Rosa Marin")
    ada = people.add("ada", "Ada Lovelace", is_admin=True)
    grace = people.add("grace", "Grace Hopper")
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
    handle = "directory-admins"
    group = Group(id=state.ids.new("S"), handle=handle, members=[ada.id, grace.id, gone.id])
    state.groups[handle] = group
