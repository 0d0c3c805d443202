"""The facts of the ledger (R2): what a caller claims, and the event it becomes.

A `Claim` is what reached a door. Its effective time is only known inside the commit that records
it (R3), and there `times.effective_time` makes an `Event` of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MICROSECOND = 1
SECOND = 1_000_000
DAY = 86_400 * SECOND


class Kind(StrEnum):
    """The kinds of event: those that move a clock (R2), those that link identities (R11), the
    erasure, which does both (R15), and the checkpoint, which is about nobody (R16)."""

    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    OPT_OUT_KEYWORD = "opt_out_keyword"
    START_WORD = "start_word"
    MESSAGE = "message"
    MARKETING_STOP = "marketing_stop"
    MARKETING_RESUME = "marketing_resume"
    PROVIDER_MARKETING_STOP = "provider_marketing_stop"
    PROVIDER_MARKETING_RESUME = "provider_marketing_resume"
    LINKED = "linked"
    REPLACES = "replaces"
    REPLACED = "replaced"
    ERASED = "erased"
    CHECKPOINT = "checkpoint"


#: Kinds that move links between identities instead of clocks (R11).
LINKING = frozenset({Kind.LINKED, Kind.REPLACES, Kind.REPLACED})

#: Kinds that can only take something away, or widen what blocks. In doubt about time they count
#: late, all others early.
STOPS = LINKING | {
    Kind.OPT_OUT,
    Kind.OPT_OUT_KEYWORD,
    Kind.MARKETING_STOP,
    Kind.PROVIDER_MARKETING_STOP,
    Kind.ERASED,
}


class Origin(StrEnum):
    """How far a claim's time may be believed (R3)."""

    LIVE = "live"
    REPEATED = "repeated"
    DATED = "dated"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Claim:
    """One fact as it reached a door, not yet recorded.

    `event_id`: 16 bytes, UUIDv7 layout, made before the first try and the same in every retry.
    `at`: what the claim says of its time, UTC µs; None for live calls and unreadable times; for
    `REPEATED`, the newest database time that its node had seen when it first arrived.
    `unit`: how coarse `at` is, in µs (1, or a second for a provider's time stamp).
    `categories`: only for an opt-in that was taken for named categories (R8).
    `evidence`: what the caller gave as proof; `context`: what we saw ourselves (ip, user agent,
    the provider's message id). `actor`: whose call it was: a token id, a user, "webhook", a job.
    `others`: the identities that a linking kind speaks of, beside its own (R11).
    `wording`: SHA-256 (hex) of the wording that was shown, when there was one (R4).
    """

    event_id: bytes
    identity: str
    kind: Kind
    origin: Origin
    source: str
    at: int | None = None
    unit: int = MICROSECOND
    categories: frozenset[str] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    wording: str | None = None
    from_contact: bool = False
    actor: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the ledger: a claim with the two times that its commit gave it.

    `recorded`: the database's clock in the commit, UTC µs. `effective`: when it counts from, UTC
    µs; None if it is stored without effect (a provider's event too far ahead, R3).
    """

    claim: Claim
    recorded: int
    effective: int | None

    @property
    def with_evidence(self) -> bool:
        """Whether the caller gave evidence of its own, as `reopt_in: evidence` asks (R4)."""
        return bool(self.claim.evidence) or self.claim.wording is not None
