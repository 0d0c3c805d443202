"""A bot's template records, from which a template message's category is read (H9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from optin.domain.errors import InvalidInput, NotFound
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.template_texts import TemplateText, texts_of
from optin.ports.store import Reads, Store, Template, Transaction

_LONGEST_NAME = 512
_LONGEST_STATUS = 64


@dataclass(frozen=True, slots=True)
class ManageTemplates:
    """Lists and sets template records."""

    store: Store

    async def put(
        self,
        bot_id: str,
        name: str,
        language: str,
        category: str,
        status: str = "",
        components: Any = None,
    ) -> Template:
        """Adds the record or replaces it; in force for every decision that starts afterwards.

        `category` is `marketing`, `utility` or `authentication`; "" says that it is unknown, and
        then the template is judged as marketing (R7). `components`: a list of what people read, as
        records show it or in the provider's shape; None keeps what is known. Raises `InvalidInput`
        or `NotFound`.
        """
        await self._known(bot_id)
        template = Template(
            name=_checked_name(name),
            language=_checked_language(language),
            category=_checked_category(category),
            status=_checked_status(status),
            components=_checked_components(components),
        )
        return await self.store.commit(_Put(bot_id, template, keep_texts=components is None))

    async def templates(self, bot_id: str) -> list[Template]:
        """All records of the bot, by name and language. Raises `NotFound` for an unknown bot."""
        await self._known(bot_id)
        return await self.store.templates(bot_id)

    async def template(self, bot_id: str, name: str, language: str) -> Template:
        """One record. Raises `NotFound`, or `InvalidInput` if `language` is none."""
        await self._known(bot_id)
        found = await self.store.template(bot_id, name, _checked_language(language))
        if found is None:
            raise NotFound("There is no record of this template.")
        return found

    async def _known(self, bot_id: str) -> None:
        if await self.store.bot(bot_id) is None:
            raise NotFound(f"There is no bot {bot_id}.")


@dataclass(frozen=True, slots=True)
class _Put:
    bot_id: str
    template: Template
    keep_texts: bool

    @property
    def reads(self) -> Reads:
        return Reads(templates=frozenset({(self.template.name, self.template.language)}))

    def run(self, tx: Transaction) -> Template:
        stored = replace(self.template, updated=tx.now)
        known = tx.template(stored.name, stored.language)
        if self.keep_texts and known is not None:
            stored = replace(stored, components=known.components)
        tx.put_template(stored)
        return stored


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            f"A template name has 1 to {_LONGEST_NAME} printable characters.", field="name"
        )
    return name


def _checked_language(language: str) -> str:
    canonical = canonical_language(language)
    if canonical is None:
        raise InvalidInput("A language is a code such as en or en_US.", field="language")
    return canonical


def _checked_category(category: str) -> Category | None:
    if not category:
        return None
    known = (Category.MARKETING, Category.UTILITY, Category.AUTHENTICATION)
    if category.lower() not in known:
        raise InvalidInput(f"A category is one of: {', '.join(known)}.", field="category")
    return Category(category.lower())


def _checked_components(components: Any) -> tuple[TemplateText, ...]:
    if components is None:
        return ()
    if not isinstance(components, list) or not all(isinstance(each, dict) for each in components):
        raise InvalidInput("Field [components] must be a list of objects.", field="components")
    return texts_of(components)


def _checked_status(status: str) -> str:
    if len(status) > _LONGEST_STATUS or (status and not status.isprintable()):
        raise InvalidInput(
            f"A status has at most {_LONGEST_STATUS} printable characters.", field="status"
        )
    return status
