"""One odd place in a provider's JSON costs nothing that stands beside it (SPEC 5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.inbound import InboundMessage
from optin.upstreams.meta_webhook import parse
from optin.upstreams.provider_json import read_json
from tests.upstreams import meta_bodies

DEEP = b"[" * 5_000 + b'"]' + b"\\" + b'"["' + b"]" * 5_000
MIXED = b'{"a":' * 3_000 + b"[{}]" + b"}" * 3_000


def beside(odd: bytes) -> bytes:
    """A signed body with a message in it, and this as one of the message's values."""
    return meta_bodies.one(meta_bodies.message(odd=777_777)).replace(b"777777", odd)


@pytest.mark.parametrize(
    "odd",
    [b'"\xff"', b'"a\xc3"', b'"\xed\xa0\x80"', b'"\n\t\x01"', DEEP, MIXED, b"9" * 9_000],
    ids=["no utf-8", "cut", "surrogate", "controls", "deep", "deep objects", "digits"],
)
def test_the_message_counts_all_the_same(odd: bytes) -> None:
    """Bytes that are no text, texts that are no JSON and endless depth: the rest is read."""
    [item] = parse(beside(odd))
    [plain] = parse(beside(b"null"))
    assert isinstance(item, InboundMessage)
    assert isinstance(plain, InboundMessage)
    assert (item.texts, item.identities) == (plain.texts, plain.identities)
    json.dumps(item.raw, ensure_ascii=False, allow_nan=False).encode()


def test_a_stop_is_heard_beside_a_broken_byte() -> None:
    """R12: also if the byte is in the very text."""
    content = meta_bodies.one(meta_bodies.message(text={"body": "STOP ~"})).replace(b"~", b"\xff")
    [item] = parse(content)
    assert isinstance(item, InboundMessage)
    assert item.texts == ("STOP \ufffd",)


@pytest.mark.parametrize(
    "body", [b"[" * 50_000, b"]" * 9_000 + b"[" * 9_000, MIXED + b"x", b'"\\' * 9_000, b"", b"\xff"]
)
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    """`ValueError`, nothing else, for what has no end or no beginning."""
    with pytest.raises(ValueError, match=r"Expecting|Extra|Unterminated"):
        read_json(body)


def null_below(value: Any, depth: int = 0) -> Any:
    """The same with null from the 64th level on; texts stay."""
    if isinstance(value, str):
        return value
    if depth == 64:
        return None
    if isinstance(value, list):
        return [null_below(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {name: null_below(each, depth + 1) for name, each in value.items()}
    return value


TEXTS = st.text(st.sampled_from('[]{}"\\,:a\n'), max_size=6)
INNER = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=9,
)


@given(INNER, st.integers(55, 66), INNER)
def test_depth_is_cut_as_for_what_python_can_read(value: Any, depth: int, after: Any) -> None:
    """Whether the interpreter reads it in one go or not, the same becomes null."""
    for n in range(depth):
        value = [value] if n % 2 else {"k": value}
    endless = json.dumps([value, after, 0]).encode()[:-2] + DEEP + b"]"
    assert read_json(endless)[:2] == null_below([value, after])
