"""From a provider's facts to claims: ids, identities, meanings (R8 to R11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.bots import Bot
from optin.domain.events import SECOND, Claim, Kind, Origin
from optin.domain.inbound import InboundMessage, Preference, ReportedError, StatusUpdate
from optin.domain.inbound_claims import (
    Said,
    message_claims,
    message_event_ids,
    preference_claims,
    provisional_claims,
    stop_claims,
    understood,
)
from optin.domain.keywords import Intent

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


def claims_of(item: InboundMessage, **settings: str) -> list[Claim]:
    """What the message claims at a bot with these settings."""
    return message_claims("shop", item, understood(Bot("shop", settings), item), "webhook:meta")


def kinds(item: InboundMessage, **settings: str) -> list[Kind]:
    """The kinds of the claims for the first identity."""
    claims = claims_of(item, **settings)
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
        (said("stop promotions"), [Kind.MARKETING_STOP, Kind.MESSAGE]),
        (said("stop promotions", opens_session=False), [Kind.MARKETING_STOP]),
        (said("stop promotions", "STOP"), [Kind.OPT_OUT_KEYWORD]),
        (said("start", "stop promotions"), [Kind.MARKETING_STOP, Kind.MESSAGE]),
        (said("stop sending me the wrong parcels every single week"), [Kind.MESSAGE]),
        (said("stop", group=True), []),
        (said("hello", group=True), []),
        (said("end"), [Kind.MESSAGE]),
        (said("end", identities=("12025550123",)), [Kind.OPT_OUT_KEYWORD]),
        (said("end", identities=("12025550123",), is_reply=True), [Kind.MESSAGE]),
        (said("end", identities=("1202555012",)), [Kind.MESSAGE]),
        (said("end", identities=("US.13491208655302741918",)), [Kind.OPT_OUT_KEYWORD]),
        (said("cancel", identities=("CA.ENT.7",)), [Kind.OPT_OUT_KEYWORD]),
        (said("end", identities=("SE.13491208655302741918",)), [Kind.MESSAGE]),
    ],
)
def test_what_a_message_claims(item: InboundMessage, expected: list[Kind]) -> None:
    """R9, R10: a stop is no message, a start is one too, group traffic is nothing."""
    assert kinds(item) == expected


@pytest.mark.parametrize(
    ("text", "setting", "kind"),
    [
        ("No more!", {"stop_words": "no more,enough"}, Kind.OPT_OUT_KEYWORD),
        ("ÉNOUGH", {"stop_words": "no more,enough"}, Kind.OPT_OUT_KEYWORD),
        ("come back", {"start_words": "come back"}, Kind.START_WORD),
        ("cancel", {"risky_words": "cancel,end"}, Kind.OPT_OUT_KEYWORD),
        ("cancel", {"risky_words": "end"}, Kind.MESSAGE),
        ("baja", {"languages": "en,es"}, Kind.OPT_OUT_KEYWORD),
        ("baja", {"languages": "en"}, Kind.MESSAGE),
    ],
)
def test_a_bots_own_words(text: str, setting: dict[str, str], kind: Kind) -> None:
    """R10: a bot adds words of its own, switches risky ones on, and chooses its languages."""
    assert kinds(said(text), **setting)[0] is kind


def test_what_needs_a_person() -> None:
    """R10: a stop word with more around it stops nothing by itself; the first such text is told."""
    long = "Stop sending me the wrong parcels, where is mine?"
    meaning, text = understood(Bot("shop"), said("hello", long))
    assert (meaning, text) == (Intent.REVIEW, long)
    [claim, _] = provisional_claims(
        "shop", said(long), Said(meaning, text), "REVIEW1", "webhook:meta"
    )
    assert claim.event_id in message_event_ids("shop", said(long), WHO)
    assert claim.kind is Kind.MARKETING_STOP
    assert dict(claim.context) == {"message_id": "wamid.A", "review": "REVIEW1"}
    assert dict(claim.evidence) == {"text": long}


def test_every_identity_claims_with_an_id_of_its_own() -> None:
    """R11: as given by each; the ids are those that a commit looks for."""
    claims = claims_of(said("stop"))
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
    [claim, _] = claims_of(said("stop", at=at))
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
