"""Random lives of a few contacts of two bots, recorded through a real store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from optin.domain.bots import Bot
from optin.domain.consent_items import wording_hash
from optin.domain.events import DAY, LINKING, SECOND, Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.retention import Horizons
from optin.ports.store import Erasing, Reads, Store
from tests.conftest import first_token
from tests.stores.works import BOT, OTHER_BOT, Do, claim

#: The store's clock, UTC µs.
NOW = 1_800_000_000_000_000

#: Some are spellings of one another; the last two have no number.
PEOPLE = (
    "46732001122",
    "46732001133",
    "5491123456789",
    "541123456789",
    "5215512345678",
    "525512345678",
    "SE.1349120865530274",
    "SE.77",
)
WORDINGS = ("Yes, send me offers.", "Ja, gärna.", "")


@dataclass(frozen=True)
class Forgotten:
    """A contact is forgotten."""

    identity: str


@dataclass(frozen=True)
class Cut:
    """Retention takes whatever was recorded so far and may go."""


Step = tuple[str, Sequence[Claim] | Forgotten | Cut]


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    """Any claim about one of a few people."""
    kind = draw(st.sampled_from(sorted(set(Kind) - {Kind.ERASED, Kind.CHECKPOINT})))
    who = draw(st.sampled_from(PEOPLE))
    at = draw(st.none() | st.integers(NOW - 3 * DAY, NOW))
    more: dict[str, Any] = {}
    if kind in LINKING:
        more["others"] = (draw(st.sampled_from([other for other in PEOPLE if other != who])),)
    if kind is Kind.OPT_IN:
        more["categories"] = draw(st.sampled_from([None, frozenset({"marketing"}), frozenset()]))
    if draw(st.booleans()):
        shown = {"channel": "web", "wording": draw(st.sampled_from(WORDINGS))}
        more |= {"evidence": shown, "wording": wording_hash(shown), "context": {"ip": "192.0.2.7"}}
    origin = Origin.LIVE if at is None else draw(st.sampled_from([Origin.DATED, Origin.SIGNED]))
    unit = draw(st.sampled_from([1, SECOND]))
    return claim(kind, who, origin=origin, at=at, unit=unit, **more)


STEPS = st.tuples(
    st.sampled_from([BOT, BOT, OTHER_BOT]),
    st.lists(claims(), min_size=1, max_size=5)
    | st.builds(Forgotten, st.sampled_from(PEOPLE))
    | st.just(Cut()),
)
LIVES = st.lists(STEPS, min_size=1, max_size=12)


async def live(store: Store, steps: Sequence[Step]) -> None:
    """Records the steps, a commit for each, with two bots."""
    for bot_id in (BOT, OTHER_BOT):
        await store.add_bot(Bot(bot_id), first_token(bot_id))
    for number, (bot_id, what) in enumerate(steps):
        if isinstance(what, Forgotten):
            erasing = Erasing(derived_id(NOW, str(number)), "test", "somebody")
            await store.forget(bot_id, what.identity, erasing)
        elif isinstance(what, Cut):
            now = await store.now()
            while await store.retain(bot_id, Horizons(events=now, messages=now)) is not None:
                pass
        else:
            await store.commit(_recording(what, bot_id))


def _recording(what: Sequence[Claim], bot_id: str) -> Do:
    """Records claims, and reads whom they link as well."""
    named = frozenset(who for claimed in what for who in (claimed.identity, *claimed.others))
    ids = frozenset(claimed.event_id for claimed in what)
    return Do(lambda tx: [tx.record(each) for each in what], Reads(named, ids), bot_id)
