"""What a provider's news make of a template's record (H9, R7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.events import SECOND
from optin.domain.inbound import TemplateUpdate
from optin.domain.messages import Category
from optin.domain.templates import Known, after_update, category_named, key_of

WRITTEN = 1_795_000_000 * SECOND
M, U, A = Category.MARKETING, Category.UTILITY, Category.AUTHENTICATION
STRICTEST_FIRST = [None, M, U, A]


def news(at: int | None = WRITTEN + SECOND, **told: object) -> TemplateUpdate:
    return TemplateUpdate("W", "t", "en-us", at, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "update", "after"),
    [
        ((U, "APPROVED", WRITTEN), news(categories=("MARKETING",)), (M, "APPROVED")),
        ((M, "APPROVED", WRITTEN), news(categories=("UTILITY",)), (U, "APPROVED")),
        ((M, "APPROVED", WRITTEN), news(WRITTEN - 9 * SECOND, categories=("UTILITY",)), None),
        ((U, "", WRITTEN), news(WRITTEN - 9 * SECOND, categories=("MARKETING",)), (M, "")),
        ((M, "APPROVED", WRITTEN), news(None, categories=("UTILITY",)), None),
        ((U, "APPROVED", WRITTEN), news(None, categories=("MARKETING",)), (M, "APPROVED")),
        ((A, "", WRITTEN), news(categories=("AUTHENTICATION", "UTILITY")), (U, "")),
        ((U, "APPROVED", WRITTEN), news(categories=("FESTIVE",)), (M, "APPROVED")),
        ((U, "APPROVED", WRITTEN), news(status="PAUSED"), (U, "PAUSED")),
        ((U, "PAUSED", WRITTEN), news(WRITTEN - 9 * SECOND, status="APPROVED"), None),
        ((U, "APPROVED", WRITTEN), news(status="PENDING_DELETION"), (None, "PENDING_DELETION")),
        ((U, "APPROVED", WRITTEN), news(None, status="DELETED"), (None, "APPROVED")),
        (None, news(status="APPROVED"), (None, "APPROVED")),
        (None, news(categories=("UTILITY",)), (U, "")),
    ],
)
def test_news(
    known: Known | None, update: TemplateUpdate, after: tuple[Category | None, str] | None
) -> None:
    """What each of the news does to each record; None: nothing."""
    expected = after if after is not None else (known or (None, ""))[:2]
    assert after_update(known, update) == expected


CATEGORIES = st.sampled_from(STRICTEST_FIRST)
WORDS = st.lists(st.sampled_from(["MARKETING", "UTILITY", "AUTHENTICATION", "OTHER"]), max_size=2)


@given(CATEGORIES, WORDS, st.one_of(st.none(), st.integers(0, WRITTEN - SECOND)), st.text())
def test_old_news_never_loosen(
    category: Category | None, words: list[str], at: int | None, status: str
) -> None:
    """Whatever late or undated news say, the template is judged as strictly as before, or more."""
    update = news(at, categories=tuple(words), status=status)
    after, _ = after_update((category, "APPROVED", WRITTEN), update)
    assert STRICTEST_FIRST.index(after) <= STRICTEST_FIRST.index(category)


def test_names() -> None:
    """A category that nobody knows is marketing; a language is spelt as messages spell it."""
    assert [category_named(word) for word in ("utility", "TRANSACTIONAL", "")] == [U, M, M]
    assert key_of(news()) == ("t", "en_US")
    assert key_of(TemplateUpdate("W", "t", "no language", None)) is None
