"""The numbers whose inbound messages are not called back to the business (SPEC 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optin.ports.store import Reads, Store, Transaction

#: Identities on one page of the list.
PAGE = 100


@dataclass(frozen=True, slots=True)
class Blacklist:
    """Keeps the list. It says nothing about consent: listed messages count there as any other."""

    store: Store

    async def put(self, bot_id: str, identities: Sequence[str], listed: bool) -> None:
        """Puts all the canonical identities on the list, or takes all off; repeating is harmless.

        Returns when it is on disk. Raises `StoreUnavailable`, and then nothing was changed.
        """
        await self.store.commit(_Put(bot_id, tuple(dict.fromkeys(identities)), listed))

    async def page(self, bot_id: str, page: int) -> list[str]:
        """Up to 100 identities in byte order; `page` counts from 0. Empty after the last."""
        return await self.store.blacklist(bot_id, offset=page * PAGE, limit=PAGE)


@dataclass(frozen=True, slots=True)
class _Put:
    bot_id: str
    identities: tuple[str, ...]
    listed: bool

    @property
    def reads(self) -> Reads:
        return Reads(blacklist=frozenset(self.identities))

    def run(self, tx: Transaction) -> None:
        for identity in self.identities:
            tx.put_blacklisted(identity, self.listed)
