"""Reads on PostgreSQL: everything that waits goes into one round, one query a bot (R6)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence

from optin.domain import links
from optin.domain.errors import InconsistentRecord, StoreUnavailable
from optin.domain.links import UNLINKED, State, neighbours
from optin.ports.store import Reading, States
from optin.stores.batch import Rows
from optin.stores.digests import Digests
from optin.stores.postgres import tables
from optin.stores.postgres.connection import CLOCK, Row, Session, Sessions, fetch, snapshot
from optin.stores.postgres.errors import store_errors
from optin.stores.postgres.loading import LOOK, look_up_states, reached, state_in, take_states

#: Who asks for what: the bot's id and identities.
Asked = tuple[str, Sequence[str]]

_NOW_AND_STATES = f"""SELECT c.now, i.* FROM (SELECT {CLOCK} AS now) AS c
 LEFT JOIN (SELECT {tables.IDENTITIES.columns} FROM identities) AS i
 ON i.bot_id = $1 AND i.identity = ANY($2)"""
_NOW = f"SELECT {CLOCK}"


class StateReader:
    """Reads states with a connection of its own. `clock`: in place of the database's, for tests.

    On shards a query about a bot runs on its node, with that node's clock. Times are the
    coordinator's, as those of commits, so they are asked for apart.
    """

    def __init__(
        self, url: str, digests: Digests, clock: Callable[[], int] | None, *, sharded: bool
    ) -> None:
        self._sharded = sharded
        self._sessions = Sessions(url, 1)
        self._digests = digests
        self._clock = clock

    async def close(self) -> None:
        """Closes the connection."""
        await self._sessions.close()

    async def read(self, wanted: Sequence[Asked]) -> list[Reading | InconsistentRecord]:
        """An answer for each. A record that cannot be read fails who asked for it, alone (R12)."""
        by_bot: dict[str, list[int]] = {}
        for place, (bot_id, _) in enumerate(wanted):
            by_bot.setdefault(bot_id, []).append(place)
        answers: dict[int, Reading | InconsistentRecord] = {}

        async def look(session: Session) -> None:
            for bot_id, places in by_bot.items():
                asked = [wanted[place][1] for place in places]
                told = await self._read_bot(session, bot_id, asked)
                answers.update(zip(places, told, strict=True))

        with store_errors():
            await self._sessions.read(look)
        return [answers[place] for place in range(len(wanted))]

    async def _read_bot(
        self, session: Session, bot_id: str, asked: Sequence[Sequence[str]]
    ) -> list[Reading | InconsistentRecord]:
        everybody = {identity for identities in asked for identity in identities}
        try:
            now, loaded = await self._states_now(session, bot_id, everybody)
        except InconsistentRecord as broken:
            if len(asked) == 1:
                return [broken]
            return [(await self._read_bot(session, bot_id, [one]))[0] for one in asked]
        state_of = functools.partial(_known, loaded, bot_id)
        return [
            Reading(now, {identity: links.reading(identity, state_of) for identity in identities})
            for identities in asked
        ]

    async def _states_now(
        self, session: Session, bot_id: str, identities: Collection[str]
    ) -> tuple[int, Rows]:
        """(the database's clock, all states that W reaches, as of one instant)."""
        loaded = Rows(functools.cache(self._digests.of))
        # Spellings need no look; if links lead further, everything is read again in one snapshot.
        guess = {who for identity in identities for who in neighbours(identity, UNLINKED)}
        names = sorted({name for who in guess for name in (who, loaded.digest(bot_id, who))})
        found = await self._look(session, bot_id, names)
        take_states(loaded, bot_id, guess, (row[1:] for row in found if row[1] is not None))
        if reached(loaded, bot_id, identities)[1]:
            async with snapshot(session):
                return await self.all_states(session, bot_id, identities)
        return self._clock() if self._clock else int(found[0][0]), loaded

    async def _look(self, session: Session, bot_id: str, names: list[str]) -> list[Row]:
        """The rows of those that are there, each with the time before it; at least one."""
        if not self._sharded:
            return await fetch(session, _NOW_AND_STATES, bot_id, names)
        rows = await fetch(session, LOOK, bot_id, names)
        now = await session.fetchval(_NOW)
        return [(now, *row) for row in rows] or [(now, None)]

    async def all_states(
        self, session: Session, bot_id: str, identities: Collection[str]
    ) -> tuple[int, Rows]:
        """The same within a snapshot, step by step."""
        loaded = Rows(functools.cache(self._digests.of))
        await look_up_states(session, loaded, bot_id, identities)
        return self._clock() if self._clock else int(await session.fetchval(_NOW)), loaded

    async def reading(self, session: Session, bot_id: str, identities: Sequence[str]) -> Reading:
        """Joined clocks of the identities, within a snapshot."""
        now, loaded = await self.all_states(session, bot_id, identities)
        state_of = functools.partial(_known, loaded, bot_id)
        return Reading(now, {who: links.reading(who, state_of) for who in identities})

    async def states(self, session: Session, bot_id: str, identities: Collection[str]) -> States:
        """The own states of the identities and of all that W reaches, within a snapshot."""
        now, loaded = await self.all_states(session, bot_id, identities)
        everybody = reached(loaded, bot_id, identities)[0]
        return States(now, {who: _known(loaded, bot_id, who) for who in everybody})


def _known(loaded: Rows, bot_id: str, identity: str) -> State:
    found = state_in(loaded, bot_id, identity)
    if found is None:
        raise StoreUnavailable("A record was not looked up.")
    return found
