"""Work that waits: messages and callbacks, tried, put back, replayed and forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback
from optin.stores import rows
from optin.stores.postgres import tables
from optin.stores.postgres.connection import Session, fetch

_LIVING = "(SELECT bot_id FROM bots WHERE removed IS NULL)"
_STALE = f"""(SELECT {tables.MESSAGES.columns} FROM messages
  WHERE stage = 'claimed' AND claimed < $1 AND bot_id IN {_LIVING} LIMIT $3)
 UNION ALL (SELECT {tables.MESSAGES.columns} FROM messages
  WHERE stage = 'waiting' AND expires <= $2 AND bot_id IN {_LIVING} LIMIT $3) LIMIT $3"""
_PUT_CALLBACKS = """UPDATE callbacks SET due = t.due, attempts = t.attempts,
 leased_until = t.leased_until, claimant = t.claimant, stage = t.stage, outcome = t.outcome
 FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
  $8::text[]) AS t (callback_id, due, attempts, leased_until, claimant, stage, outcome)
 WHERE callbacks.bot_id = $1 AND callbacks.callback_id = t.callback_id"""
_REPLAY = """UPDATE callbacks SET stage = 'waiting', due = $3, attempts = 0, leased_until = 0,
 claimant = '' WHERE bot_id = $1 AND callback_id = ANY($2)"""
_PRUNE_WEBHOOKS = "DELETE FROM webhooks WHERE bot_id = $1 AND received < $2"
_PRUNE_ANSWERS = "DELETE FROM answers WHERE bot_id = $1 AND created < $2"
_PRUNE_CALLBACKS = """DELETE FROM callbacks
 WHERE bot_id = $1 AND stage <> 'waiting' AND created < $2"""


async def stale_messages(
    session: Session, claimed_before: int, now: int, limit: int
) -> list[OutboxMessage]:
    """Messages whose outcome stays unknown, and those that were not handed over in their life."""
    found = await fetch(session, _STALE, claimed_before, now, limit)
    return rows.readable(rows.message, found)


def by_bot(tried: Sequence[Callback]) -> list[list[Callback]]:
    """A part for each bot."""
    parts: dict[str, list[Callback]] = {}
    for each in tried:
        parts.setdefault(each.bot_id, []).append(each)
    return list(parts.values())


async def put_callbacks(session: Session, tried: Sequence[Callback]) -> None:
    """Writes down what became of them, bot by bot and in one order."""
    values = sorted(
        (
            o.bot_id,
            o.callback_id,
            o.due,
            o.attempts,
            o.leased_until,
            o.claimant,
            o.stage.value,
            o.outcome,
        )
        for o in tried
    )
    for bot_id, its_rows in tables.by_bot(values).items():
        await session.execute(_PUT_CALLBACKS, bot_id, *tables.arrays(its_rows))


async def replay_callbacks(
    session: Session, bot_id: str, callback_ids: Sequence[str], now: int
) -> int:
    """Makes them owed again."""
    return times(await session.execute(_REPLAY, bot_id, list(callback_ids), now))


async def prune(session: Session, bot_id: str, webhooks_before: int, callbacks_before: int) -> int:
    """Deletes what was only kept to be looked at or replayed."""
    webhooks = await session.execute(_PRUNE_WEBHOOKS, bot_id, webhooks_before)
    callbacks = await session.execute(_PRUNE_CALLBACKS, bot_id, callbacks_before)
    answers = await session.execute(_PRUNE_ANSWERS, bot_id, callbacks_before)
    return times(webhooks) + times(callbacks) + times(answers)


def times(done: str) -> int:
    """How many rows a command's tag tells of."""
    return int(done.rpartition(" ")[2])
