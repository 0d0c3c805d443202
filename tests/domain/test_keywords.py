"""Keywords and the folding in front of them (R10)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optin.domain.folding import fold
from optin.domain.keywords import Intent, intent
from optin.domain.packs import NANP_STOP, PACKS
from tests.vectors import load

CASES: list[dict[str, Any]] = load("keywords")["cases"]
ENGLISH = [case for case in CASES if case["languages"] == ["en"]]
WHOLE_MESSAGES = [case for case in ENGLISH if case["intent"] in set(Intent)]
# Zero-width, joiners, soft hyphen, direction marks, byte order mark, selectors, Hangul filler.
INVISIBLE = "\u200b\u200c\u200d\u00ad\u200e\u202e\u2060\ufeff\ufe0f\u034f\u3164\x00"
AROUND = " .!?,;:'\"()[]*_~#🙏🛑👍🏽❤️…¡«»“”\t\n\u00a0\u3000"


@pytest.mark.parametrize("case", WHOLE_MESSAGES, ids=lambda case: repr(case["text"]))
def test_whole_messages_mean_what_they_say(case: dict[str, Any]) -> None:
    """Each English case of the vectors about stop, start, help or none gives that intent."""
    assert intent(case["text"], languages=["en"]) == case["intent"]


@pytest.mark.parametrize("case", ENGLISH, ids=lambda case: repr(case["text"]))
def test_only_a_start_word_starts(case: dict[str, Any]) -> None:
    """No English case of the vectors, however unclear, lifts a stop unless it is a start word."""
    started = intent(case["text"], languages=["en"]) is Intent.START
    assert started == (case["intent"] == "start")


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_languages_not_known_add_nothing(case: dict[str, Any]) -> None:
    """Without a pack that a bot names, every message is an ordinary one."""
    assert intent(case["text"], languages=["xx"]) is Intent.NONE
    assert intent(case["text"], languages=[]) is Intent.NONE


def test_an_unknown_language_hides_no_known_one() -> None:
    """The packs that exist are read whatever stands beside them."""
    assert intent("Stop", languages=["xx", "en"]) is Intent.STOP


@pytest.mark.parametrize("word", [*NANP_STOP, "CANCEL!", "End."])
def test_end_and_cancel_count_for_nanp_numbers_alone(word: str) -> None:
    """For +1 they stop in whatever language, but neither elsewhere nor as an answer to us."""
    assert intent(word, languages=["en"], nanp=True) is Intent.STOP
    assert intent(word, languages=["xx"], nanp=True) is Intent.STOP
    assert intent(word, languages=["en"]) is Intent.NONE
    assert intent(word, languages=["en"], nanp=True, reply=True) is Intent.NONE


def test_stop_in_a_button_is_a_stop() -> None:
    """A plain stop word counts in an answer to our own button, too."""
    assert intent("STOP", languages=["en"], nanp=True, reply=True) is Intent.STOP
    assert intent("STOP", languages=["en"], reply=True) is Intent.STOP


@pytest.mark.parametrize("word", ["YES", "1", "yes!", "1️⃣", "Y", "ok", "subscribe", "NO"])
def test_small_talk_is_never_a_keyword(word: str) -> None:
    """YES and 1 mean something else in conversation, in every mode."""
    for nanp in (False, True):
        for reply in (False, True):
            assert intent(word, languages=["en"], nanp=nanp, reply=reply) is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        "non stop",
        "stopped",
        "stopping",
        "bus stop",
        "stop it now or else",
        "don't stop",
        "start stop",
        "no info",
        "st op",
        "CTOП",  # a Cyrillic П: another word
    ],
)
def test_a_word_inside_other_words_is_none(text: str) -> None:
    """Only the whole message counts."""
    assert intent(text, languages=["en"]) is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        "Stop, please!",
        "Please... STOP",
        "PLEASE\nSTOP",
        "stop🙏please",
        "Opt‑out",  # a non-breaking hyphen
        "opt—out",
        "Ｏｐｔ－Ｏｕｔ",
        "ⓢⓣⓞⓟ",
        "𝐒𝐓𝐎𝐏",
        "ŚTÓP",
        "S̴T̷O̸P̶",
        "s\x00top",
        "\u202estop\u202c",
        "\ud800stop",
        "👍🏽 stop ❤️",
        "*STOP*",
        "«stop»",
    ],
)
def test_one_word_in_many_dresses(text: str) -> None:
    """Width, style, accents, dashes, control characters and emoji hide no opt-out."""
    assert intent(text, languages=["en"]) is Intent.STOP


@given(
    st.sampled_from([(word, code) for code, pack in PACKS.items() for word in pack.stop]),
    st.text(AROUND, max_size=12),
    st.text(AROUND, max_size=12),
    st.data(),
)
def test_dressing_never_hides_a_stop_word(
    word_of: tuple[str, str], before: str, after: str, data: st.DataObject
) -> None:
    """A stop word in any case, with anything unseen inside and any punctuation around, stops."""
    word, language = word_of
    dressed = "".join(
        (letter.upper() if data.draw(st.booleans()) else letter)
        + data.draw(st.text(INVISIBLE, max_size=2))
        for letter in word
    )
    assert intent(before + dressed + after, languages=[language]) is Intent.STOP


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


def test_long_texts_are_ordinary_at_once() -> None:
    """200 characters are still read, one more is none, and a book costs nothing."""
    assert intent("stop" + "!" * 196, languages=["en"]) is Intent.STOP
    assert intent("stop" + "!" * 197, languages=["en"]) is Intent.NONE
    assert intent("ﷺ" * 10_000_000, languages=["en"]) is Intent.NONE


@pytest.mark.parametrize("language", sorted(PACKS))
def test_packs_are_sound(language: str) -> None:
    """Each word of a pack means what its list says, none folds to nothing, none stands twice."""
    pack = PACKS[language]
    lists = {Intent.STOP: pack.stop, Intent.START: pack.start, Intent.HELP: pack.help}
    folded = [fold(word) for words in lists.values() for word in words]
    assert "" not in folded
    assert len(folded) == len(set(folded))
    for meaning, words in lists.items():
        assert words
        assert all(intent(word, languages=[language]) is meaning for word in words)


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_short_way_of_ascii_is_the_long_way(text: str) -> None:
    """A character of another script beside it changes nothing about how ASCII is folded."""
    assert fold(text + " é").removesuffix("e").strip() == fold(text)
