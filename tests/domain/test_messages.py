"""Messages as values: parsing, storage, category, life and states."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import InvalidMessage
from optin.domain.messages import (
    Category,
    Message,
    MessageState,
    MessageType,
    advances,
    category_of,
    from_json,
    life,
    parse_message,
    stricter,
    template_of,
    to_json,
)
from tests.domain.message_examples import EXAMPLES, JSON, damaged

FIELD = re.compile(r"message(\.[a-z_]+|\[\d+\])*")


def sendable(message: Message) -> None:
    """Fails unless the message can be stored and read back as it is."""
    stored = json.dumps(to_json(message), ensure_ascii=False, allow_nan=False).encode()
    assert b"\x00" not in stored
    assert from_json(json.loads(stored)) == message


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_every_type_survives_storage(example: dict[str, Any]) -> None:
    """H9: each type is known, and what is stored of it is what was given, and all of it."""
    message = parse_message(example)
    assert to_json(message) == example
    assert message.type == example["type"]
    sendable(message)


def test_every_type_has_an_example() -> None:
    """The examples cover H9's list, so that the tests over them do."""
    assert {example["type"] for example in EXAMPLES.values()} == set(MessageType)


def refusal_of(value: object) -> InvalidMessage | None:
    """Why `value` is no message; None if it is one, which then can be stored."""
    try:
        sendable(parse_message(value))
    except InvalidMessage as refused:
        return refused
    return None


@given(JSON | damaged())
def test_any_json_is_a_message_or_refused(value: object) -> None:
    """Random JSON, and real messages damaged in one place: stored unchanged, or InvalidMessage.

    Its field is made of our own names (H2), and nothing else is ever raised.
    """
    refused = refusal_of(value)
    if refused is not None:
        assert FIELD.fullmatch(refused.field)
        assert str(refused).startswith(f"Field [{refused.field}] ")


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "a\udfff"])
@pytest.mark.parametrize("member", ["text", "unknown"])
def test_text_that_no_store_takes_is_refused(bad: str, member: str) -> None:
    """U+0000 and lone surrogates are refused anywhere: in known members, unknown ones and names."""
    with pytest.raises(InvalidMessage, match="U\\+0000"):
        parse_message({"type": "text", "text": "hi", member: {"deep": [bad]}})
    with pytest.raises(InvalidMessage, match="U\\+0000"):
        parse_message({"type": "text", "text": "hi", bad: 1})


def test_depth_is_no_matter() -> None:
    """A message nested deeper than Python's stack is judged like any other."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert parse_message({"type": "text", "text": "hi", "x": deep}).body["text"] == "hi"


def test_the_input_is_left_alone() -> None:
    """Parsing changes nothing in the caller's object, and the message shares no part of it."""
    example = copy.deepcopy(EXAMPLES["template"])
    message = parse_message(example)
    assert example == EXAMPLES["template"]
    example["buttons"].clear()
    assert to_json(message) == EXAMPLES["template"]


@pytest.mark.parametrize("nothing", [None, "", [], "  "])
def test_no_message_at_all(nothing: object) -> None:
    """A missing message is named in the words the old API used (H2)."""
    with pytest.raises(InvalidMessage, match=r"^Field \[message\] can not be empty\.$"):
        parse_message(nothing)


def test_template_of() -> None:
    """Name and language, in the spelling of the records, and only for templates (H9)."""
    given_so = {"type": "template", "template_name": "Hello", "language": "pt-br"}
    assert template_of(parse_message(given_so)) == ("Hello", "pt_BR")
    assert template_of(parse_message({"type": "template", "template_name": "x"})) == ("x", "en")
    assert template_of(parse_message(EXAMPLES["text"])) is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_category_never_comes_from_the_caller(name: str) -> None:
    """H9, R7: a template's category is its record's, marketing if unknown; all else is service."""
    message = parse_message({**EXAMPLES[name], "category": "utility"})
    template = message.type is MessageType.TEMPLATE
    for recorded in (None, *Category):
        real = recorded if recorded not in {None, Category.SERVICE} else Category.MARKETING
        assert category_of(message, recorded) == (real if template else Category.SERVICE)


M, U, A, S = Category.MARKETING, Category.UTILITY, Category.AUTHENTICATION, Category.SERVICE


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [(M, M, M), (M, U, M), (M, A, M), (U, U, U), (U, A, U), (A, A, A), (S, S, S)],
)
def test_stricter(a: Category, b: Category, result: Category) -> None:
    """H8: of then and now the stricter counts, whichever was which."""
    assert stricter(a, b) is result
    assert stricter(b, a) is result


def test_life() -> None:
    """H8: ten minutes for authentication, a day for the rest, in microseconds."""
    assert life(A) == 600_000_000
    assert {life(category) for category in (M, U, S)} == {86_400_000_000}


# What may follow what: a row for each old state, a column for each new one, in the same order.
TABLE = """
    queued        . 1 1 1 1 . 1 1 1
    dispatched    . . 1 1 1 . 1 1 1
    sent          . . . 1 1 1 1 . 1
    delivered     . . . . 1 1 . . .
    read          . . . . . 1 . . .
    deleted       . . . . . . . . .
    failed        . . . . . . . . .
    no_opt_in     . . . . . . . . .
    no_capability . . . . . . . . .
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
ORDER = [row[0] for row in ROWS]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [(row[0], new, mark == "1") for row in ROWS for new, mark in zip(ORDER, row[1:], strict=True)],
)
def test_states_only_go_forward(old: str, new: str, expected: bool) -> None:
    """SPEC 4: reports late, repeated or out of order never take a message back; ends stay."""
    assert advances(MessageState(old), MessageState(new)) is expected


def test_the_table_of_states_is_whole() -> None:
    """Every pair of states is in the table above."""
    assert [state.value for state in MessageState] == ORDER


@given(st.lists(st.sampled_from(MessageState), max_size=12))
def test_no_order_of_reports_goes_in_a_circle(reports: list[MessageState]) -> None:
    """Whatever reports come, no state is entered twice, so each is called back once at most."""
    state, seen = MessageState.QUEUED, [MessageState.QUEUED]
    for report in reports:
        if advances(state, report):
            state = report
            seen.append(report)
    assert len(seen) == len(set(seen))
