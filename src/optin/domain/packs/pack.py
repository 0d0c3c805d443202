"""The shape of a language pack (R10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pack:
    """The words of one language, each a whole message, written as people write them.

    The reader folds them as it folds messages, so case, accents and hyphens need no variants.
    """

    stop: tuple[str, ...]
    start: tuple[str, ...]
    help: tuple[str, ...]
