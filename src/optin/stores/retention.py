"""What all stores share of cutting the ledger (R16)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optin.domain.consent import Clocks
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.retention import Horizons, stays
from optin.stores import ledger
from optin.stores.ledger import Head, Row

#: Who takes the checkpoint, as its entry says.
SOURCE = "retention"


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut of a chain. `through`: the last commit that goes, with its hash; `checkpoint`: the
    rows of the new commit, its own entry first; `carried`: those of them that were there before;
    `dropped`: rows that go."""

    through: Head
    checkpoint: Sequence[Row]
    dropped: Sequence[Row]

    @property
    def carried(self) -> Sequence[Row]:
        return self.checkpoint[1:]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What is to be cut. `through`: the last commit that goes; `head`: the newest there is.
    `event_id`, `salt`: of the checkpoint's own entry, recorded `now`."""

    bot_id: str
    writer: int
    through: Head
    head: Head
    now: int
    event_id: bytes
    salt: bytes


def cut(
    asked: Cutting, rows: Sequence[Row], clocks: Callable[[str], Clocks], until: Horizons
) -> Cut:
    """The cut. `rows`: all entries of the commits that go, in order; `clocks`: the stored ones of
    an identity."""
    kept: list[Row] = []
    dropped: list[Row] = []
    for row in rows:
        event = ledger.event(row)
        stay = stays(event, clocks(row[2]), until, emptied=bool(row[21]))
        (kept if stay else dropped).append(row)
    claim = Claim(
        event_id=asked.event_id,
        identity="",
        kind=Kind.CHECKPOINT,
        origin=Origin.LIVE,
        source=SOURCE,
        actor=SOURCE,
        evidence={
            "writer": asked.writer,
            "through": asked.through.seq,
            "hash": asked.through.hash.hex(),
            "dropped": len(dropped),
            "carried": len(kept),
            "events_before": until.events,
            "messages_before": until.messages,
        },
    )
    seq = asked.head.seq + 1
    event = Event(claim, asked.now, until.newest)
    first = ledger.entry_row(asked.bot_id, event, (asked.writer, seq, 0), asked.salt)
    carried = [(*row[:18], seq, place, *row[20:23]) for place, row in enumerate(kept, 1)]
    return Cut(asked.through, [first, *carried], dropped)
