"""Unicode folding: one form for all ways in which people and phones write the same word (R10)."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby
from typing import Final

# Latin letters whose stroke or missing dot is part of the letter, not a mark that can be taken off.
_PLAIN_LETTERS: Final = str.maketrans("łøđħŧı", "lodhti")

# Letters and marks by category, but drawn as nothing: Hangul fillers, Khmer's inherent vowels.
_DRAWN_AS_NOTHING: Final = frozenset("\u115f\u1160\u17b4\u17b5")
# Variation selectors and the grapheme joiner are marks, yet belong to no letter.
_SELECTORS: Final = frozenset(
    [0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_WORD_BREAKS: Final = frozenset(("Pd", "So", "Zl", "Zp", "Zs"))

_ASCII: Final = str.maketrans(
    {chr(code): " " if chr(code).isspace() else None for code in (*range(0x20), 0x7F)} | {"-": " "}
)

_A_MARK: Final = "\uffff"  # no character, so none is folded to it
_MOST_LETTERS_LEARNED: Final = 20_000


def fold(text: str) -> str:
    """`text` in the form in which keywords are compared; the empty string if nothing is left.

    Case and width go, and accents in Latin and Greek script (elsewhere marks make other words).
    Invisible characters vanish; emoji, dashes and white space part words; what surrounds a word
    (punctuation, symbols) goes.
    """
    plain = _plain_ascii(text) if text.isascii() else _plain(text)
    return " ".join([bare for word in plain.split() if (bare := _bare_word(word))])


def comparable(text: str) -> tuple[str, ...]:
    """The words of `text`, folded, parted by punctuation too; a word said again and again once."""
    parted = fold(text).translate(_PARTED).split()
    words = [bare for word in parted if (bare := _bare_word(word))]
    return tuple(word for word, _ in groupby(words))


def _plain_ascii(text: str) -> str:
    """The same as `_plain`, for the many messages that need none of its care."""
    return text.casefold().translate(_ASCII)


def _plain(text: str) -> str:
    """Letter by letter, which is right as long as no mark stands on its own."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = folded.translate(_LETTERS)
    if _A_MARK in plain:
        return _marks_weighed(folded)
    return unicodedata.normalize("NFC", plain)


def _marks_weighed(folded: str) -> str:
    """Decomposed, so that marks stand alone; put together again for the scripts that keep them."""
    kept: list[str] = []
    keeps_marks = False  # nor does a mark stay that stands on no letter
    for character in unicodedata.normalize("NFKD", folded):
        category = unicodedata.category(character)
        if category[0] == "M":
            if keeps_marks and category != "Me" and ord(character) not in _SELECTORS:
                kept.append(character)
        elif category in _WORD_BREAKS or character.isspace():
            kept.append(" ")
            keeps_marks = False
        elif category[0] != "C" and character not in _DRAWN_AS_NOTHING:
            kept.append(character)
            keeps_marks = category[0] in "LN" and not _is_latin_or_greek(character)
    return unicodedata.normalize("NFC", "".join(kept).translate(_PLAIN_LETTERS))


class _Letters(dict[int, str]):
    """What becomes of each letter, learned when it first comes; `_A_MARK` for marks."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        is_mark = unicodedata.category(letter)[0] == "M"
        becomes = _A_MARK if is_mark else _marks_weighed(letter)
        if len(self) < _MOST_LETTERS_LEARNED:
            self[code] = becomes
        return becomes


@lru_cache(maxsize=2048)
def _is_latin_or_greek(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith(("LATIN", "GREEK"))


def _bare_word(word: str) -> str:
    if word.isalnum():
        return word
    start, end = 0, len(word)
    while start < end and _surrounds(word[start]):
        start += 1
    while end > start and _surrounds(word[end - 1]):
        end -= 1
    return word[start:end]


@lru_cache(maxsize=2048)
def _surrounds(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


class _Parted(dict[int, str]):
    """Punctuation parts words also where people leave out the space ("stop,please", "d'envoyer");
    symbols do not, nor does what holds addresses together."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        parts = unicodedata.category(character)[0] == "P" and character not in "@#%&\\"
        becomes = " " if parts else character
        if len(self) < _MOST_LETTERS_LEARNED:
            self[code] = becomes
        return becomes


_LETTERS: Final = _Letters()
_PARTED: Final = _Parted()
