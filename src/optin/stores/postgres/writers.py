"""The writer that a process is in the ledger's chains: a leased slot (R14).

A slot has one commit in flight. Each commit extends the lease and writes down its own number, so
that one whose outcome was not seen can be asked for; who lost the slot commits nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from optin.stores.ledger import Head
from optin.stores.postgres.connection import CLOCK, Session, transaction
from optin.stores.postgres.errors import SlotHeld, SlotLost

#: How long a slot stays with who wrote last, µs: longer than an unseen outcome is asked for.
LEASE = 120_000_000

#: Held while a slot is chosen: "optw".
_LOCK = 0x6F707477
#: Chains whose end is remembered.
_MOST_HEADS = 10_000

_EXPIRED = f"""UPDATE writers SET holder = $1, leased_until = {CLOCK} + $2
 WHERE slot = (SELECT slot FROM writers
  WHERE leased_until < {CLOCK} AND ($3::bigint IS NULL OR slot = $3) ORDER BY slot LIMIT 1)
 AND leased_until < {CLOCK} RETURNING slot, batch"""
_NEW = f"""INSERT INTO writers (slot, holder, batch, leased_until)
 SELECT coalesce(max(slot) + 1, 0), $1, 0, {CLOCK} + $2 FROM writers RETURNING slot, batch"""
_MARK = f"""UPDATE writers SET batch = $3, leased_until = {CLOCK} + $4
 WHERE slot = $1 AND holder = $2"""
_ASK = "UPDATE writers SET batch = batch WHERE slot = $1 AND holder = $2 RETURNING batch"
_LEAVE = "UPDATE writers SET leased_until = 0 WHERE slot = $1 AND holder = $2"
_HEAD = """SELECT seq, hash FROM commits WHERE bot_id = $1 AND writer = $2
 ORDER BY seq DESC LIMIT 1"""


class Writer:
    """This process's slot. `slot` is meaningful between `take` and the next `SlotLost`."""

    def __init__(self, only: int | None = None) -> None:
        """`only`: the one slot that will do."""
        self._only = only
        self.slot = -1
        self._holder = ""
        self._batch = 0
        self._heads: dict[str, Head] = {}

    @property
    def is_held(self) -> bool:
        """Whether there is a slot to write under."""
        return self.slot >= 0

    async def take(self, session: Session) -> None:
        """Takes a slot that is nobody's, in a transaction of its own."""
        holder = secrets.token_hex(8)
        async with transaction(session, f"SELECT pg_advisory_xact_lock({_LOCK})"):
            found = await session.fetchrow(_EXPIRED, holder, LEASE, self._only)
            if found is None and self._only is not None:
                raise SlotHeld
            if found is None:
                found = await session.fetchrow(_NEW, holder, LEASE)
        if found is None:
            raise SlotLost
        self.slot, self._batch = found
        self._holder = holder
        self._heads.clear()

    async def mark(self, session: Session) -> int:
        """Writes down the transaction's number and returns it. Raises `SlotLost`."""
        self._batch += 1
        done = await session.execute(_MARK, self.slot, self._holder, self._batch, LEASE)
        if done != "UPDATE 1":
            self.lose()
            raise SlotLost
        return self._batch

    async def was_committed(self, session: Session, batch: int) -> bool:
        """Whether the transaction of that number took effect; waits until it has ended.

        The question is a commit, too: its success says that what was before it is as safe.
        """
        async with transaction(session):
            last = await session.fetchval(_ASK, self.slot, self._holder)
        return bool(last == batch)

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
