"""Template records on the real store (H9, R7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.bots import Bot, Token
from optin.domain.errors import InvalidInput, NotFound
from optin.domain.messages import Category
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.manage_templates import ManageTemplates


@pytest.fixture
async def templates(tmp_path: Path) -> AsyncIterator[ManageTemplates]:
    migrate(tmp_path / "t.db")
    store = await SQLiteStore.open(tmp_path / "t.db", Seal(bytes(32)))
    for number, name in enumerate(("shop", "other")):
        await store.add_bot(Bot(name), Token(bytes([number] * 32), name, name, frozenset("x"), 1))
    yield ManageTemplates(store)
    await store.close()


async def test_a_record_is_found_by_every_spelling_of_its_language(
    templates: ManageTemplates,
) -> None:
    """en-us is kept as en_US, which is how a message's language is spelt too (H9)."""
    stored = await templates.put("shop", "sale", "en-us", "MARKETING", "APPROVED")
    assert (stored.language, stored.category) == ("en_US", Category.MARKETING)
    assert stored.updated > 0
    assert await templates.template("shop", "sale", "EN_us") == stored


async def test_a_record_is_replaced(templates: ManageTemplates) -> None:
    """Setting a record again leaves one, with what came last; none of another bot's."""
    await templates.put("shop", "sale", "en", "utility")
    await templates.put("shop", "sale", "en", "marketing")
    await templates.put("other", "sale", "en", "authentication")
    found = await templates.templates("shop")
    assert [(t.name, t.category) for t in found] == [("sale", Category.MARKETING)]


async def test_a_category_can_be_unknown(templates: ManageTemplates) -> None:
    """Without a category the record says so, and R7 takes the template as marketing."""
    assert (await templates.put("shop", "sale", "en", "")).category is None


@pytest.mark.parametrize(
    ("name", "language", "category", "status"),
    [
        ("", "en", "utility", ""),
        ("x" * 513, "en", "utility", ""),
        ("a\x00b", "en", "utility", ""),
        ("sale", "english", "utility", ""),
        ("sale", "", "utility", ""),
        ("sale", "en", "service", ""),
        ("sale", "en", "news", ""),
        ("sale", "en", "utility", "x" * 65),
        ("sale", "en", "utility", "\ud800"),
    ],
)
async def test_what_no_record_can_hold_is_refused(
    templates: ManageTemplates, name: str, language: str, category: str, status: str
) -> None:
    """Nothing is stored for a name, language, category or status that is none."""
    with pytest.raises(InvalidInput):
        await templates.put("shop", name, language, category, status)
    assert await templates.templates("shop") == []


async def test_what_is_not_there_is_not_found(templates: ManageTemplates) -> None:
    """An unknown bot and an unknown template are told apart from an empty list."""
    assert await templates.templates("shop") == []
    with pytest.raises(NotFound):
        await templates.templates("none")
    with pytest.raises(NotFound):
        await templates.put("none", "sale", "en", "utility")
    with pytest.raises(NotFound):
        await templates.template("shop", "sale", "en")


async def test_texts_stay_until_others_are_given(templates: ManageTemplates) -> None:
    """Setting a category says nothing of the words; an empty list takes them away."""
    body = {"type": "body", "text": "Reply STOP to stop"}
    await templates.put("shop", "sale", "en", "utility", components=[body])
    kept = await templates.put("shop", "sale", "en", "marketing", "APPROVED")
    assert [*kept.components] == [("body", "Reply STOP to stop")]
    assert await templates.template("shop", "sale", "en") == kept
    assert (await templates.put("shop", "sale", "en", "utility", components=[])).components == ()
