"""How a message changes on its way through the upstream (H8). Times in UTC µs.

A message never leaves `settled`, and its state never goes backwards, in whatever order the answer
to a hand-over and the provider's reports come in.
"""

from __future__ import annotations

from dataclasses import replace

from optin.domain.decision import Gate
from optin.domain.ids import derived_id, ulid
from optin.domain.messages import Category, MessageState, advances
from optin.domain.outbox import REPORTED_TYPE, UNKNOWN_LIFE, OutboxMessage, Stage, judged_as
from optin.domain.retries import hand_over_wait

EXPIRED = "expired"
UNKNOWN_OUTCOME = "unknown_outcome"


def is_held(message: OutboxMessage, claimant: str) -> bool:
    """Whether the lease or claim of `claimant` still stands and the message is not settled."""
    return message.claimant == claimant and message.stage is not Stage.SETTLED


def judged(message: OutboxMessage, category: Category, verdict: Gate, now: int) -> OutboxMessage:
    """Claimed, or settled as refused. Judging a claimed one again counts as the same attempt."""
    changed = judged_as(verdict)
    if message.stage is Stage.WAITING and verdict.passes:
        changed |= {"stage": Stage.CLAIMED, "claimed": now, "attempts": message.attempts + 1}
    return replace(message, category=category, **changed)


def accepted(message: OutboxMessage, upstream_id: str) -> OutboxMessage:
    """The provider took it; its reports may have come before its answer did."""
    known = message.upstream_id or upstream_id
    return _moved(replace(message, upstream_id=known), MessageState.DISPATCHED, "")


def failed(message: OutboxMessage, details: str) -> OutboxMessage:
    """Settled for good, unless it was before."""
    return _moved(message, MessageState.FAILED, details)


def retried(
    message: OutboxMessage, details: str, now: int, after: int | None, jitter: float
) -> OutboxMessage:
    """Certainly not taken: free for anybody again later, unless its tries or its life are over.

    `after`: the least wait that the provider asked for, µs. A try that never got
    as far as a claim counts, too. `details` stay with it: why it waits.
    """
    tries = message.attempts + (message.stage is Stage.WAITING)
    wait = hand_over_wait(tries, jitter)
    due = now + max(wait or 0, 0 if after is None else after)
    if wait is None or due >= message.expires:
        return failed(message, details)
    return replace(yielded(message, due), attempts=tries, details=details)


def yielded(message: OutboxMessage, due: int) -> OutboxMessage:
    """Given back without a try."""
    return replace(message, stage=Stage.WAITING, due=due, claimant="", leased_until=0, claimed=0)


def uncertain(message: OutboxMessage, details: str, now: int) -> OutboxMessage:
    """It may have been taken: it stays claimed until a report or the sweep settles it."""
    return replace(message, stage=Stage.CLAIMED, claimed=message.claimed or now, details=details)


def outlived(message: OutboxMessage, now: int) -> OutboxMessage:
    """Failed if its time is over: 24 h of unknown outcome, or its life before the hand-over."""
    if message.stage is Stage.CLAIMED and now >= message.claimed + UNKNOWN_LIFE:
        return failed(message, UNKNOWN_OUTCOME)
    if message.stage is Stage.WAITING and now >= message.expires:
        return failed(message, EXPIRED)
    return message


def reported(
    message: OutboxMessage, state: MessageState, upstream_id: str, details: str
) -> OutboxMessage:
    """What the provider's report of `state` makes of it; a report settles an unknown outcome.

    A failure reported for a message that waits is that of an earlier try, which we know of.
    """
    if message.stage is Stage.WAITING and state is MessageState.FAILED:
        return message
    known = replace(message, upstream_id=message.upstream_id or upstream_id)
    return _moved(known, state, details)


def foretold_id(bot_id: str, upstream_id: str) -> str:
    """The id of what `foretold` makes of reports of this message of the provider's."""
    return ulid(derived_id(0, bot_id, upstream_id, REPORTED_TYPE))


def foretold(
    bot_id: str, upstream_id: str, identity: str, state: MessageState, details: str, *, stops: bool
) -> OutboxMessage:
    """What a report says of a message that nobody knows yet, to be kept until one settles that the
    provider gave this id. Later reports move it on as any message. `stops`: it tells of a marketing
    stop, and nobody knows whose (R8). It was never created, judged or claimed: all times are 0.
    """
    return OutboxMessage(
        bot_id=bot_id,
        message_id=foretold_id(bot_id, upstream_id),
        identity=identity,
        body={"type": REPORTED_TYPE, "stops": stops},
        category=Category.SERVICE,
        created=0,
        expires=0,
        due=0,
        stage=Stage.SETTLED,
        state=state,
        details=details,
        upstream_id=upstream_id,
    )


def caught_up(message: OutboxMessage, early: OutboxMessage) -> tuple[OutboxMessage, OutboxMessage]:
    """The message with what was foretold of it, and what stays of that: nothing of anybody's, and
    nothing finds it again."""
    after = reported(message, early.state, early.upstream_id, early.details)
    return after, replace(early, upstream_id="", identity="", details="")


def _moved(message: OutboxMessage, state: MessageState, details: str) -> OutboxMessage:
    settled = replace(message, stage=Stage.SETTLED)
    if not advances(message.state, state):
        return settled
    return replace(settled, state=state, details=details)
