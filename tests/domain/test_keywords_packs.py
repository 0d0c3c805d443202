"""The language packs as data (R10)."""

from __future__ import annotations

from dataclasses import fields

import pytest

from optin.domain.folding import comparable
from optin.domain.keywords import Intent, intent
from optin.domain.packs import PACKS
from optin.domain.packs.pack import words

LANGUAGES = ["en", "es", "pt", "fr", "de", "it", "nl", "sv", "pl", "tr", "ar", "he", "hi", "id"]
LANGUAGES += ["ru", "zh", "ja", "ko"]


def test_all_languages_are_there() -> None:
    """The packs that the contract names, and none without a place in these tests."""
    assert sorted(LANGUAGES) == sorted(PACKS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_word_means_what_its_list_says(language: str) -> None:
    """As a whole message each stop, start and help word has its intent, where no stop wins."""
    pack = PACKS[language]
    for word in (*pack.stop, *pack.alone):
        assert intent(word, languages=[language]) is Intent.STOP, word
    for word in pack.marketing_stop:
        assert intent(word, languages=[language]) is Intent.MARKETING_STOP, word
    for word in pack.start:
        assert intent(word, languages=[language]) is Intent.START, word
    for word in pack.help:
        assert intent(word, languages=[language]) is Intent.HELP, word


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_is_whole_and_without_repetition(language: str) -> None:
    """No list is empty, no entry folds to nothing, and none stands twice in its list."""
    pack = PACKS[language]
    for each in fields(pack):
        listed = getattr(pack, each.name)
        if each.name not in ("spaced", "idioms", "alone", "refusing"):
            assert listed, each.name
        if each.name != "spaced":
            assert all(comparable(entry) for entry in listed), each.name
            assert len(listed) == len(set(listed)), each.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_risky_word_is_nothing_by_itself(language: str) -> None:
    """What answers bookings and menus is no keyword of its own pack unless switched on."""
    pack = PACKS[language]
    for word in (*pack.risky, *pack.risky_start):
        assert intent(word, languages=[language]) is Intent.NONE, word
        heard = intent(word, languages=[language], risky=frozenset((word,)))
        assert heard is (Intent.STOP if word in pack.risky else Intent.START), word


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_is_understood_in_every_language(language: str) -> None:
    """People know STOP from every sender, whatever language it writes in."""
    assert intent("STOP", languages=[language]) is Intent.STOP


@pytest.mark.parametrize("language", LANGUAGES)
def test_politeness_and_messages_alone_are_nothing(language: str) -> None:
    """Without a stop word no list makes an intent."""
    pack = PACKS[language]
    for word in (*pack.polite, *pack.messages, *pack.sending, *pack.promotions, *pack.idioms):
        heard = intent(word.removesuffix("*"), languages=[language])
        assert heard in (Intent.NONE, Intent.REVIEW), word


def test_entries_are_parted_by_commas_and_lines() -> None:
    """Spaces inside an entry stay, empty entries go."""
    assert words(" a b, c,\n  d \n\n,") == ("a b", "c", "d")
