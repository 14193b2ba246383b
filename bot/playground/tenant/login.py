"""What becomes of a sign-in once a person has decided: a code for the application, or a refusal.

A device learns it at its next request for the token.
"""

from collections.abc import Mapping
from typing import Any

from bot.playground.tenant import codes, pages, scopes, user_tokens
from bot.playground.tenant.authorize import required
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.logins import Asked, Code, DeviceCode, Login
from bot.playground.tenant.pages import Return
from bot.playground.tenant.replicas import Kind, Moment


def decide(directory: Directory, form: Mapping[str, str], moment: Moment, trace: str) -> Answer:
    """Answer what a person sent from the sign-in page.

    Raises `SignInFailure` for what is told on the service's own page.
    """
    asked = directory.logins.pending.pop(required(form, "ctx"), None)
    if asked is None:
        message = "Invalid Request: The request tokens do not match the user context."
        raise SignInFailure(400, "invalid_request", 165000, message)
    if isinstance(asked, DeviceCode):
        return _decide_for_device(directory, asked, form, moment)
    back = Return(redirect_uri=asked.redirect_uri, mode=asked.response_mode, state=asked.state)
    if form.get("decision") == "cancel":
        return pages.answered(back, {"error": "access_denied", "error_subcode": "cancel"})
    user = _user(directory, required(form, "login"))
    try:
        _check_access(directory, asked, user, form, moment)
    except SignInFailure as failure:
        if form.get("on_page"):
            raise
        return pages.refused(directory, back, failure, trace)
    code = Code(asked=asked, login=_login(asked, user, form), issued_at=directory.now())
    fields = {"code": codes.mint(directory, code), "session_state": directory.new_id()}
    if asked.has_client_info:
        fields["client_info"] = user_tokens.client_info(directory, user)
    return pages.answered(back, fields)


def _decide_for_device(
    directory: Directory, code: DeviceCode, form: Mapping[str, str], moment: Moment
) -> Answer:
    """Answer a person who has entered a code; refusals are told them, not the device."""
    if form.get("decision") == "cancel":
        code.is_declined = True
        return pages.told("You have cancelled the sign-in on your device.")
    user = _user(directory, required(form, "login"))
    _check_access(directory, code.asked, user, form, moment)
    code.login = _login(code.asked, user, form)
    return pages.told("You have signed in on your device. You may now close this window.")


def _login(asked: Asked, user: Mapping[str, Any], form: Mapping[str, str]) -> Login:
    satisfied = form.get("acrs", "").split()
    return Login(
        asked=asked,
        user_id=user["id"],
        acrs=tuple(each for each in asked.acrs if each in satisfied),
        is_blocked=form.get("blocked") == pages.THERE,
    )


def _user(directory: Directory, login: str) -> dict[str, Any]:
    users = directory.people.users
    user = next((user for user in users if login in (user["id"], user["userPrincipalName"])), None)
    if user is None:
        message = f"The user account {login} does not exist in the {directory.name} directory."
        raise SignInFailure(400, "invalid_grant", 50034, message)
    if not user["accountEnabled"]:
        raise codes.disabled()
    return user


def _check_access(
    directory: Directory,
    asked: Asked,
    user: Mapping[str, Any],
    form: Mapping[str, str],
    moment: Moment,
) -> None:
    client = directory.find(Kind.SERVICE_PRINCIPAL, appId=asked.client_id)
    if client is None or not _is_assigned(directory, client, user, moment):
        message = (
            f"Your administrator has configured the application ('{asked.client_id}') to block"
            " users unless they are specifically granted ('assigned') access to the application."
            f" The signed in user '{user['userPrincipalName']}' is blocked because they are not a"
            " direct member of a group with access, nor had access directly assigned by an"
            " administrator."
        )
        raise SignInFailure(400, "access_denied", 50105, message)
    if form.get("blocked") == pages.HERE:
        raise codes.blocked(error="access_denied")
    scopes.granted(directory, asked.client_id, user["id"], asked.scopes, moment)


def _is_assigned(
    directory: Directory, client: Mapping[str, Any], user: Mapping[str, Any], moment: Moment
) -> bool:
    if not client["appRoleAssignmentRequired"]:
        return True
    return any(
        (row["resourceId"], row["principalId"]) == (client["id"], user["id"])
        for row in directory.store.all_seen(Kind.ASSIGNMENT, moment)
    )
