"""The writer that a process is in the ledger's chains: a leased slot (R14).

A slot has one commit in flight. Each commit extends the lease and writes down its own number, so
that one whose outcome was not seen can be asked for; who lost the slot commits nothing.

Where the tables are distributed by the bot, a commit writes on one bot's shard alone. There the
number lies in `marks`, beside the bot's rows, and the lease is extended apart. Each holder's
numbers are higher than those of all before it, so a mark also keeps out who was outrun.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from optin.stores.ledger import Head
from optin.stores.postgres import shards
from optin.stores.postgres.connection import CLOCK, Session, transaction
from optin.stores.postgres.directory import EXCLUSIVE
from optin.stores.postgres.errors import Redistributed, SlotHeld, SlotLost

#: How long a slot stays with who wrote last, µs: longer than an unseen outcome is asked for.
LEASE = 120_000_000
#: When it is extended apart, in seconds: what is left is longer than a commit and its question.
_RENEW = 10.0

#: A transaction's first statement where slots are chosen or taken away: "optw".
CHOOSING = f"SELECT pg_advisory_xact_lock({0x6F707477})"
#: Chains whose end is remembered.
_MOST_HEADS = 10_000

_EXPIRED = f"""UPDATE writers SET holder = $1, leased_until = {CLOCK} + $2, batch = batch + 1
 WHERE slot = (SELECT slot FROM writers
  WHERE leased_until < {CLOCK} AND ($3::bigint IS NULL OR slot = $3) ORDER BY slot LIMIT 1)
 AND leased_until < {CLOCK} RETURNING slot, batch"""
_NEW = f"""INSERT INTO writers (slot, holder, batch, leased_until)
 SELECT coalesce(max(slot) + 1, 0), $1, 0, {CLOCK} + $2 FROM writers RETURNING slot, batch"""
_MARK = f"""UPDATE writers SET batch = $3, leased_until = {CLOCK} + $4
 WHERE slot = $1 AND holder = $2"""
_ASK = "UPDATE writers SET batch = batch WHERE slot = $1 AND holder = $2 RETURNING batch"
_RENEWED = f"""UPDATE writers SET leased_until = {CLOCK} + $3 WHERE slot = $1 AND holder = $2"""
_HOLDS = "SELECT 1 FROM writers WHERE slot = $1 AND holder = $2"
_MARK_ON_SHARD = """INSERT INTO marks (bot_id, slot, batch) VALUES ($1, $2, $3)
 ON CONFLICT (bot_id, slot) DO UPDATE SET batch = excluded.batch
 WHERE marks.batch < excluded.batch"""
# A row that is not there yet could not be waited for.
_ASK_SHARD = """INSERT INTO marks (bot_id, slot, batch) VALUES ($1, $2, 0)
 ON CONFLICT (bot_id, slot) DO UPDATE SET batch = marks.batch RETURNING batch"""
_LEAVE = "UPDATE writers SET leased_until = 0 WHERE slot = $1 AND holder = $2"
_HEAD = """SELECT seq, hash FROM commits WHERE bot_id = $1 AND writer = $2
 ORDER BY seq DESC LIMIT 1"""


class Writer:
    """This process's slot. `slot` is meaningful between `take` and the next `SlotLost`."""

    def __init__(self, only: int | None = None, *, sharded: bool = False) -> None:
        """`only`: the one slot that will do. `sharded`: how the database was when it was opened."""
        self._only = only
        self.sharded = sharded
        self._renewed = float("-inf")
        self.slot = -1
        self._holder = ""
        self._batch = 0
        self._heads: dict[str, Head] = {}

    @property
    def is_held(self) -> bool:
        """Whether there is a slot to write under."""
        return self.slot >= 0

    async def take(self, session: Session) -> None:
        """Takes a slot that is nobody's, in a transaction of its own. On shards no commit is under
        way meanwhile, so that who has just lost it cannot be in the midst of one."""
        holder, begun = secrets.token_hex(8), time.monotonic()
        async with transaction(session, f"{CHOOSING}; {EXCLUSIVE if self.sharded else ''}"):
            if await shards.is_sharded(session) != self.sharded:
                raise Redistributed
            found = await session.fetchrow(_EXPIRED, holder, LEASE, self._only)
            if found is None and self._only is not None:
                raise SlotHeld
            if found is None:
                found = await session.fetchrow(_NEW, holder, LEASE)
        if found is None:
            raise SlotLost
        self.slot, self._batch = found
        if self.sharded:
            self._batch <<= 32
        self._holder, self._renewed = holder, begun
        self._heads.clear()

    async def renew(self, session: Session) -> None:
        """Extends the lease where commits do not do so themselves, before a transaction begins.
        Raises `SlotLost`."""
        begun = time.monotonic()
        if self.sharded and begun - self._renewed > _RENEW:
            async with transaction(session):
                done = await session.execute(_RENEWED, self.slot, self._holder, LEASE)
                self._held(done == "UPDATE 1")
            self._renewed = begun

    async def check(self, session: Session) -> None:
        """First in a transaction: `SlotLost` unless the slot is ours until its end."""
        if self.sharded:
            self._held(bool(await session.fetchval(_HOLDS, self.slot, self._holder)))

    async def mark(self, session: Session, bot_id: str) -> int:
        """Writes down the transaction's number and returns it. Raises `SlotLost`. `bot_id`: on
        shards, the one that the transaction is about."""
        self._batch += 1
        if self.sharded:
            done = await session.execute(_MARK_ON_SHARD, bot_id, self.slot, self._batch)
        else:
            done = await session.execute(_MARK, self.slot, self._holder, self._batch, LEASE)
        self._held(done in ("UPDATE 1", "INSERT 0 1"))
        return self._batch

    def _held(self, held: bool) -> None:
        if not held:
            self.lose()
            raise SlotLost

    async def was_committed(self, session: Session, bot_id: str, batch: int) -> bool | None:
        """Whether the transaction of that number took effect; waits until it has ended. None: who
        took the slot over has written since, and nobody knows.

        The question is a commit, too: its success says that what was before it is as safe.
        """
        async with transaction(session):
            if not self.sharded:
                return bool(await session.fetchval(_ASK, self.slot, self._holder) == batch)
            last = await session.fetchval(_ASK_SHARD, bot_id, self.slot)
        return None if last > batch else bool(last == batch)

    async def head(self, session: Session, bot_id: str) -> Head:
        """Where this writer's chain of the bot stands."""
        if bot_id not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            found = await session.fetchrow(_HEAD, bot_id, self.slot)
            self._heads[bot_id] = Head(*found) if found else Head()
        return self._heads[bot_id]

    def moved(self, heads: Mapping[str, Head]) -> None:
        """Takes note of what a commit appended."""
        self._heads.update(heads)

    def forget(self) -> None:
        """Something went wrong: the chains' ends are looked up again."""
        self._heads.clear()

    def lose(self) -> None:
        """The slot is not ours any more."""
        self.slot = -1
        self._heads.clear()

    async def leave(self, session: Session) -> None:
        """Gives the slot back."""
        if self.is_held:
            async with transaction(session):
                await session.execute(_LEAVE, self.slot, self._holder)
            self.lose()
