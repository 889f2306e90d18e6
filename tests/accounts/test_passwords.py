"""Which passwords are taken, how they are kept, and that nobody's costs as much as somebody's."""

from __future__ import annotations

import unicodedata

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.accounts import passwords
from qa.core.errors import Invalid
from tests.accounts import common_words

GOOD = "kite saddle orbit plum"


def refusal(password: str, *about: str) -> str:
    with pytest.raises(Invalid) as refused:
        passwords.checked_password(password, field="password", about=about)
    assert refused.value.errors == {"password": refused.value.message}
    return refused.value.message


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "Tr0ub4dor&3xyz",
        "x" * 6 + "Qzvw" * 248,
        "ключ седло орбита",
        "🦊🐻🦉🐢 and a river",
        "        spaces count ",
    ],
)
def test_long_and_uncommon_passwords_are_taken_as_they_are(password: str) -> None:
    assert passwords.checked_password(password, field="password", about=["Candor"]) == password


def test_a_password_of_eleven_characters_is_refused_and_of_twelve_taken() -> None:
    assert "11 characters; at least 12" in refusal("abxdefghijk")
    assert passwords.checked_password("abxdefghijkm", field="password", about=[])


def test_a_password_of_1000_characters_is_taken_and_of_1001_refused() -> None:
    thousand = ("kite saddle orbit plum " * 44)[:1000]
    assert passwords.checked_password(thousand, field="password", about=[]) == thousand
    assert "1,001 characters; 1,000" in refusal(thousand + "x")


def test_no_mixture_of_signs_is_asked_for() -> None:
    assert passwords.checked_password("onlyplainletters", field="password", about=[])


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password2026!!",
        "P@ssw0rd1234",
        "qwertyuiop12",
        "passwordpassword",
        "adminadminadmin",
        "sunshine sunshine",
        "123456789012",
        "aaaaaaaaaaaa",
        "abababababab",
        "1qaz2wsx3edc",
        "correcthorsebatterystaple",
        "!!!letmein!!!",
        "WELCOME-2026",
    ],
)
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    assert "first that anybody would try" in refusal(password)


@pytest.mark.parametrize(
    "password", ["Acmecorp-2026", "acmecorp-acmecorp", "xxACMECORPacme", "halden.e-1234"]
)
def test_a_password_made_of_the_sites_words_is_refused(password: str) -> None:
    assert "little more than" in refusal(password, "Acmecorp", "halden.e")


def test_a_site_word_inside_a_long_password_does_no_harm() -> None:
    assert passwords.checked_password("Candor kite saddle plum", field="password", about=["Candor"])


def test_a_short_word_about_a_person_refuses_nothing() -> None:
    assert passwords.checked_password(GOOD, field="password", about=["", "it", "Bo"])


@pytest.mark.parametrize(
    "password", ["kite saddle\x00 orbit", "kite saddle \ud800 orbit", "kite saddle \x07 orbit"]
)
def test_what_no_keyboard_sends_is_refused_with_a_sentence(password: str) -> None:
    assert refusal(password).startswith("The password contains")
    assert passwords.verify_password(passwords.hash_password(GOOD), password) is False


def test_the_list_is_what_its_recipe_makes_and_holds_more_than_3000() -> None:
    assert common_words.FILE.read_text(encoding="utf-8") == common_words.text()
    assert len(passwords.common_passwords()) >= 3000


@given(st.sampled_from(sorted(passwords.common_passwords())))
@settings(max_examples=300, deadline=None)
def test_every_listed_password_is_common_in_any_case_and_with_an_ending(word: str) -> None:
    assert passwords.is_common(word)
    assert passwords.is_common(word.upper())
    assert passwords.is_common(f"{word}!1") or not word.isalpha()


def test_a_password_fits_its_own_hash_only() -> None:
    stored = passwords.hash_password(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify_password(stored, GOOD)
    assert not passwords.verify_password(stored, GOOD + " ")
    assert not passwords.verify_password(stored, GOOD.upper())
    assert not passwords.verify_password("no hash at all", GOOD)


def test_an_accent_typed_as_one_character_or_as_two_is_the_same_password() -> None:
    stored = passwords.hash_password(unicodedata.normalize("NFC", "crème brûlée à la carte"))
    assert passwords.verify_password(stored, unicodedata.normalize("NFD", "crème brûlée à la carte"))


def test_a_hash_with_other_parameters_is_renewed_and_todays_is_not() -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    assert passwords.verify_password(older, GOOD)
    assert passwords.needs_rehash(older)
    assert not passwords.needs_rehash(passwords.hash_password(GOOD))


def test_nobodys_hash_costs_what_a_real_one_costs_and_fits_nothing() -> None:
    assert not passwords.needs_rehash(passwords.NOBODYS_HASH)
    assert passwords.verify_password(None, GOOD) is False
    assert passwords.verify_password(None, "") is False
