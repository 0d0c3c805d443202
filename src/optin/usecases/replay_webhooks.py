"""Take in kept webhooks again: what a program did not understand, its successor may (SPEC 5)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from optin.domain.errors import InconsistentRecord, NotFound
from optin.ports.store import Reads, Store, Transaction

_log = logging.getLogger(__name__)

#: Takes in a body of one source again, for a bot; how many of its parts are still not understood.
TakeIn = Callable[[str, bytes], Awaitable[int]]

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """Bodies that were taken in again, those of them that still are not understood as a whole, and
    those of a source that nobody takes in here."""

    replayed: int = 0
    not_understood: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ReplayWebhooks:
    """`sources`: who takes in what, by `RawWebhook.source`."""

    store: Store
    sources: Mapping[str, TakeIn]

    async def __call__(self, bot_id: str, *, noted: bool = True) -> Replayed:
        """Takes in the kept bodies of a bot: those with a note of what was not understood, or all.

        What was taken in before changes nothing, in whatever order they come. One that is
        understood as a whole has no note any more. Raises `NotFound`.
        """
        if await self.store.bot(bot_id) is None:
            raise NotFound(f"There is no bot {bot_id}.")
        after, replayed, strange, skipped = b"", 0, 0, 0
        while page := await self.store.webhooks(bot_id, after, _PAGE, noted):
            after = page[-1].webhook_id
            for kept in page:
                take_in = self.sources.get(kept.source)
                if take_in is None:
                    skipped += 1
                    continue
                replayed += 1
                try:
                    lost = await take_in(bot_id, kept.body)
                except InconsistentRecord as broken:
                    _log.warning("bot %s: a kept webhook is left out: %s", bot_id, broken)
                    lost = 1
                strange += lost > 0
                if kept.note and not lost:
                    await self.store.commit(_Understood(bot_id, kept.webhook_id))
        return Replayed(replayed, strange, skipped)


@dataclass(frozen=True, slots=True)
class _Understood:
    """Takes the note off a kept body."""

    bot_id: str
    webhook_id: bytes

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, tx: Transaction) -> None:
        tx.put_note(self.webhook_id, "")
