"""Words that a template promises to hear as a stop, but that its bot would not understand (R10).

People do what the message tells them. When it says "reply BAJA to stop" and BAJA is in none of the
bot's language packs, their opt-out is an ordinary message: so the template needs looking at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from optin.domain.folding import comparable
from optin.domain.keywords import Intent, intent
from optin.domain.packs import PACKS
from optin.domain.template_texts import BUTTON, TemplateText

_STOPS: Final = (Intent.STOP, Intent.MARKETING_STOP)
_ALL_LANGUAGES: Final = tuple(sorted(PACKS))

# Where the verb comes last: "STOP yazarak", "mit STOPP antworten".
_VERB_LAST: Final = frozenset(("de", "hi", "ja", "ko", "nl", "tr"))
# Words from the verb to what it asks for ("reply with the word STOP"), and back to a last verb.
_FROM_VERB, _TO_VERB = 4, 3
# Words within which what an answer is good for follows it ("STOP to no longer receive").
_FROM_ANSWER: Final = 6
_LONGEST_PHRASE: Final = 5

_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)|[\n\u3002\uff01\uff1f\u0964\u061f]+")
_LATIN: Final = r"0-9A-Za-z\u00c0-\u024f"
_QUOTES: Final = r"\"\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f*_"
_SINGLE_QUOTES: Final = r"'\u2018\u2019"
_MARKS: Final = (
    r".,;:!?()\[\]{}<>=|~/`\u2026\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u0964\u061f\u060c"
)
_PIECE: Final = re.compile(
    rf"[{_QUOTES}](?P<quoted>[^{_QUOTES}\n]{{1,40}})[{_QUOTES}]"
    rf"|(?<!\w)[{_SINGLE_QUOTES}](?P<single>[^{_SINGLE_QUOTES}\n]{{1,40}})[{_SINGLE_QUOTES}](?![{_LATIN}])"
    rf"|(?P<latin>[{_LATIN}][{_LATIN}-]*)"
    rf"|(?P<other>[^\s{_LATIN}{_QUOTES}{_SINGLE_QUOTES}{_MARKS}]+)"
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word or a quoted phrase of a sentence; `stands_out` if it looks like a word to answer."""

    text: str
    folded: str
    stands_out: bool


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Of all packs: what asks for an answer, what it is good for, and the stop words."""

    replying: frozenset[str]
    replying_last: frozenset[str]
    leaving: frozenset[str]
    stops: frozenset[str]


def unheard_promises(
    template_text: str,
    languages: Sequence[str],
    own_stop: Sequence[str] = (),
    *,
    risky: AbstractSet[str] = frozenset(),
) -> list[str]:
    """The words, as written and each once, that this text asks to answer with in order to stop,
    and that `keywords.intent` with these arguments takes for no stop of any kind.

    Promises are recognised in the languages of all packs, whichever the bot has.
    """
    unheard = []
    for word in _promised(template_text):
        meaning = intent(word, languages=languages, own_stop=own_stop, risky=risky)
        if meaning not in _STOPS and word not in unheard:
            unheard.append(word)
    return unheard


def unheard_in_template(
    texts: Iterable[TemplateText],
    languages: Sequence[str],
    own_stop: Sequence[str] = (),
    *,
    risky: AbstractSet[str] = frozenset(),
) -> list[str]:
    """As `unheard_promises`, for all texts of a template: what they ask to answer with, and the
    buttons that are stops in the language of some pack, but not to this bot."""
    unheard: dict[str, None] = {}
    for part, text in texts:
        if part != BUTTON:
            unheard |= dict.fromkeys(unheard_promises(text, languages, own_stop, risky=risky))
        elif intent(text, languages=_ALL_LANGUAGES) in _STOPS:
            meaning = intent(text, languages=languages, own_stop=own_stop, risky=risky)
            unheard |= {} if meaning in _STOPS else {text: None}
    return [*unheard]


def _promised(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        pieces = [*_pieces(sentence)]
        answers = [place for place in range(len(pieces)) if _is_answer(pieces, place)]
        promised_before = -2  # where the last promise stood
        for number, place in enumerate(answers):
            before = pieces[answers[number - 1] + 1 if number else 0 : place]
            following = answers[number + 1] if number + 1 < len(answers) else len(pieces)
            after = pieces[place + 1 : following]
            joined = promised_before >= 0 and place - promised_before <= 2
            if joined or _is_promise(pieces[place], before, after, pieces):
                promised_before = place
                yield pieces[place].text


def _is_promise(
    answer: _Piece, before: Sequence[_Piece], after: Sequence[_Piece], sentence: Sequence[_Piece]
) -> bool:
    """Whether a verb asks for this answer and it is good for leaving, or known to be for that."""
    phrases = _phrases()
    asked = _holds(before[-_FROM_VERB:], phrases.replying) or _holds(
        after[:_TO_VERB], phrases.replying_last
    )
    if asked and answer.folded in phrases.stops:
        return True
    if _holds(after[:_FROM_ANSWER], phrases.leaving):
        return _holds(sentence, phrases.replying)
    return asked and _holds(before, phrases.leaving)


def _holds(pieces: Sequence[_Piece], phrases: AbstractSet[str]) -> bool:
    folded = [piece.folded for piece in pieces]
    inside = phrases & _run_together()
    return any(
        " ".join(folded[start:end]) in phrases
        for start in range(len(folded))
        for end in range(start + 1, min(start + _LONGEST_PHRASE, len(folded)) + 1)
    ) or any(phrase in word for word in folded if not word.isascii() for phrase in inside)


def _pieces(sentence: str) -> Iterator[_Piece]:
    raw = [(m.group(m.lastgroup or 0), m.lastgroup, m.span()) for m in _PIECE.finditer(sentence)]
    shouted = ""
    for place, (text, group, span) in enumerate(raw):
        follows = raw[place + 1] if place + 1 < len(raw) else None
        if group in ("quoted", "single"):
            words = comparable(text)
            stands_out = 0 < len(words) <= 4
            yield _Piece(text.strip(), " ".join(words), stands_out)
            continue
        apart = "" if follows is None else sentence[span[1] : follows[2][0]]
        if follows and apart == " " and _is_shouted(text) and _is_shouted(follows[0]):
            shouted += text + " "  # "STOP ALL" is one answer
            continue
        whole, shouted = shouted + text, ""
        folded = " ".join(comparable(whole))
        yield _Piece(whole, folded, _is_shouted(whole))


def _is_answer(pieces: Sequence[_Piece], place: int) -> bool:
    """Whether it looks like a word to answer with: by its form, or a stop word beside its verb."""
    piece, phrases = pieces[place], _phrases()
    if piece.stands_out or piece.folded not in phrases.stops:
        return piece.stands_out
    if _holds(pieces[max(place - 1, 0) : place], phrases.replying):
        return True
    has_case = piece.text.lower() != piece.text.upper()
    return not has_case and _holds(pieces[place + 1 : place + 2], phrases.replying_last)


def _is_shouted(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return text.isdigit() and len(text) <= 2
    return text.isupper()


@lru_cache(maxsize=1)
def _phrases() -> _Phrases:
    packs = PACKS.items()
    return _Phrases(
        replying=_folded(w for code, pack in packs for w in pack.replying),
        replying_last=_folded(
            w for code, pack in packs if code in _VERB_LAST for w in pack.replying
        ),
        leaving=_folded(word for _, pack in packs for word in pack.leaving),
        stops=_folded(word for _, pack in packs for word in (*pack.stop, *pack.alone)),
    )


@lru_cache(maxsize=1)
def _run_together() -> frozenset[str]:
    """The phrases that are found inside a run of letters."""
    unspaced = [pack for pack in PACKS.values() if not pack.spaced]
    return frozenset(
        phrase
        for phrase in _folded(w for pack in unspaced for w in (*pack.replying, *pack.leaving))
        if not phrase.isascii()
    )


def _folded(phrases: Iterator[str]) -> frozenset[str]:
    return frozenset(" ".join(comparable(phrase)) for phrase in phrases) - {""}
