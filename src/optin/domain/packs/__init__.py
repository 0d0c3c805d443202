"""The language packs by their code (R10): data, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from optin.domain.packs.en import ENGLISH, NANP_STOP
from optin.domain.packs.pack import Pack

__all__ = ["NANP_STOP", "PACKS", "Pack"]

PACKS: Final[Mapping[str, Pack]] = MappingProxyType({"en": ENGLISH})
