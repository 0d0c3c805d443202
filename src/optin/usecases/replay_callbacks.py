"""Look at the callbacks of a bot and make them owed again (SPEC 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optin.domain.errors import InvalidInput, NotFound
from optin.ports.store import Callback, CallbackStage, Store

#: Callbacks on one page; how many there are if the caller does not say.
MOST, PAGE = 1_000, 100
_LONGEST_ID = 64


def _nobody() -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class Page:
    """Callbacks in the order of their ids; `following` is the cursor of the next page, "" if this
    was the last."""

    callbacks: Sequence[Callback]
    following: str


@dataclass(frozen=True, slots=True)
class ReplayCallbacks:
    """What a bot's receivers were told, or could not be. `replayed` is called when something is
    owed again, so that it need not wait for a poll."""

    store: Store
    replayed: Callable[[], None] = _nobody

    async def page(
        self, bot_id: str, after: str = "", limit: int = PAGE, stage: CallbackStage | None = None
    ) -> Page:
        """The callbacks behind the cursor `after`, oldest first, without their bodies. A cursor is
        a callback's id.

        Raises `NotFound` for an unknown bot, `InvalidInput` for a limit that is none.
        """
        await self._known(bot_id)
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"Field [limit] must be a number from 1 to {MOST}.", field="limit")
        behind = _checked(after, "after")
        found = await self.store.callbacks(bot_id, behind, limit + 1, stage, bodies=False)
        more = len(found) > limit
        return Page(found[:limit], found[limit - 1].callback_id if more else "")

    async def one(self, bot_id: str, callback_id: str) -> Callback:
        """One callback with its body. Raises `NotFound`."""
        await self._known(bot_id)
        found = await self.store.callback(bot_id, _checked(callback_id, "id"))
        if found is None:
            told = "There is no such callback; those that are done or dead go after a week."
            raise NotFound(told)
        return found

    async def replay(self, bot_id: str, callback_ids: Sequence[str]) -> int:
        """Makes these owed again now, whatever became of them; how many there were.

        Raises `NotFound` if there was none of them.
        """
        await self._known(bot_id)
        ids = list(dict.fromkeys(_checked(each, "ids") for each in callback_ids))
        if not 1 <= len(ids) <= MOST:
            raise InvalidInput(f"Field [ids] must have 1 to {MOST} ids.", field="ids")
        count = await self.store.replay_callbacks(bot_id, ids)
        if not count:
            raise NotFound("There is none of these callbacks.")
        self.replayed()
        return count

    async def replay_from(self, bot_id: str, cursor: str) -> int:
        """Makes all behind the cursor owed again, "" for all there are; how many there were.

        What is owed only since this began is left alone. A receiver that was away gets what waits
        for its next try at once, too.
        """
        await self._known(bot_id)
        begun, count, after = await self.store.now(), 0, _checked(cursor, "from")
        while found := await self.store.callbacks(bot_id, after, PAGE, bodies=False):
            ids = [each.callback_id for each in found if each.created <= begun]
            count += await self.store.replay_callbacks(bot_id, ids) if ids else 0
            after = found[-1].callback_id
            self.replayed()
        return count

    async def _known(self, bot_id: str) -> None:
        if await self.store.bot(bot_id) is None:
            raise NotFound(f"There is no bot {bot_id}.")


def _checked(text: object, field: str) -> str:
    """An id or a cursor, which is one; "" is the cursor before all."""
    if not isinstance(text, str) or len(text) > _LONGEST_ID or not text.isascii():
        raise InvalidInput(f"Field [{field}] must be the id of a callback.", field=field)
    if field in ("id", "ids") and not text:
        raise InvalidInput(f"Field [{field}] can not be empty.", field=field)
    return text
