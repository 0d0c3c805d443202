"""One item of a list of consents (SPEC 6, R3, R4, R8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.consent_items import ACTIONS, MOST_EVIDENCE, parse_item
from optin.domain.errors import InvalidInput
from optin.domain.events import Kind, Origin

WHO = "46732001122"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["identity", "action", "categories", "occurred_at", "evidence", "x"])


def good(**more: Any) -> dict[str, Any]:
    """An item that is right, with some members changed."""
    return {"identity": f"+{WHO}", "action": "opt_in", **more}


def test_the_least_there_is() -> None:
    """An identity and an action are enough: a live call without evidence."""
    item = parse_item(good())
    claim = item.claim(bytes(16), source="native_api", actor="t", context={})
    assert (claim.identity, claim.kind, claim.origin, claim.at) == (
        WHO,
        Kind.OPT_IN,
        Origin.LIVE,
        None,
    )
    assert (claim.evidence, claim.wording, claim.categories) == ({}, None, None)


def test_null_is_not_given() -> None:
    """Members that are null count as absent."""
    assert parse_item(good(categories=None, occurred_at=None, evidence=None)) == parse_item(good())


def test_a_dated_item() -> None:
    """R3: with `occurred_at` the claim is dated, to the microsecond, and never coarse."""
    item = parse_item(good(occurred_at="1970-01-01T00:00:01.000002Z"))
    claim = item.claim(bytes(16), source="s", actor="t", context={})
    assert (claim.origin, claim.at, claim.unit) == (Origin.DATED, 1_000_002, 1)


@pytest.mark.parametrize("action", ACTIONS)
def test_only_a_stop_can_be_the_contacts_own(action: str) -> None:
    """R4: evidence that names the contact counts for opt-outs and marketing stops alone."""
    item = parse_item(good(action=action, evidence={"actor": "contact"}))
    claim = item.claim(bytes(16), source="s", actor="t", context={})
    assert claim.from_contact is (action in ("opt_out", "marketing_stop"))


@pytest.mark.parametrize("kind", sorted(set(Kind) - set(ACTIONS.values())))
def test_provider_events_cannot_be_claimed(kind: Kind) -> None:
    """Keywords, start words and the provider's own stops come from the provider alone."""
    with pytest.raises(InvalidInput, match=r"\[action\]"):
        parse_item(good(action=kind.value))


@pytest.mark.parametrize("extra", [0, 1])
def test_evidence_up_to_8_kib(extra: int) -> None:
    """Evidence is measured in bytes of compact JSON, not in characters."""
    room = MOST_EVIDENCE - len(json.dumps({"t": ""}, separators=(",", ":")))
    evidence = {"t": "ö" * (room // 2) + "x" * (room % 2 + extra)}
    if extra:
        with pytest.raises(InvalidInput, match="8 KiB"):
            parse_item(good(evidence=evidence))
    else:
        assert parse_item(good(evidence=evidence)).evidence == evidence


@given(st.one_of(JSON, st.dictionaries(MEMBERS, JSON), st.builds(good, evidence=JSON)))
def test_whatever_comes(value: Any) -> None:
    """Any JSON is an item or `InvalidInput`, and what is an item makes a claim."""
    try:
        item = parse_item(value)
    except InvalidInput:
        return
    assert item.claim(bytes(16), source="s", actor="t", context={}).identity == item.identity
