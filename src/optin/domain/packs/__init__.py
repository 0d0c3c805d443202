"""The language packs by their code (R10): data, no rules. A pack more is a module and a line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from optin.domain.packs.ar import ARABIC
from optin.domain.packs.de import GERMAN
from optin.domain.packs.en import ENGLISH, NANP_STOP
from optin.domain.packs.es import SPANISH
from optin.domain.packs.fr import FRENCH
from optin.domain.packs.he import HEBREW
from optin.domain.packs.hi import HINDI
from optin.domain.packs.id import INDONESIAN
from optin.domain.packs.it import ITALIAN
from optin.domain.packs.ja import JAPANESE
from optin.domain.packs.ko import KOREAN
from optin.domain.packs.nl import DUTCH
from optin.domain.packs.pack import Pack
from optin.domain.packs.pl import POLISH
from optin.domain.packs.pt import PORTUGUESE
from optin.domain.packs.ru import RUSSIAN
from optin.domain.packs.sv import SWEDISH
from optin.domain.packs.tr import TURKISH
from optin.domain.packs.zh import CHINESE

__all__ = ["NANP_STOP", "PACKS", "Pack"]

PACKS: Final[Mapping[str, Pack]] = MappingProxyType(
    {
        "ar": ARABIC,
        "de": GERMAN,
        "en": ENGLISH,
        "es": SPANISH,
        "fr": FRENCH,
        "he": HEBREW,
        "hi": HINDI,
        "id": INDONESIAN,
        "it": ITALIAN,
        "ja": JAPANESE,
        "ko": KOREAN,
        "nl": DUTCH,
        "pl": POLISH,
        "pt": PORTUGUESE,
        "ru": RUSSIAN,
        "sv": SWEDISH,
        "tr": TURKISH,
        "zh": CHINESE,
    }
)
