"""Of a body about several bots each receiver gets its own changes, whatever the bytes (SPEC 4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.upstreams.meta_parts import cut


def change(number: Any, **more: Any) -> dict[str, Any]:
    value = {"metadata": {"phone_number_id": number, "display_phone_number": "46"}, **more}
    return {"field": "messages", "value": value}


def body(*entries: Any, **more: Any) -> bytes:
    return json.dumps({"object": "whatsapp_business_account", "entry": entries, **more}).encode()


def entry(account: Any, *changes: Any, **more: Any) -> dict[str, Any]:
    return {"id": account, "time": 7, "changes": changes, **more}


def whose(account: str | None, number: str | None) -> Iterable[str]:
    """Numbers and accounts are called after their receivers."""
    return [name for name in "ab" if (number or account or "").startswith(name)]


def seen(found: Mapping[str, bytes]) -> dict[str, Any]:
    return {receiver: json.loads(content) for receiver, content in found.items()}


def test_each_sees_its_own_changes_in_their_entries() -> None:
    """The shape stays: plain members of body and entry, and the order of what is left."""
    mixed = body(
        entry("1", change("a1"), change("b1"), change("a2")),
        entry("2", change("b2")),
        entry("a", {"field": "account_update", "value": {}}),
    )
    found = seen(cut(mixed, whose))
    assert found["a"]["entry"] == [
        {"id": "1", "time": 7, "changes": [change("a1"), change("a2")]},
        {"id": "a", "time": 7, "changes": [{"field": "account_update", "value": {}}]},
    ]
    assert found["b"]["entry"] == [
        {"id": "1", "time": 7, "changes": [change("b1")]},
        {"id": "2", "time": 7, "changes": [change("b2")]},
    ]
    assert {each["object"] for each in found.values()} == {"whatsapp_business_account"}


def test_what_is_all_ones_own_stays_as_it_came() -> None:
    """The very bytes, whatever else is in them."""
    whole = b"  " + body(entry("1", change("a1")), entry("a", 7), odd=[1]) + b"\n"
    assert cut(whole, whose)["a"] is whole
    assert list(cut(whole, whose)) == ["a"]


def test_lists_and_objects_beside_the_changes_stay_out() -> None:
    """They may be about anybody's contacts."""
    odd: dict[str, Any] = {"messaging": [{"text": "private"}], "standby": {"text": "private"}}
    mixed = body(entry("1", change("a1"), change("b1"), **odd), entry("9", **odd), **odd)
    for content in cut(mixed, whose).values():
        assert b"private" not in content


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"no json", b"[]", b"{}", b'{"entry":{}}', b'{"entry":[]}'),
        b'{"entry":[1,{"id":"a"}]}',
        body(entry("a", change("c1"))),
        body(entry(True, 7)),
        body(entry("9", change(None))),
    ],
)
def test_what_is_about_nobody_goes_to_nobody(content: bytes) -> None:
    """No change, no number, or one that nobody has, whatever account it came for."""
    assert cut(content, whose) == {}


def test_odd_bytes_hide_no_border() -> None:
    """What the parser reads in spite of a broken byte or endless depth is split as well."""
    deep = b"[" * 5_000 + b"]" * 5_000
    for odd in (b'"\xff"', deep, b"9" * 5_000):
        mixed = body(entry("1", change("a1", odd=777777), change("b1"))).replace(b"777777", odd)
        found = seen(cut(mixed, whose))
        assert [
            each["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"]
            for each in found.values()
        ] == ["a1", "b1"]


NAMES = st.sampled_from(["a1", "a2", "b1", "c1", "", None, 7])
CHANGES: st.SearchStrategy[Any] = st.builds(change, NAMES, private=NAMES) | st.sampled_from(
    [None, 1, [], {}, {"value": 1}]
)
ENTRIES = st.builds(lambda account, some: entry(account, *some), NAMES, st.lists(CHANGES)) | (
    st.sampled_from([None, 1, {}, {"changes": 1}])
)


@given(st.lists(ENTRIES))
def test_no_change_is_lost_or_shown_to_another(entries: list[Any]) -> None:
    """Each change is in exactly the bodies of those whose it is, once and in order."""
    expected: dict[str, list[Any]] = {}
    for each in entries:
        for one in (
            each.get("changes", ()) if isinstance(each, dict) and each != {"changes": 1} else ()
        ):
            value = one.get("value") if isinstance(one, dict) else None
            named = value["metadata"]["phone_number_id"] if isinstance(value, dict) else None
            number = str(named) if isinstance(named, int) else named or None
            account = None if each["id"] is None else str(each["id"])
            for receiver in whose(account, number):
                expected.setdefault(receiver, []).append(one)
    content = body(*entries)
    found = cut(content, whose)
    assert found.keys() == expected.keys()
    for receiver, its in found.items():
        if its != content:
            shown = [one for each in json.loads(its)["entry"] for one in each["changes"]]
            assert shown == expected[receiver]


@given(st.binary(max_size=200))
def test_no_bytes_raise(content: bytes) -> None:
    """Whatever is posted."""
    assert cut(content, whose) == {}
