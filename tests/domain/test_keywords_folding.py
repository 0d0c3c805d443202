"""The folding in front of the keywords (R10)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optin.domain.folding import comparable, fold


@given(st.text(max_size=80))
@example("İstanbul")
@example("ΐ´")
@example("ﷺ")
@example("각")
@example("0¶¯")
def test_folding_twice_is_folding_once(text: str) -> None:
    """A folded text is its own folded form, has single spaces, and nothing around it."""
    folded = fold(text)
    assert fold(folded) == folded
    assert folded == " ".join(folded.split())


@given(st.text(max_size=80))
@example("a,-,a")
def test_comparable_words_are_comparable(text: str) -> None:
    """Words that were made comparable stay as they are, and none stands twice in a row."""
    words = comparable(text)
    assert comparable(" ".join(words)) == words
    assert all(one != other for one, other in pairwise(words))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ARRÊT", "arret"),
        ("Désinscrire", "desinscrire"),
        ("WYŁĄCZ", "wylacz"),
        ("İPTAL", "iptal"),
        ("ıptal", "iptal"),
        ("ΔΙΑΚΟΠΉ", "διακοπη"),
        ("Straße", "strasse"),
        ("й", "й"),  # Cyrillic: another letter than и
        ("СТОП!", "стоп"),
        ("बंद", "बंद"),
        ("रोकें", "रोकें"),
        ("إيقاف", "إيقاف"),
        ("ﺇﻳﻘﺎﻑ", "إيقاف"),  # presentation forms
        ("הסר", "הסר"),
        ("수신거부", "수신거부"),
        ("配信停止。", "配信停止"),
        ("ﾃｲｼ", "テイシ"),
        ("退订\ufe0f", "退订"),
        ("СТОП❤️", "стоп"),
        ("ст\u0488оп", "стоп"),  # an enclosing sign
        ("1️⃣", "1"),
        ("が", "が"),  # the voicing mark makes another letter
        ("か\u3099", "が"),
        ("é\u0301\u0301", "e"),
        ("\u0301a", "a"),  # a mark on nothing
        ("don't", "don't"),
        ("🛑", ""),
        ("‼️", ""),
        ("opt\u2010out", "opt out"),
        (" a \u3000 b ", "a b"),
    ],
)
def test_folding_keeps_what_makes_a_word(text: str, folded: str) -> None:
    """Accents go in Latin and Greek only; other scripts keep the marks that make their letters."""
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Stop,please", ("stop", "please")),
        ("stop...please", ("stop", "please")),
        ("d'envoyer", ("d", "envoyer")),
        ("d’envoyer", ("d", "envoyer")),
        ("STOP STOP stop!", ("stop",)),
        ("停止！退订", ("停止", "退订")),
        ("me@example.org", ("me@example", "org")),
        ("+46 70", ("46", "70")),
    ],
)
def test_words_are_parted_by_punctuation(text: str, words: tuple[str, ...]) -> None:
    """Punctuation parts words where the space was left out, and repeated words count once."""
    assert comparable(text) == words


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_short_way_of_ascii_is_the_long_way(text: str) -> None:
    """A character of another script beside it changes nothing about how ASCII is folded."""
    assert fold(text + " é").removesuffix("e").strip() == fold(text)


@given(st.text(max_size=20), st.sampled_from(["\u0301", "\u3099", "\u093c"]))
def test_the_short_way_without_marks_is_the_long_way(text: str, mark: str) -> None:
    """A mark in another word, which needs the careful way, changes nothing about this one."""
    assert fold(text + " x" + mark) == fold(text + " x")
