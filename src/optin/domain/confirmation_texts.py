"""What the one message after an opt-out says, in the contact's language (R7).

The setting's value is `yes` for the packs' own texts, a text for everybody, or texts by language:
`es=Ya no le escribimos. | yes`, where the part without a language is for all others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from optin.domain.packs.confirmations import TEXTS

#: The setting's word for the built-in texts.
BUILT_IN: Final = "yes"
_WORDS: Final = ("yes", "on")

_TAGGED: Final = re.compile(r"(?P<language>[a-z]{2,3})=(?P<text>.*)")
_LONGEST: Final = 4096  # characters of a text message at WhatsApp


def checked(value: str) -> str:
    """The setting's value as it is kept. Raises `ValueError` with what is wrong."""
    texts = _texts(value)
    if any(len(text) > _LONGEST for text in texts.values()):
        raise ValueError(f"has a text of more than {_LONGEST} characters")
    if not any(texts):
        return texts[""]
    parts = [f"{language}={text}" if language else text for language, text in texts.items()]
    return " | ".join(parts)


def text_for(value: str, language: str, languages: Sequence[str]) -> str:
    """What to say to somebody whose stop word was one of `language`, "" if that is not known; ""
    if nothing is to be said. `languages`: the bot's, of which the first that has a text counts."""
    try:
        texts = _texts(value) if value else {}
    except ValueError:  # set before values were checked like this: an opt-out must not fail for it
        texts = {"": value}
    text = texts.get(language) or texts.get("", "")
    if text != BUILT_IN:
        return text
    return next((TEXTS[each] for each in (language, *languages) if each in TEXTS), TEXTS["en"])


def _texts(value: str) -> dict[str, str]:
    """Language -> text, "" for all others. A value without any language is one text."""
    parts = [part.strip() for part in value.split("|")]
    tagged = [_TAGGED.fullmatch(part) for part in parts]
    if not any(tagged):
        return {"": _word(value)}
    found: dict[str, str] = {}
    for part, match in zip(parts, tagged, strict=True):
        language, text = (match["language"], match["text"].strip()) if match else ("", part)
        if not text:
            raise ValueError("has a part without a text")
        if language in found:
            raise ValueError("has two texts for the same language, or two without one")
        found[language] = _word(text)
    return found


def _word(text: str) -> str:
    return BUILT_IN if text.lower() in _WORDS else text
