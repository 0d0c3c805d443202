"""What a contact's message asks for: to stop, to start, for help, or nothing of these (R10).

Only a message that is a keyword as a whole counts; a stop word inside a sentence is none. The
words are data in `packs`, and both sides are folded alike before they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from optin.domain.folding import fold
from optin.domain.packs import NANP_STOP, PACKS, Pack

# No keyword comes near it, and a novel should cost nothing.
LONGEST_KEYWORD_MESSAGE: Final = 200


class Intent(StrEnum):
    """What a message asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    NONE = "none"


def intent(
    text: str, *, languages: Sequence[str], nanp: bool = False, reply: bool = False
) -> Intent:
    """What `text` asks for by the packs of `languages` (codes as "en"; unknown ones add nothing).

    `nanp`: the contact's number begins with +1, so END and CANCEL are stop words, unless the
    message is a `reply` to our own button or list. Where languages disagree a stop wins, then a
    start word. Texts over 200 characters are `NONE`.
    """
    if len(text) > LONGEST_KEYWORD_MESSAGE:
        return Intent.NONE
    folded = fold(text)
    if nanp and not reply and folded in _NANP_STOP:
        return Intent.STOP
    meanings = {_WORDS[language].get(folded) for language in languages if language in _WORDS}
    return next((meaning for meaning in _STRONGEST_FIRST if meaning in meanings), Intent.NONE)


def _meanings(pack: Pack) -> dict[str, Intent]:
    # Stop words come last, so that they win within a pack, too.
    return (
        {fold(word): Intent.HELP for word in pack.help}
        | {fold(word): Intent.START for word in pack.start}
        | {fold(word): Intent.STOP for word in pack.stop}
    )


_STRONGEST_FIRST: Final = (Intent.STOP, Intent.START, Intent.HELP)
_WORDS: Final = {language: _meanings(pack) for language, pack in PACKS.items()}
_NANP_STOP: Final = frozenset(fold(word) for word in NANP_STOP)
