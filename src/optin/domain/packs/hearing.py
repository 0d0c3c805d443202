"""Several packs made ready together, so that an ordinary message costs a few look-ups (R10)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

from optin.domain.folding import comparable
from optin.domain.packs import PACKS, Pack
from optin.domain.packs.lexicon import Lexicon

# The first letter of the scripts that part no words, as far as packs are written in them.
_RUN_TOGETHER: Final = "\u1100"


class Intent(StrEnum):
    """What a message asks for; of several the first in this order counts."""

    STOP = "stop"
    MARKETING_STOP = "marketing_stop"
    START = "start"
    HELP = "help"
    REVIEW = "review"
    NONE = "none"


_STRENGTH: Final = {meaning: place for place, meaning in enumerate(Intent)}


def strongest(meanings: Iterable[Intent]) -> Intent:
    """The one that counts; `NONE` of nothing."""
    return min(meanings, key=_STRENGTH.__getitem__, default=Intent.NONE)


@dataclass(frozen=True, slots=True)
class OwnWords:
    """A bot's own words and the risky ones it has switched on, folded."""

    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()


NOTHING_OWN: Final = OwnWords()


@dataclass(frozen=True, slots=True)
class Heard:
    """What the packs of some languages say of whole messages, and where there is more to read."""

    lexicons: tuple[Lexicon, ...]
    whole: Mapping[str, Intent]
    # By the first word of each phrase that asks: all its words, and whose it is.
    beginnings: Mapping[str, tuple[tuple[tuple[str, ...], Lexicon], ...]]
    letters: re.Pattern[str] | None  # what asks in texts whose words run together

    def asked_in(self, words: Sequence[str], own: OwnWords) -> list[Lexicon]:
        """The lexicons that have a phrase of theirs, or of `own`, in these words: mostly none."""
        joined = " ".join(words)
        if own.stop and any(phrase in joined for phrase in own.stop):
            return [*self.lexicons]
        asking = {}
        for place, word in enumerate(words):
            if word in self.beginnings:
                for phrase, lexicon in self.beginnings[word]:
                    if tuple(words[place : place + len(phrase)]) == phrase:
                        asking[id(lexicon)] = lexicon
        if self.letters and max(joined) >= _RUN_TOGETHER and self._asks_by_letters(words):
            asking |= {id(each): each for each in self.lexicons if not each.spaced}
        return [*asking.values()]

    def _asks_by_letters(self, words: Sequence[str]) -> bool:
        return self.letters is not None and bool(self.letters.search("".join(words)))


@lru_cache(maxsize=256)
def heard(languages: tuple[str, ...]) -> Heard:
    """The packs of these languages; unknown ones add nothing."""
    codes = [code for code in dict.fromkeys(languages) if code in PACKS]
    beginnings: dict[str, list[tuple[tuple[str, ...], Lexicon]]] = {}
    letters: list[str] = []
    whole: dict[str, Intent] = {}
    for lexicon in map(_lexicon, codes):
        for phrase in lexicon.asking():
            if lexicon.spaced or phrase.isascii():
                parts = tuple(phrase.split())
                beginnings.setdefault(parts[0], []).append((parts, lexicon))
            if not lexicon.spaced:
                letters.append(re.escape(phrase))
    for code in codes:
        for phrase, meaning in _whole_messages(PACKS[code]):
            whole[phrase] = strongest((whole.get(phrase, meaning), meaning))
    return Heard(
        tuple(map(_lexicon, codes)) or (_WITHOUT_WORDS,),
        whole,
        {word: tuple(phrases) for word, phrases in beginnings.items()},
        re.compile("|".join(letters)) if letters else None,
    )


@lru_cache(maxsize=4096)
def own_words(
    languages: tuple[str, ...],
    stop: tuple[str, ...],
    start: tuple[str, ...],
    risky: frozenset[str],
) -> OwnWords:
    """A bot's own words with those of the packs' risky ones that `risky` names."""
    packs = [PACKS[code] for code in languages if code in PACKS]
    named = _folded(risky)
    return OwnWords(
        _folded(stop) | (named & _folded(word for pack in packs for word in pack.risky)),
        _folded(start) | (named & _folded(word for pack in packs for word in pack.risky_start)),
    )


def _folded(phrases: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(comparable(phrase)) for phrase in phrases) - {""}


def _whole_messages(pack: Pack) -> Iterable[tuple[str, Intent]]:
    listed = (
        (Intent.STOP, (*pack.stop, *pack.alone)),
        (Intent.MARKETING_STOP, pack.marketing_stop),
        (Intent.START, pack.start),
        (Intent.HELP, pack.help),
    )
    for meaning, phrases in listed:
        for phrase in _folded(phrases):
            yield phrase, meaning
            if not pack.spaced:
                yield phrase.replace(" ", ""), meaning


@cache
def _lexicon(code: str) -> Lexicon:
    return Lexicon.of(PACKS[code])


_WITHOUT_WORDS: Final = Lexicon.of(Pack(stop=(), start=(), help=()))
