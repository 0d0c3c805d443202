"""What a provider's words about a template mean for its record (H9, R7)."""

from __future__ import annotations

from optin.domain.inbound import Item, TemplateUpdate
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.template_texts import TemplateText

_CATEGORIES = {
    "MARKETING": Category.MARKETING,
    "UTILITY": Category.UTILITY,
    "AUTHENTICATION": Category.AUTHENTICATION,
}
LONGEST_STATUS = 64
#: The template is gone, or will be: what comes under its name later is another.
_GONE = frozenset({"DELETED", "PENDING_DELETION", "ARCHIVED"})

#: None, an unknown category, is the strictest: it is judged as marketing, and so says nothing.
_STRICTEST_FIRST = (None, Category.MARKETING, Category.UTILITY, Category.AUTHENTICATION)

#: A record's category and status, and when it was written, UTC µs.
Known = tuple[Category | None, str, int]


def category_named(word: str) -> Category:
    """The category that the provider names so; one that nobody knows is marketing (R7)."""
    return _CATEGORIES.get(word.upper(), Category.MARKETING)


def is_gone(status: str) -> bool:
    """Whether a template in that status has no category any more."""
    return status.upper() in _GONE


def is_in_use(status: str) -> bool:
    """Whether messages can be made of it; a record that says nothing is taken for one of these."""
    return status.upper() in ("", "APPROVED")


def key_of(item: Item) -> tuple[str, str] | None:
    """Name and language of the template that news are about, as messages spell them; else None."""
    if not isinstance(item, TemplateUpdate):
        return None
    language = canonical_language(item.language)
    return None if language is None else (item.name, language)


def after_update(known: Known | None, update: TemplateUpdate) -> tuple[Category | None, str]:
    """Category and status after a webhook about the template.

    Webhooks come late and out of order: one that is older than the record may make it stricter,
    never looser.
    """
    category, status, written = known or (None, "", 0)
    told = _told(category, update)
    newer = update.at is not None and update.at + update.unit > written
    if not newer and _strictness(told) > _strictness(category):
        told = category
    if update.status and (newer or not status):
        status = update.status[:LONGEST_STATUS]
    return told, status


def texts_after(
    known: tuple[TemplateText, ...], written: int, update: TemplateUpdate
) -> tuple[TemplateText, ...]:
    """The record's texts after the webhook. `written`: when the record was, UTC µs; older news
    change none."""
    newer = update.at is not None and update.at + update.unit > written
    return update.components if update.components is not None and newer else known


def _told(category: Category | None, update: TemplateUpdate) -> Category | None:
    if is_gone(update.status):
        return None
    if not update.categories:
        return category
    return min(map(category_named, update.categories), key=_strictness)


def _strictness(category: Category | None) -> int:
    """The smaller the stricter."""
    return _STRICTEST_FIRST.index(category if category in _STRICTEST_FIRST else None)
