"""Reads keyword_corpus.txt: messages as people write them, each with what it should be taken for.

The sentences were composed before the packs, so that what a pack misses shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optin.domain.keywords import Intent

EXPECTED = {
    "plain": Intent.STOP,
    "polite": Intent.STOP,
    "marketing": Intent.MARKETING_STOP,
    "start": Intent.START,
    "help": Intent.HELP,
    "angry": Intent.REVIEW,  # long texts with a stop in them: for people to look at
    "leading": Intent.REVIEW,  # everyday, but it begins with a stop word
    "everyday": Intent.NONE,
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A message, the language pack that is active, its kind and what it should be taken for."""

    text: str
    language: str
    kind: str

    @property
    def expected(self) -> Intent:
        """What it should be taken for."""
        return EXPECTED[self.kind]


def sentences() -> Iterator[Sentence]:
    """The corpus in the order of the file."""
    language = kind = ""
    lines = Path(__file__).with_name("keyword_corpus.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("== "):
            language = line[3:]
        elif line.startswith("-- "):
            kind = line[3:]
        elif line and not line.startswith("#"):
            yield Sentence(line, language, kind)
