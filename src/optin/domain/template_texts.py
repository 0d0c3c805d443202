"""The texts of a template that people read: what it says, and what its buttons say (H9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

BUTTON: Final = "button"
_PARTS: Final = ("header", "body", "footer", BUTTON)

#: Texts of one template that are kept, and characters of each: WhatsApp allows far fewer.
MOST_TEXTS: Final = 100
LONGEST_TEXT: Final = 4096
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


class TemplateText(NamedTuple):
    """`part`: `header`, `body`, `footer` or `button`."""

    part: str
    text: str


def texts_of(components: Any) -> tuple[TemplateText, ...]:
    """The texts in a list of components, as we show them or in the provider's shape, where buttons
    and the cards of a carousel stand one level deeper. What holds no text adds nothing; U+0000 and
    lone surrogates become U+FFFD."""
    return tuple(_texts(components, depth=3))[:MOST_TEXTS]


def _texts(given: Any, depth: int) -> Iterator[TemplateText]:
    for each in given if depth and isinstance(given, list) else ():
        if not isinstance(each, Mapping):
            continue
        part, text = str(each.get("type") or "").lower(), each.get("text")
        if part in _PARTS and isinstance(text, str) and text:
            yield _text(part, text)
        yield from _buttons(each.get("buttons"))
        yield from _texts(each.get("cards"), depth - 1)
        yield from _texts(each.get("components"), depth - 1)


def _buttons(given: Any) -> Iterator[TemplateText]:
    """Whatever kind of button it is: people are shown its text."""
    for each in given if isinstance(given, list) else ():
        text = each.get("text") if isinstance(each, Mapping) else None
        if isinstance(text, str) and text:
            yield _text(BUTTON, text)


def _text(part: str, text: str) -> TemplateText:
    """Fit for every store."""
    return TemplateText(part, _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:LONGEST_TEXT]))
