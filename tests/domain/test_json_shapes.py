"""The shapes that message types are made of, one by one."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import InvalidMessage
from optin.domain.json_shapes import array, is_absent, number, record, storable, tagged, text, url


@pytest.mark.parametrize(
    ("value", "absent"),
    [(None, True), ("", True), ("\t ", True), ([], True), (0, False), (False, False), ({}, False)],
)
def test_is_absent(value: object, absent: bool) -> None:
    """H5: null, blank text and an empty list are not given; zero, false and {} are."""
    assert is_absent(value) is absent


@given(st.text() | st.from_regex(r"(?i)https?://[a-z.:@\[\]/0-9]*", fullmatch=True))
def test_a_url_that_passes_has_scheme_and_host(value: str) -> None:
    """What `url` lets through is returned as it is and can be split into http(s) and a host."""
    try:
        taken = url(value, "f")
    except InvalidMessage:
        return
    assert taken == value
    assert urlsplit(taken).scheme in {"http", "https"}
    assert urlsplit(taken).hostname


def test_record_names_the_member_at_fault() -> None:
    """A missing member is named under its object's path, a wrong one in a list with its place."""
    shape = record({"rows": array(record({"id": text(3)}))})
    with pytest.raises(InvalidMessage) as missing:
        shape({}, "a")
    assert missing.value.field == "a.rows"
    with pytest.raises(InvalidMessage) as wrong:
        shape({"rows": [{"id": "ok"}, {"id": "long"}]}, "a")
    assert wrong.value.field == "a.rows[1].id"


def test_defaults_do_not_outlive_a_call() -> None:
    """Changing one result does not change the defaults of the next."""
    shape = record(optional={"n": number(0, 1)}, defaults={"n": 1})
    shape({}, "f")["n"] = 7
    assert shape({}, "f") == {"n": 1}


def test_tagged_keeps_its_tag_and_never_repeats_the_input() -> None:
    """The error for an unknown type lists ours and does not echo the caller's (H2)."""
    shape = tagged({"a": record(), "b": record()})
    assert shape({"type": "a", "x": 1}, "f") == {"type": "a"}
    with pytest.raises(InvalidMessage, match=r"^Field \[f\.type\] must be one of: a, b\.$"):
        shape({"type": "<script>"}, "f")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_every_other_text_is_storable(value: str) -> None:
    """Only U+0000 and surrogates are refused: emoji, controls and all scripts pass."""
    storable({value: [value]}, "f")
