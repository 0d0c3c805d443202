"""Each type's members and limits (H9), as a table of what is taken and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from optin.domain.errors import InvalidMessage
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import parse_message, to_json
from tests.domain.message_examples import EXAMPLES, URL

GONE = object()
EMPTY = "can not be empty"
STRING = "must be a string"
OBJECT = "must be an object"
ARRAY = "must be an array"
LINK = "must be an http or https URL"
TAG = "must be one of"

#: example, path of the member, what is put there, the rule that refuses it (None: taken)
CASES: list[tuple[str, str, object, str | None]] = [
    ("text", "text", GONE, EMPTY),
    ("text", "text", None, EMPTY),
    ("text", "text", " \n", EMPTY),
    ("text", "text", 7, STRING),
    ("text", "text", "é" * 4096, None),
    ("text", "text", "é" * 4097, "can not be longer than 4096 characters"),
    ("text", "preview_url", "true", "must be true or false"),
    ("text", "preview_url", 1, "must be true or false"),
    ("text", "type", GONE, EMPTY),
    ("text", "type", "carousel", TAG),
    ("text", "type", ["text"], TAG),
    ("text", "type", "Text", TAG),
    ("template", "template_name", GONE, EMPTY),
    ("template", "template_name", "n" * 513, "can not be longer than 512 characters"),
    ("template", "language", {"code": "en"}, STRING),
    ("template", "language", "english", "must be a language code such as en or en_US"),
    ("template", "language", "en/../x", "must be a language code such as en or en_US"),
    ("template", "body_params", "one", ARRAY),
    ("template", "body_params[1]", "", EMPTY),
    ("template", "body_params[1]", 2, STRING),
    ("template", "body_params", ["x" * 1000, "x" * 24], None),
    ("template", "body_params", ["x" * 1000, "x" * 25], "can not be longer than 1024 characters"),
    ("template", "header_params", ["x" * 60], None),
    ("template", "header_params", ["x" * 61], "can not be longer than 60 characters in all"),
    ("template", "media", "text", OBJECT),
    ("template", "media", ["text"], OBJECT),
    ("template", "media.type", "audio", TAG),
    ("template", "media.type", GONE, EMPTY),
    ("template, document", "media.url", GONE, EMPTY),
    ("template, document", "media.url", "ftp://cdn.example/a", LINK),
    ("template", "buttons", {"type": "call"}, ARRAY),
    ("template", "buttons[1].type", "copy", TAG),
    ("template", "buttons[1].parameter", 17, STRING),
    ("template", "buttons[3].payload", {}, STRING),
    ("template", "buttons[0]", None, OBJECT),
    ("image", "url", GONE, EMPTY),
    ("image", "url", "cdn.example/a", LINK),
    ("image", "url", "javascript:alert(1)", LINK),
    ("image", "url", "https://", LINK),
    ("image", "url", "https://cdn.example:99999/", LINK),
    ("image", "url", "https://[::1/", LINK),
    ("image", "url", "https://cdn.example/a b", LINK),
    ("image", "url", "https://cdn.example/\n", LINK),
    ("image", "url", "HTTP://cdn.example/ä?x=1#y", None),
    ("image", "caption", ["x"], STRING),
    ("video", "url", 5, STRING),
    ("document", "filename", False, STRING),
    ("audio", "url", {}, STRING),
    ("sticker", "url", GONE, EMPTY),
    ("location", "lat", GONE, EMPTY),
    ("location", "lat", "55.7", "must be a number"),
    ("location", "lat", True, "must be a number"),
    ("location", "lat", 0, None),
    ("location", "lat", 90, None),
    ("location", "lat", 90.01, "must be from -90 to 90"),
    ("location", "lat", float("nan"), "must be from -90 to 90"),
    ("location", "lng", -180, None),
    ("location", "lng", -(10**400), "must be from -180 to 180"),
    ("contacts", "contacts", [], EMPTY),
    ("contacts", "contacts[1]", "Bo", OBJECT),
    ("contacts", "contacts[0].name", GONE, EMPTY),
    ("contacts", "contacts[1].name.formatted_name", "", EMPTY),
    ("contacts", "contacts[0].phones[0].phone", GONE, EMPTY),
    ("contacts", "contacts[0].emails[0].email", 1, STRING),
    ("contacts", "contacts[0].urls", {}, ARRAY),
    ("contacts", "contacts[0].org", [1], OBJECT),
    ("interactive, button", "message", GONE, EMPTY),
    ("interactive, button", "message.type", "flow", TAG),
    ("interactive, button", "message.body", GONE, EMPTY),
    ("interactive, button", "message.body.text", "b" * 1025, "can not be longer than 1024"),
    ("interactive, button", "message.footer.text", "f" * 61, "can not be longer than 60"),
    ("interactive, button", "message.header.url", GONE, EMPTY),
    ("interactive, button", "message.header.type", "sticker", TAG),
    ("interactive, button", "message.action.buttons", [], EMPTY),
    ("interactive, button", "message.action.buttons[0].type", "url", TAG),
    ("interactive, button", "message.action.buttons[0].id", "i" * 231, "longer than 230"),
    ("interactive, button", "message.action.buttons[1].title", "t" * 21, "longer than 20"),
    ("interactive, list", "message.action.button", GONE, EMPTY),
    ("interactive, list", "message.header.type", "image", TAG),
    ("interactive, list", "message.header.text", "h" * 61, "longer than 60"),
    ("interactive, list", "message.action.sections[0].title", "s" * 25, "longer than 24"),
    ("interactive, list", "message.action.sections[0].rows[0].id", "r" * 175, "longer than 174"),
    ("interactive, list", "message.action.sections[0].rows[0].title", "r" * 21, "longer than 20"),
    ("interactive, list", "message.action.sections[0].rows[0].description", "d" * 73, "than 72"),
]


def altered(example: str, path: str, value: object) -> Any:
    """The example with the member at `path` replaced, or taken away for GONE."""
    message = copy.deepcopy(EXAMPLES[example])
    keys = [
        int(k) if k.isdigit() else k for k in path.replace("[", ".").replace("]", "").split(".")
    ]
    holder: Any = message
    for key in keys[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    return message


@pytest.mark.parametrize(("example", "path", "value", "rule"), CASES)
def test_members(example: str, path: str, value: object, rule: str | None) -> None:
    """H9: a value that breaks its member's rule is refused, naming field and rule; others pass."""
    message = altered(example, path, value)
    if rule is None:
        assert to_json(parse_message(message)) == message
        return
    with pytest.raises(InvalidMessage) as refused:
        parse_message(message)
    assert refused.value.field == f"message.{path}"
    assert str(refused.value).startswith(f"Field [message.{path}] ")
    assert rule in str(refused.value)
    assert refused.value.code == "invalid_message"


@pytest.mark.parametrize("absent", [None, "", " ", []])
@pytest.mark.parametrize(
    ("example", "path"),
    [
        ("image", "caption"),
        ("document", "filename"),
        ("template", "body_params"),
        ("template", "media"),
        ("template", "buttons"),
        ("template", "buttons[3].payload"),
        ("contacts", "contacts[0].phones"),
        ("interactive, button", "message.footer"),
    ],
)
def test_an_empty_optional_member_is_no_member(example: str, path: str, absent: object) -> None:
    """H5: clients send null or empty for what they do not use; it is as if they had not."""
    given_so = parse_message(altered(example, path, absent))
    assert given_so == parse_message(altered(example, path, GONE))


@pytest.mark.parametrize("example", EXAMPLES)
def test_unknown_members_are_ignored(example: str) -> None:
    """H5: members nobody knows, at the top and deeper, change nothing."""

    def cluttered(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: cluttered(item) for key, item in value.items()}
            return {**inner, "provider": "x", "ttl": {"P": [1]}}
        return [cluttered(item) for item in value] if isinstance(value, list) else value

    assert to_json(parse_message(cluttered(EXAMPLES[example]))) == EXAMPLES[example]


def test_a_caption_in_a_templates_media_is_dropped() -> None:
    """The old API never allowed a caption there, and no template shows one."""
    media = {"type": "image", "url": URL, "caption": "Menu"}
    message = parse_message({**EXAMPLES["template"], "media": media})
    assert message.body["media"] == {"type": "image", "url": URL}


def test_defaults_are_filled_in() -> None:
    """A text shows no preview and a template is English unless the caller says otherwise."""
    assert parse_message({"type": "text", "text": "hi"}).body["preview_url"] is False
    assert parse_message({"type": "template", "template_name": "x"}).body["language"] == "en"


def test_a_sticker_is_a_link_or_an_id() -> None:
    """Both at once are refused, since nobody could say which was meant."""
    with pytest.raises(InvalidMessage, match="can not be combined") as refused:
        parse_message({"type": "sticker", "url": URL, "id": "7301"})
    assert refused.value.field == "message.id"


def listed(*rows_of_sections: int) -> dict[str, Any]:
    """A list message with so many rows in its sections."""
    message = copy.deepcopy(EXAMPLES["interactive, list"])
    message["message"]["action"]["sections"] = [
        {"title": "s", "rows": [{"id": f"{s}.{r}", "title": "r"} for r in range(rows)]}
        for s, rows in enumerate(rows_of_sections)
    ]
    return message


@pytest.mark.parametrize(
    ("sections", "field"),
    [
        ((10,), None),
        ((1,) * 10, None),
        ((5, 5), None),
        ((11,), "message.message.action.sections[0].rows"),
        ((1,) * 11, "message.message.action.sections"),
        ((6, 5), "message.message.action.sections"),
        ((1, 0), "message.message.action.sections[1].rows"),
    ],
)
def test_a_list_has_ten_rows_in_all(sections: tuple[int, ...], field: str | None) -> None:
    """At most ten sections, none empty, and ten rows over all of them."""
    if field is None:
        assert to_json(parse_message(listed(*sections))) == listed(*sections)
        return
    with pytest.raises(InvalidMessage) as refused:
        parse_message(listed(*sections))
    assert refused.value.field == field


def test_row_ids_are_unique_in_the_message() -> None:
    """The same id in two sections is refused: the answer could not be told apart."""
    message = listed(1, 1)
    sections = message["message"]["action"]["sections"]
    sections[1]["rows"][0]["id"] = sections[0]["rows"][0]["id"]
    with pytest.raises(InvalidMessage, match="same id"):
        parse_message(message)


def test_at_most_three_buttons() -> None:
    """A fourth reply button is refused."""
    message = copy.deepcopy(EXAMPLES["interactive, button"])
    buttons = message["message"]["action"]["buttons"]
    buttons.append({"type": "reply", "id": "m", "title": "Maybe"})
    assert to_json(parse_message(message)) == message
    buttons.append({"type": "reply", "id": "l", "title": "Later"})
    with pytest.raises(InvalidMessage, match="can not have more than 3 elements"):
        parse_message(message)


@pytest.mark.parametrize(
    ("given_so", "canonical"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("fil", "fil"),
        ("en_us", "en_US"),
        ("en-US", "en_US"),
        ("EN_gb", "en_GB"),
        ("zh_hant", "zh_Hant"),
        ("es_419", "es_419"),
        ("", None),
        ("e", None),
        ("english", None),
        ("en_", None),
        ("en_US_x", None),
        ("en_US\n", None),
        ("ｅｎ", None),
    ],
)
def test_canonical_language(given_so: str, canonical: str | None) -> None:
    """One language has one spelling, the provider's, by which records are found."""
    assert canonical_language(given_so) == canonical
    assert canonical is None or canonical_language(canonical) == canonical
