"""Random and written histories of one contact, as events of the domain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from optin.domain.events import LINKING, Claim, Event, Kind, Origin
from optin.domain.ids import derived_id

WHO = "46732001122"


def micros(text: str) -> int:
    """RFC 3339 to UTC µs, without the rounding of floats."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


def event(kind: str, at: int | None, **claim: Any) -> Event:
    """An event of `kind` that took effect at `at`."""
    made = Claim(
        event_id=derived_id(at or 0, kind, str(claim)),
        identity=WHO,
        kind=Kind(kind),
        origin=Origin.DATED,
        source="test",
        at=at,
        **claim,
    )
    return Event(made, recorded=at or 0, effective=at)


#: Few instants, so that ties are common.
INSTANTS = st.integers(min_value=0, max_value=6)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """One event of any kind at one of few instants."""
    kind = draw(st.sampled_from(sorted(set(Kind) - LINKING - {Kind.CHECKPOINT})))
    claim: dict[str, Any] = {}
    if kind is Kind.OPT_IN:
        named = st.sets(st.sampled_from(["marketing", "utility"])).map(frozenset)
        claim["categories"] = draw(st.none() | named)
        claim["evidence"] = draw(st.sampled_from([{}, {"channel": "web"}]))
        claim["wording"] = draw(st.sampled_from([None, "w1", "w2"]))
    if kind is Kind.OPT_OUT:
        claim["from_contact"] = draw(st.booleans())
    return event(kind, draw(INSTANTS), **claim)
