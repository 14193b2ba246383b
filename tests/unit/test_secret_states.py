"""What follows from a secret's state, its removal and its message: one table for each of them."""

import pytest

from bot.domain.secrets import Secret
from tests.support.factories import secret
from tests.support.secret_lives import SecretLife, life_of

REPLACED_OR_FOLLOWED = {"may_be_replaced", "may_be_followed"}
IN_USE = {"is_live", "may_be_known"}
TRUE_OF = {
    SecretLife.ATTEMPTED: set[str](),
    SecretLife.SEALED: {"is_live", "is_unread"},
    SecretLife.CLAIMED: IN_USE | {"is_on_screen"},
    SecretLife.SHOWN: IN_USE | {"is_on_screen", "may_be_followed"},
    SecretLife.MASKED: IN_USE | REPLACED_OR_FOLLOWED,
    SecretLife.UNMASKED: IN_USE | REPLACED_OR_FOLLOWED,
    SecretLife.UNKNOWN: IN_USE | REPLACED_OR_FOLLOWED,
    SecretLife.CLOSED: REPLACED_OR_FOLLOWED | {"is_being_removed"},
    SecretLife.REMOVED: REPLACED_OR_FOLLOWED,
    SecretLife.REPLACED: REPLACED_OR_FOLLOWED | {"is_superseded"},
}
PROPERTIES = {name for name, it in vars(Secret).items() if isinstance(it, property)}


@pytest.mark.parametrize("life", SecretLife)
def test_a_secret_says_of_itself_what_the_table_says(life: SecretLife) -> None:
    found = secret(life)
    assert life_of(found) is life
    assert {name for name in PROPERTIES if getattr(found, name)} == TRUE_OF[life]
