"""What a contact's message asks for: to stop, to start, for help, or nothing of these (R10).

A message that is a stop word as a whole is an opt-out, and so is a short request: at most four
words that a pack knows, a stop word and nothing beside it but politeness and what is sent. A stop
word in a longer message is at most something for people to look at. The words are data in `packs`;
they and the message are folded alike before they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final

from optin.domain.folding import comparable, fold
from optin.domain.packs import NANP_STOP
from optin.domain.packs.hearing import NOTHING_OWN, Intent, heard, own_words, strongest
from optin.domain.packs.lexicon import Found, Lexicon, Role

__all__ = ["LONGEST_KEYWORD_MESSAGE", "Intent", "intent"]

#: Characters. No keyword or short request comes near it; longer texts get a review at most.
LONGEST_KEYWORD_MESSAGE: Final = 200
#: Characters of a long text that are read at all; a novel should cost nothing.
LONGEST_READ: Final = 1000

#: Words of a short request; where words run together, about as many letters.
MOST_WORDS: Final = 4
MOST_LETTERS: Final = 20


def intent(
    text: str,
    *,
    languages: Sequence[str],
    nanp: bool = False,
    reply: bool = False,
    own_stop: Sequence[str] = (),
    own_start: Sequence[str] = (),
    risky: AbstractSet[str] = frozenset(),
) -> Intent:
    """What `text` asks for by the packs of `languages` (codes as "en"; unknown ones add nothing).

    `nanp`: the contact's number begins with +1, so END and CANCEL are stop words, unless the
    message is a `reply` to our own button or list. `own_stop` and `own_start` are a bot's own
    words or phrases; `risky` names those of the packs' risky words that it has switched on. Of
    several meanings a stop wins, then a start. Over 200 characters: `REVIEW` at most.
    """
    words = comparable(text[:LONGEST_READ])
    if not words:
        return Intent.NONE
    packs = heard(tuple(languages))
    own = NOTHING_OWN
    if own_stop or own_start or risky:
        own = own_words(tuple(languages), tuple(own_stop), tuple(own_start), frozenset(risky))
    phrase = " ".join(words)
    whole = packs.whole.get(phrase, Intent.NONE)
    short = len(text) <= LONGEST_KEYWORD_MESSAGE
    if short and (whole is Intent.STOP or phrase in own.stop):
        return Intent.STOP
    if short and nanp and not reply and phrase in _NANP_STOP:
        return Intent.STOP
    asking = packs.asked_in(words, own)
    if short:
        meanings = [_requested(words, lexicon, own.stop) for lexicon in asking]
        started = Intent.START if phrase in own.start else Intent.NONE
        meaning = strongest((*meanings, whole, started))
        if meaning is not Intent.NONE:
            return meaning
    idioms = [idiom for lexicon in packs.lexicons for idiom in lexicon.idioms(words)]
    unclear = any(_is_unclear(words, lexicon, own.stop, idioms) for lexicon in asking)
    return Intent.REVIEW if unclear else Intent.NONE


def _requested(words: Sequence[str], lexicon: Lexicon, own: AbstractSet[str]) -> Intent:
    """What a short request asks for; `NONE` if it is long, or says anything else besides."""
    phrases = _short_text(words, lexicon, own)
    roles = {each.role for each in phrases}
    asks = not roles.isdisjoint((Role.STOP, Role.ALONE, Role.ENDING, Role.REFUSING))
    if Role.IDIOM in roles:
        return Intent.NONE
    if roles.isdisjoint(_WHAT_IS_SENT) and _is_taken_back(phrases):
        return Intent.REVIEW
    if Role.MARKETING_STOP in roles or (asks and Role.PROMOTION in roles):
        return Intent.MARKETING_STOP
    if Role.STOP in roles or (asks and Role.MESSAGES in roles):
        return Intent.STOP
    return Intent.NONE


def _is_taken_back(phrases: Iterable[Found]) -> bool:
    """Whether the stop word is what somebody does not want ("no quiero baja", "don't stop")."""
    said = [each.role for each in phrases if each.role is not Role.POLITE]
    return any(
        one is Role.REFUSING and following in (Role.STOP, Role.ALONE)
        for one, following in pairwise(said)
    )


def _short_text(words: Sequence[str], lexicon: Lexicon, own: AbstractSet[str]) -> Sequence[Found]:
    """The phrases that make up the text, none if it is longer than a request.

    Set phrases ("por favor", "opt me out") count as one word each, single letters as none.
    """
    if not lexicon.spaced:
        fits = sum(map(len, words)) <= MOST_LETTERS
        return lexicon.covering(words, own) if fits else ()
    phrases = lexicon.covering(words, own) if len(words) <= MOST_LETTERS else ()
    counted = 0
    for each in phrases:
        longer = sum(len(word) > 1 for word in words[each.start : each.end])
        counted += min(longer, 1) if each.role in (Role.POLITE, Role.STOP) else longer
    return phrases if counted <= MOST_WORDS else ()


def _is_unclear(
    words: Sequence[str], lexicon: Lexicon, own: AbstractSet[str], idioms: Sequence[Found]
) -> bool:
    """Whether people should look at it: it begins with a stop word, has one before a number, or
    speaks of messages, sending or contact near one. `idioms`: of all languages that part words,
    since a stop word of one is everyday in another ("stop kontak").
    """
    found = lexicon.found(words, own)
    stops = [each for each in found if each.role in (Role.STOP, Role.ALONE)]
    if not lexicon.spaced:
        idioms = [_in_letters(idiom, words) for idiom in idioms]
    stops = [each for each in stops if not any(map(each.is_within, idioms))]
    if any(_leads(stop, words, lexicon, own) for stop in stops):
        return True
    near, nearer = (4, 3) if lexicon.spaced else (12, 8)
    contact = [each for each in found if each.role in (Role.MESSAGES, Role.SENDING)]
    messages = [each for each in contact if each.role is Role.MESSAGES]
    endings = [each for each in found if each.role in (Role.ENDING, Role.REFUSING)]
    return _are_near(stops, contact, near) or _are_near(endings, messages, nearer)


def _in_letters(phrase: Found, words: Sequence[str]) -> Found:
    """Where the phrase stands among the text's letters, a space between two words."""
    start = sum(len(word) + 1 for word in words[: phrase.start])
    length = len(" ".join(words[phrase.start : phrase.end]))
    return Found(phrase.role, start, start + length)


def _leads(stop: Found, words: Sequence[str], lexicon: Lexicon, own: AbstractSet[str]) -> bool:
    """Whether the text begins with this stop word, or a number comes next."""
    if lexicon.spaced:
        return stop.start == 0 or (stop.end < len(words) and words[stop.end].isdigit())
    # Where words run together many texts begin alike: there it must stand apart.
    text = " ".join(words)
    apart = stop.start == 0 and bool(_short_text(words[:1], lexicon, own))
    return apart or text[stop.end :].strip()[:1].isdigit()


def _are_near(some: Iterable[Found], others: Sequence[Found], most: int) -> bool:
    return any(
        max(other.start - each.end, each.start - other.end) <= most
        for each in some
        for other in others
    )


_WHAT_IS_SENT: Final = (Role.MESSAGES, Role.SENDING, Role.PROMOTION)
_NANP_STOP: Final = frozenset(map(fold, NANP_STOP))
