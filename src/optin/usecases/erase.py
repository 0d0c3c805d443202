"""Forgets a contact, so that nothing tells of the person any more but that they are to be left in
peace (R15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optin.domain.ids import NewId
from optin.ports.store import Erased, Erasing, Store


@dataclass(frozen=True, slots=True)
class Erase:
    """Erases one contact at a time."""

    store: Store
    new_id: NewId

    async def forget(
        self,
        bot_id: str,
        identity: str,
        *,
        source: str,
        actor: str,
        context: Mapping[str, str] | None = None,
    ) -> Erased:
        """Forgets the contact behind a canonical identity, all identities of theirs included.

        Returns when everything is gone and the opt-out that stays is on disk; after an error it is
        to be repeated, which is harmless. Raises `NotFound` for an unknown bot, and
        `StoreUnavailable`.
        """
        erasing = Erasing(self.new_id(), source, actor, context or {})
        return await self.store.forget(bot_id, identity, erasing)
