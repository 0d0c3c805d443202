"""Where a bot's templates are listed: at its provider (H9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from optin.domain.bots import Bot
from optin.domain.template_texts import TemplateText


class TemplatesNotListed(Exception):
    """The provider did not list all of them; the text says why. Nothing may be concluded."""


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A template as the provider lists it, in its words."""

    name: str
    language: str
    category: str
    status: str
    components: tuple[TemplateText, ...] = ()


class TemplateSource(Protocol):
    """One provider's lists."""

    async def listed(self, bot: Bot) -> list[ListedTemplate]:
        """All templates of the bot's account. Raises `TemplatesNotListed` unless it is all."""

    async def close(self) -> None:
        """Closes idle connections."""
