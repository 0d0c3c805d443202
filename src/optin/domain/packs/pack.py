"""The shape of a language pack (R10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pack:
    """The words of one language, as people write them; the reader folds them as it does messages.

    Phrases are entries, too. An entry that ends in `*` is a beginning: any ending may follow
    (`messages`, `sending` and `promotions` only). In `spaced=False` the words of a text run
    together and are found by their letters.
    """

    #: Each an opt-out as a whole message, in a short request, and at the head of a long text.
    stop: tuple[str, ...]
    #: Start words; they count as a whole message only.
    start: tuple[str, ...]
    #: Help words; as a whole message only.
    help: tuple[str, ...]
    #: Stop words that say too little beside politeness: alone, or with a word of `messages`.
    alone: tuple[str, ...] = ()
    #: No stop words, but with a word of `messages` they ask the same ("no more" messages).
    ending: tuple[str, ...] = ()
    #: Of `ending`: those that take a stop word back if it follows them ("don't" stop).
    refusing: tuple[str, ...] = ()
    #: Whole requests to stop promotions only.
    marketing_stop: tuple[str, ...] = ()
    #: What a bot sends.
    messages: tuple[str, ...] = ()
    #: How a bot sends it: sending, writing, contact.
    sending: tuple[str, ...] = ()
    #: What makes a request one about marketing only.
    promotions: tuple[str, ...] = ()
    #: Politeness and small words which change nothing about a request.
    polite: tuple[str, ...] = ()
    #: Phrases that hold a stop word and ask for nothing (a "bus stop").
    idioms: tuple[str, ...] = ()
    #: Stop words which answer something else in conversation: only where a bot switches them on.
    risky: tuple[str, ...] = ()
    #: The same for start words.
    risky_start: tuple[str, ...] = ()
    #: In a template: the words that ask for an answer ("reply").
    replying: tuple[str, ...] = ()
    #: In a template: what an answer is good for, if it is to stop ("unsubscribe").
    leaving: tuple[str, ...] = ()
    #: Whether spaces part the words.
    spaced: bool = True


def words(text: str) -> tuple[str, ...]:
    """The entries of `text`, which commas and line ends part."""
    entries = (entry.strip() for entry in text.replace("\n", ",").split(","))
    return tuple(entry for entry in entries if entry)
