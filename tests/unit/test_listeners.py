"""Every listener has a story: adding one without the other fails here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import handlers
from handlers.views import ids

ROOT = Path(__file__).parents[1] / "stories"
BUTTONS = {
    ids.CHOOSE_PROFILE: "test_failures.test_another_profile_goes_the_same_road_beside_its_double",
    ids.PREVIEW: "test_previews.test_the_plan_is_seen_before_anybody_is_asked",
    ids.APPROVE: "test_decisions.test_two_approvals_are_two_people",
    ids.DENY: "test_decisions.test_denied_is_the_end_and_the_card_says_by_whom",
    ids.WITHDRAW: "test_decisions.test_an_approval_can_be_withdrawn_until_the_quorum_is_reached",
    ids.AGAIN: "test_decisions.test_whoever_is_denied_reads_why_and_asks_again_with_the_same_form",
    ids.CANCEL: "test_decisions.test_the_requester_takes_it_back_and_the_approver_comes_too_late",
    ids.RETRY: "test_failures.test_a_refusal_of_graph_is_told_and_a_retry_goes_on_from_there",
    ids.UNDO: "test_failures.test_an_undo_that_fails_says_so_and_comes_back",
    ids.VALUES: "test_registration.test_from_the_form_to_the_masked_secret",
    ids.REVEAL: "test_reveals.test_a_second_reveal_is_refused_and_mask_now_is_for_good",
    ids.MASK: "test_reveals.test_a_second_reveal_is_refused_and_mask_now_is_for_good",
    ids.RENEW: "test_reveals.test_a_reveal_that_may_not_have_arrived_is_replaced",
    ids.CHECK_CONSENT: "test_portal.test_look_now_brings_the_look_forward",
    ids.GRANT: "test_signed_in.test_from_the_form_to_the_mask",
    ids.GRANT_WITH_CODE: "test_signed_in.test_from_the_form_to_the_mask",
    ids.ROTATE: "test_rotating.test_what_is_not_carried_out_changes_nothing_and_can_be_asked_again",
    ids.RETIRE: "test_rotating.test_whoever_has_changed_over_removes_the_old_secret_at_once",
    ids.RETIRE_ASKED: "test_rotating.test_the_word_removes_the_old_secret_once_it_is_confirmed",
    ids.UNDO_ASKED: "test_talking.test_retry_and_undo_by_command_and_undo_is_confirmed",
    ids.REVOKE: "test_revoking.test_an_approver_revokes_and_everybody_is_told",
    ids.REVOKE_ASKED: "test_revoking.test_the_requester_revokes_by_word_once_it_is_confirmed",
    ids.DETAILS: "test_registration.test_every_reader_of_a_card_can_read_the_whole_plan",
    ids.MORE: "test_registration.test_a_menu_of_several_actions_asks_before_it_carries_one_out",
    ids.MINE: "test_talking.test_a_greeting_is_answered_with_the_first_steps",
    ids.HELP: "test_talking.test_a_greeting_is_answered_with_the_first_steps",
    ids.OPEN_FORM: "test_talking.test_a_direct_message_is_answered_like_the_command",
    ids.PLAIN: "test_registration.test_a_user_chooses_plain_cards_for_themselves",
    ids.HOME_BACK: "test_home.test_pages_are_turned_and_invented_ones_are_not",
    ids.HOME_ON: "test_home.test_pages_are_turned_and_invented_ones_are_not",
    **dict.fromkeys(
        ids.REPLACED, "test_refusals.test_an_older_version_s_button_says_where_the_new_is"
    ),
}
STORIES = {
    ("command", ids.COMMAND): "test_registration.test_from_the_form_to_the_masked_secret",
    ("view", ids.FORM): "test_refusals.test_a_form_that_arrives_twice_is_one_registration",
    (
        "view",
        ids.DENIAL,
    ): "test_decisions.test_whoever_is_denied_reads_why_and_asks_again_with_the_same_form",
    ("view", ids.CONFIRMED): "test_registration.test_a_question_that_is_answered_too_late_says_so",
    ("event", "message"): "test_talking.test_a_direct_message_is_answered_like_the_command",
    ("event", "app_home_opened"): "test_home.test_the_first_visit_is_greeted_and_the_next_is_not",
    (
        "event",
        "app_mention",
    ): "test_registration.test_the_final_card_says_who_approved_and_anybody_may_ask_for_it",
    **{("action", id): story for id, story in BUTTONS.items()},
}


class Listening:
    """Stands where a Bolt app does and notes what is connected to it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.middleware = 0
        self.on_error = 0

    def use(self, middleware: object) -> None:
        self.middleware += 1

    def error(self, handler: object) -> None:
        self.on_error += 1

    def __getattr__(self, kind: str) -> Callable[[str], Callable[[object], None]]:
        def note(id: str) -> Callable[[object], None]:
            self.heard.append((kind, id))
            return lambda listener: None

        return note


def test_every_listener_has_a_story() -> None:
    app = Listening()
    as_bolt: Any = app
    no_services: Any = None
    handlers.register(as_bolt, no_services)
    assert sorted(app.heard) == sorted(STORIES)
    assert app.middleware == app.on_error == 1


def test_every_story_that_is_named_is_there() -> None:
    for story in STORIES.values():
        file, _, name = story.partition(".")
        assert f"async def {name}(" in (ROOT / f"{file}.py").read_text("utf-8"), story


def test_no_two_buttons_share_an_id() -> None:
    names = [value for name, value in vars(ids).items() if name.isupper()]
    assert len(names) == len(set(names))
