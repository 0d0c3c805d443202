"""From a provider's facts to claims: ids, identities, meanings (R8 to R11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.events import SECOND, Kind, Origin
from optin.domain.inbound import InboundMessage, Preference, ReportedError, StatusUpdate
from optin.domain.inbound_claims import (
    message_claims,
    message_event_ids,
    preference_claims,
    stop_claims,
)

AT = 1_795_000_000_000_000
WHO, HIDDEN = "46732001122", "SE.1349120865530274"


def said(*texts: str, **more: object) -> InboundMessage:
    """A message from Ada with these texts in it."""
    given = {"identities": (WHO, HIDDEN), "at": AT, "opens_session": True} | more
    return InboundMessage(
        phone_number_id="PNID1",
        upstream_id="wamid.A",
        type="text",
        texts=texts,
        **given,  # type: ignore[arg-type]
    )


def kinds(item: InboundMessage) -> list[Kind]:
    """The kinds of the claims for the first identity."""
    claims = message_claims("shop", item, ["en"], "webhook:meta")
    return [claim.kind for claim in claims if claim.identity == item.identities[0]]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (said("hello"), [Kind.MESSAGE]),
        (said(), [Kind.MESSAGE]),
        (said("hello", opens_session=False), []),
        (said("stop"), [Kind.OPT_OUT_KEYWORD]),
        (said("stop", opens_session=False), [Kind.OPT_OUT_KEYWORD]),
        (said("start", "stop"), [Kind.OPT_OUT_KEYWORD]),
        (said("hello", "start"), [Kind.START_WORD, Kind.MESSAGE]),
        (said("start", opens_session=False), [Kind.START_WORD]),
        (said("help"), [Kind.MESSAGE]),
        (said("stop", group=True), []),
        (said("hello", group=True), []),
        (said("end"), [Kind.MESSAGE]),
        (said("end", identities=("12025550123",)), [Kind.OPT_OUT_KEYWORD]),
        (said("end", identities=("12025550123",), is_reply=True), [Kind.MESSAGE]),
        (said("end", identities=("1202555012",)), [Kind.MESSAGE]),
    ],
)
def test_what_a_message_claims(item: InboundMessage, expected: list[Kind]) -> None:
    """R9, R10: a stop is no message, a start is one too, group traffic is nothing."""
    assert kinds(item) == expected


def test_every_identity_claims_with_an_id_of_its_own() -> None:
    """R11: as given by each; the ids are those that a commit looks for."""
    claims = message_claims("shop", said("stop"), ["en"], "webhook:meta")
    assert [claim.identity for claim in claims] == [WHO, HIDDEN]
    assert len({claim.event_id for claim in claims}) == 2
    for claim in claims:
        assert claim.event_id in message_event_ids("shop", said("stop"), claim.identity)
        assert (claim.origin, claim.at, claim.unit) == (Origin.SIGNED, AT, SECOND)
        assert claim.from_contact


def test_ids_depend_on_the_facts_alone() -> None:
    """The same message makes the same ids, whatever the bot's settings make of it meanwhile."""
    ids = message_event_ids("shop", said("stop"), WHO)
    assert ids == message_event_ids("shop", said("stop", profile_name="Ada"), WHO)
    assert ids.isdisjoint(message_event_ids("other", said("stop"), WHO))
    assert ids.isdisjoint(message_event_ids("shop", said("stop", at=AT + SECOND), WHO))


@given(st.none() | st.integers(-(2**70), 2**70))
def test_any_time_makes_an_id(at: int | None) -> None:
    """R3: signed events are never refused for their time."""
    [claim, _] = message_claims("shop", said("stop", at=at), ["en"], "webhook:meta")
    assert (len(claim.event_id), claim.at) == (16, at)


@pytest.mark.parametrize(
    ("value", "category", "expected"),
    [
        ("stop", "marketing_messages", [Kind.PROVIDER_MARKETING_STOP]),
        ("stop", "something new", [Kind.PROVIDER_MARKETING_STOP]),
        ("resume", "marketing_messages", [Kind.PROVIDER_MARKETING_RESUME]),
        ("resume", "something new", []),
        ("signup", "marketing_messages", []),
        ("STOP", "marketing_messages", []),
    ],
)
def test_what_a_preference_claims(value: str, category: str, expected: list[Kind]) -> None:
    """R8: in doubt, block: an unknown category can be stopped, not resumed."""
    item = Preference("PNID1", (WHO,), value, category, AT)
    assert [c.kind for c in preference_claims("shop", item, "d", "webhook:meta")] == expected


def test_only_131050_is_a_stop() -> None:
    """R8: each identity once, those of the report and those that we know of."""
    stopped = StatusUpdate("PNID1", "wamid.A", "M", "failed", AT, identities=(WHO,))
    assert stop_claims("shop", stopped, [WHO], "webhook:meta") == []
    told = StatusUpdate(
        "PNID1", "wamid.A", "M", "failed", AT, identities=(WHO,), errors=(ReportedError(131050),)
    )
    claims = stop_claims("shop", told, [WHO, HIDDEN], "webhook:meta")
    assert [(c.identity, c.kind) for c in claims] == [
        (WHO, Kind.PROVIDER_MARKETING_STOP),
        (HIDDEN, Kind.PROVIDER_MARKETING_STOP),
    ]
