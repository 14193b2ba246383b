"""A single sentence: as the whole Home of a refused user, or as a modal on top of a form."""

from slack_sdk.models.views import View

from handlers.views.blocks import Json, drawn, section


def went_wrong(bug: str, contact: str) -> str:
    """Return the sentence for a bug, which names its id."""
    return f"Something went wrong on our side. Give {contact} this error ID: {bug}."


def home(sentence: str) -> Json:
    """Return the Home of a user who may not see anything."""
    return {"type": "home", "blocks": drawn([section(sentence)])}


def modal(sentence: str) -> Json:
    """Return a modal to lay over a form, which stays below as it is."""
    view = View(type="modal", title="That did not work", close="Back", blocks=[section(sentence)])
    return dict(view.to_dict())
