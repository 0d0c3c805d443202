"""What the confirmation of an opt-out says, by language (R7)."""

from __future__ import annotations

import pytest

from optin.domain.bots import checked_settings
from optin.domain.confirmation_texts import checked, text_for
from optin.domain.errors import InvalidSetting
from optin.domain.keywords import Intent, intent
from optin.domain.packs import PACKS
from optin.domain.packs.confirmations import TEXTS


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("You are out.", "You are out."),
        ("Yes", "yes"),
        ("on", "yes"),
        ("A | B", "A | B"),
        ("es=Fuera.|en=Out.", "es=Fuera. | en=Out."),
        ("ON | es = no", "ON | es = no"),
        (" es= Fuera. | ON ", "es=Fuera. | yes"),
        ("a=b and c=d", "a=b and c=d"),
    ],
)
def test_a_value_is_kept_in_one_form(given: str, kept: str) -> None:
    """One text, `yes`, or texts by language; checking what was checked changes nothing."""
    assert checked(given) == checked(kept) == kept


@pytest.mark.parametrize(
    "given", ["es=A | es=B", "es=A | B | C", "es= | en=A", "es=A | ", "es=" + "x" * 4097]
)
def test_a_value_that_says_two_things_is_refused(given: str) -> None:
    """Named by its setting, and nothing is guessed."""
    with pytest.raises(InvalidSetting) as refused:
        checked_settings({"confirm_opt_out": given})
    assert refused.value.field == "confirm_opt_out"


@pytest.mark.parametrize(
    ("value", "language", "said"),
    [
        ("", "es", ""),
        ("Out.", "es", "Out."),
        ("Out.", "", "Out."),
        ("yes", "es", TEXTS["es"]),
        ("yes", "", TEXTS["pt"]),
        ("es=Fuera.", "es", "Fuera."),
        ("es=Fuera.", "pt", ""),
        ("es=Fuera. | yes", "pt", TEXTS["pt"]),
        ("es=Fuera. | Out.", "pt", "Out."),
        ("es=Fuera. | pt=yes", "pt", TEXTS["pt"]),
        ("es=A | es=B", "es", "es=A | es=B"),
    ],
)
def test_who_is_told_what(value: str, language: str, said: str) -> None:
    """Their language's own text, else that for all others, else nothing; an unknown language is
    the bot's first."""
    assert text_for(value, language, ["pt", "es"]) == said


def test_a_bot_without_any_known_language_speaks_english() -> None:
    """`yes` always says something."""
    assert text_for("yes", "", ["fi"]) == TEXTS["en"]


def test_there_is_a_text_for_every_pack() -> None:
    """All languages of R10, each once, short, and in none of them a word that asks for anything:
    a program that is answered by its like falls silent."""
    assert TEXTS.keys() == PACKS.keys()
    assert len(set(TEXTS.values())) == len(TEXTS)
    for text in TEXTS.values():
        assert 20 <= len(text.encode()) <= 200
        assert intent(text, languages=sorted(PACKS)) in (Intent.NONE, Intent.REVIEW)
