"""What holds for every keyword of every pack, however it is written and whatever else is active."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from optin.domain.folding import comparable
from optin.domain.keywords import LONGEST_KEYWORD_MESSAGE, Intent, intent
from optin.domain.packs import PACKS

# Zero-width, joiners, soft hyphen, direction marks, byte order mark, selectors, Hangul filler.
INVISIBLE = "\u200b\u200c\u200d\u00ad\u200e\u202e\u2060\ufeff\ufe0f\u034f\u3164\x00"
AROUND = " .!?,;:'\"()[]*_~#🙏🛑👍🏽❤️…¡«»“”\t\n\u00a0\u3000"
ACCENTS = "\u0300\u0301\u0302\u0308\u030a\u0327\u0335"

KEYWORDS = [
    (word, code)
    for code, pack in PACKS.items()
    for words in (pack.stop, pack.alone, pack.marketing_stop, pack.start, pack.help)
    for word in words
]
STOP_WORDS = [(word, code) for code, pack in PACKS.items() for word in (*pack.stop, *pack.alone)]
START_WORDS = {comparable(word) for pack in PACKS.values() for word in pack.start}
PIECES = [
    word
    for pack in PACKS.values()
    for words in (pack.stop, pack.start, pack.help, pack.polite, pack.messages, pack.ending)
    for word in words
]
ANY_PACKS = st.lists(st.sampled_from(sorted(PACKS)), unique=True, max_size=len(PACKS))


def wide(letter: str) -> str:
    """The letter in its full-width form, if it has one."""
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


WRITINGS: list[Callable[[str], str]] = [str, str.upper, str.lower, wide]


@given(
    st.sampled_from(KEYWORDS), st.text(AROUND, max_size=12), st.text(AROUND, max_size=12), st.data()
)
def test_dressing_changes_no_keyword(
    keyword: tuple[str, str], before: str, after: str, data: st.DataObject
) -> None:
    """Case, width, accents, punctuation, emoji and invisible characters never change an intent."""
    word, language = keyword
    plain = intent(word, languages=[language])
    dressed = ""
    for letter in word:
        how = data.draw(st.sampled_from(WRITINGS))
        dressed += how(letter)
        if unicodedata.name(letter).startswith("LATIN"):
            dressed += data.draw(st.sampled_from(["", *ACCENTS]))
        dressed += data.draw(st.text(INVISIBLE, max_size=2))
    assert plain is not Intent.NONE
    assert intent(before + dressed + after, languages=[language]) is plain


@given(st.sampled_from(STOP_WORDS), ANY_PACKS, st.booleans(), st.booleans())
def test_a_stop_word_of_any_active_pack_stops(
    stop_word: tuple[str, str], others: list[str], nanp: bool, reply: bool
) -> None:
    """No other pack, no start word of the bot's own and no kind of message takes a stop away."""
    word, language = stop_word
    for languages in ([language, *others], [*others, language]):
        heard = intent(word, languages=languages, own_start=[word], nanp=nanp, reply=reply)
        assert heard is Intent.STOP


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), ANY_PACKS)
def test_only_a_start_word_starts(pieces: list[str], languages: list[str]) -> None:
    """However the packs' words are put together, only a start word as a whole lifts a stop."""
    text = " ".join(pieces)
    if intent(text, languages=languages) is Intent.START:
        assert comparable(text) in START_WORDS


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=60), st.text(AROUND, min_size=201))
def test_no_long_text_is_a_stop(pieces: list[str], after: str) -> None:
    """Over the limit nothing is more than a review, not even a stop word with a tail."""
    text = " ".join(pieces) + after
    assert len(text) > LONGEST_KEYWORD_MESSAGE
    assert intent(text, languages=sorted(PACKS)) in (Intent.REVIEW, Intent.NONE)


@given(st.sampled_from(STOP_WORDS), st.text("bqxz", min_size=4, max_size=8), st.booleans())
def test_a_word_that_no_pack_knows_makes_it_no_stop(
    stop_word: tuple[str, str], stranger: str, first: bool
) -> None:
    """Beside a word that means something else, a stop word is at most for people to look at."""
    word, _ = stop_word
    text = f"{stranger} {word}" if first else f"{word} {stranger}"
    assert intent(text, languages=sorted(PACKS)) in (Intent.REVIEW, Intent.NONE)


@given(st.text(max_size=60), ANY_PACKS)
@example("停止" + "的" * 4000, ["zh"])
@example("stop " * 4000, ["en"])
@example("stop me " * 4000, ["en"])
def test_any_text_has_an_intent(text: str, languages: list[str]) -> None:
    """Whatever is written, reading it raises nothing, and the order of the packs is the same."""
    heard = intent(text, languages=languages)
    assert heard is intent(text, languages=languages[::-1])


@given(st.sampled_from(KEYWORDS), ANY_PACKS)
def test_more_packs_never_unhear_a_stop(keyword: tuple[str, str], others: list[str]) -> None:
    """What one pack hears as a stop of either kind stays one when packs are added."""
    word, language = keyword
    stops = (Intent.STOP, Intent.MARKETING_STOP)
    if intent(word, languages=[language]) in stops:
        assert intent(word, languages=[language, *others]) in stops
