"""The vault: what is sealed opens for its owner, with a key that is known, and for nobody else."""

import base64

import pytest
from cryptography.fernet import Fernet

from bot.storage.vault import SealBroken, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("text", ["abc8Q~secret", "", 'with "quotes" & ümläuts \x00'])
def test_what_is_sealed_opens_again(text: str) -> None:
    vault = Vault([OLD])
    assert vault.open("s1", vault.seal("s1", text)) == text


def test_sealed_bytes_hold_neither_secret_nor_owner() -> None:
    sealed = Vault([OLD]).seal("owner-of-it", "abc8Q~secret")
    for seen in (sealed, base64.urlsafe_b64decode(sealed)):
        assert b"abc8Q~secret" not in seen
        assert b"owner-of-it" not in seen


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = Vault([OLD])
    assert vault.seal("s1", "same") != vault.seal("s1", "same")


def test_two_rows_that_were_swapped_open_neither() -> None:
    vault = Vault([OLD])
    first, second = vault.seal("s1", "one"), vault.seal("s2", "two")
    for owner, sealed in (("s1", second), ("s2", first)):
        with pytest.raises(SealBroken, match="belongs to something else"):
            vault.open(owner, sealed)


def test_a_new_first_key_still_opens_what_the_old_one_sealed() -> None:
    sealed = Vault([OLD]).seal("s1", "one")
    rotated = Vault([NEW, OLD])
    assert rotated.open("s1", sealed) == "one"
    assert Vault([NEW]).open("s1", rotated.seal("s1", "two")) == "two"


def test_without_its_key_nothing_opens() -> None:
    with pytest.raises(SealBroken, match="does not open with VAULT_KEYS"):
        Vault([NEW]).open("s1", Vault([OLD]).seal("s1", "one"))


@pytest.mark.parametrize("place", [0, 10, 40, -1])
def test_one_changed_byte_breaks_the_seal(place: int) -> None:
    sealed = bytearray(Vault([OLD]).seal("s1", "one"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        Vault([OLD]).open("s1", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"not sealed at all", b"one"])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        Vault([OLD]).open("s1", sealed)


def test_a_broken_seal_tells_neither_secret_nor_key() -> None:
    vault = Vault([OLD])
    with pytest.raises(SealBroken) as caught:
        vault.open("s2", vault.seal("s1", "abc8Q~secret"))
    assert "abc8Q~secret" not in repr(caught.value)
    assert OLD not in f"{caught.value!r} {vault!r}"
