"""What was recorded about one contact, entry by entry, with its evidence (SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass

from optin.domain.errors import NotFound
from optin.ports.ledger import Before, History
from optin.ports.store import Store


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Reads histories. An erased contact has one as well: of digests, times and kinds (R15)."""

    store: Store

    async def page(self, bot_id: str, identity: str, before: Before, limit: int) -> History:
        """Entries of all of W (R11) that were recorded before `before`, the last of them first.

        Raises `NotFound` for an unknown bot; a contact whom nobody knows has an empty history.
        """
        if await self.store.bot(bot_id) is None:
            raise NotFound("There is no such bot.")
        return await self.store.history(bot_id, identity, before, limit)
