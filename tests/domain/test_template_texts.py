"""What people read in a template, from the provider's shape and from ours (H9)."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.template_texts import LONGEST_TEXT, MOST_TEXTS, TemplateText, texts_of

META: list[dict[str, Any]] = [
    {"type": "HEADER", "format": "TEXT", "text": "Sale"},
    {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["x"]}},
    {"type": "BODY", "text": "Hi {{1}}. Reply STOP to stop.", "example": {"body_text": [["A"]]}},
    {"type": "FOOTER", "text": "The shop"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "QUICK_REPLY", "text": "Stop"},
            {"type": "URL", "text": "Shop", "url": "https://shop.example"},
            {"type": "OTP"},
        ],
    },
]


def test_the_providers_shape() -> None:
    """Texts in their order; pictures, examples and buttons without a text add nothing."""
    assert texts_of(META) == (
        ("header", "Sale"),
        ("body", "Hi {{1}}. Reply STOP to stop."),
        ("footer", "The shop"),
        ("button", "Stop"),
        ("button", "Shop"),
    )


def test_a_carousel() -> None:
    """Each card has components of its own."""
    card = {"components": [META[2], META[4]]}
    found = texts_of([{"type": "BODY", "text": "Look"}, {"type": "CAROUSEL", "cards": [card] * 2}])
    one = [("body", META[2]["text"]), ("button", "Stop"), ("button", "Shop")]
    assert [*found] == [("body", "Look"), *one, *one]


def test_our_own_shape_is_read_as_it_is_shown() -> None:
    """What a record shows can be put back."""
    texts = texts_of(META)
    assert texts_of([{"type": part, "text": text} for part, text in texts]) == texts


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "BODY",
        {},
        [None, 7, []],
        [{"type": 7, "text": "x"}],
        [{"type": "BODY"}],
        [{"type": "BODY", "text": ""}],
        [{"type": "BODY", "text": ["x"]}],
        [{"type": "NEWS", "text": "x"}],
        [{"type": "BUTTONS", "buttons": {"text": "x"}}],
        [{"type": "BUTTONS", "buttons": [None, {"text": 7}]}],
        [{"cards": [{"cards": [{"cards": [{"components": META}]}]}]}],
    ],
)
def test_what_holds_no_text(odd: Any) -> None:
    """Whatever comes is no error, and adds nothing."""
    assert texts_of(odd) == ()


def test_texts_are_bounded_and_fit_for_every_store() -> None:
    """A record stays small, and holds no half of a surrogate pair."""
    many = texts_of([{"type": "BODY", "text": "x" * 10_000}] * 1_000)
    assert (len(many), len(many[0].text)) == (MOST_TEXTS, LONGEST_TEXT)
    assert texts_of([{"type": "body", "text": "a\x00b\ud800"}]) == (
        TemplateText("body", "a\ufffdb\ufffd"),
    )
