"""Bots, settings and tokens: the part of the PostgreSQL store that operators change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from optin.domain.bots import Bot, Token
from optin.domain.errors import InconsistentRecord, MasterKeyMismatch, OptinError
from optin.domain.tokens import Replacement, lives
from optin.ports.directory import Plan
from optin.ports.records import AnswerKey, StoredAnswer
from optin.stores.digests import META_KEY, Digests, new_wrapped_key, unwrapped
from optin.stores.postgres import deployment, directory
from optin.stores.postgres.connection import (
    CLOCK,
    WORK,
    Row,
    Session,
    Sessions,
    fetch,
    snapshot,
    transaction,
)
from optin.stores.postgres.errors import store_errors
from optin.stores.seal import Seal

T = TypeVar("T")

_META = "SELECT value FROM meta WHERE key = $1"
_PUT_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING"

#: Connections for everything but commits and coalesced reads, and for what takes its time: nobody
#: else must wait for that.
_CONNECTIONS, _UNHURRIED = 3, 1


class PostgresDirectory:
    """`ports/store.py`'s Directory. `clock`: in place of the database's, for tests."""

    def __init__(self, url: str, seal: Seal, clock: Callable[[], int] | None) -> None:
        self._seal = seal
        self._clock = clock
        self._copy = directory.DirectoryCopy()
        self._sessions = Sessions(url, _CONNECTIONS)
        self._unhurried = Sessions(url, _UNHURRIED, wait=None)

    async def bot(self, bot_id: str) -> Bot | None:
        copy = self._copy
        if copy.is_fresh() and bot_id in copy.bots:
            return copy.bots[bot_id]
        return await self._read(lambda s: directory.look_up_bot(s, self._seal, copy, bot_id))

    async def token(self, digest: bytes) -> Token | None:
        copy = self._copy
        if copy.is_fresh() and digest in copy.tokens:
            found: Token | None = copy.tokens[digest]
        else:
            found = await self._read(lambda s: directory.look_up_token(s, copy, digest))
        now = self._clock() if self._clock else copy.now()
        return found if found is not None and lives(found, now) else None

    async def bots(self) -> list[Bot]:
        return await self._read(lambda s: directory.all_bots(s, self._seal))

    async def bots_after(self, after: str, limit: int) -> list[Bot]:
        return await self._read(lambda s: directory.bots_after(s, self._seal, after, limit))

    async def removed_bots(self) -> list[Bot]:
        return await self._read(directory.removed_bots)

    async def tokens(self, bot_id: str) -> list[Token]:
        return await self._read(lambda s: directory.tokens(s, bot_id))

    async def add_bot(self, bot: Bot, token: Token) -> None:
        async def add(session: Session) -> None:
            await directory.add_bot(session, self._seal, bot, token, await self._now(session))

        await self._change(add)

    async def put_settings(self, bot_id: str, changes: Mapping[str, str]) -> Bot:
        return await self._change(lambda s: directory.put_settings(s, self._seal, bot_id, changes))

    async def remove_bot(self, bot_id: str) -> None:
        async def remove(session: Session) -> None:
            await directory.remove_bot(session, self._seal, bot_id, await self._now(session))

        await self._change(remove)

    async def add_token(self, token: Token) -> None:
        await self._change(lambda s: directory.add_token(s, self._seal, token))

    async def revoke_token(self, bot_id: str, token_id: str) -> None:
        async def revoke(session: Session) -> None:
            await directory.revoke_token(session, bot_id, token_id, await self._now(session))

        await self._change(revoke)

    async def replace_tokens(
        self, bot_ids: Sequence[str], plan: Plan
    ) -> Mapping[str, Sequence[Replacement] | OptinError]:
        async def change(session: Session) -> Mapping[str, Sequence[Replacement] | OptinError]:
            now = await self._now(session)
            return await deployment.replace_tokens(session, bot_ids, plan, now)

        return await self._change(change, again=True)

    async def deployment_answer(self, key: AnswerKey) -> StoredAnswer | None:
        return await self._read(lambda s: deployment.answer(s, key))

    async def keep_deployment_answer(self, answer: StoredAnswer) -> StoredAnswer:
        async def keep(session: Session) -> StoredAnswer:
            made = replace(answer, created=await self._now(session))
            return await deployment.keep(session, made)

        return await self._write(keep, again=True)

    async def meta(self, key: str) -> str | None:
        found: str | None = await self._read(lambda s: s.fetchval(_META, key))
        return found

    async def put_meta(self, key: str, value: str) -> str:
        await self._write(lambda s: s.execute(_PUT_META, key, value))
        return await self.meta(key) or value

    async def close(self) -> None:
        await self._sessions.close()
        await self._unhurried.close()

    async def now(self) -> int:
        return await self._read(self._now)

    async def _now(self, session: Session) -> int:
        return self._clock() if self._clock else int(await session.fetchval(f"SELECT {CLOCK}"))

    async def _change(self, change: Callable[[Session], Awaitable[T]], *, again: bool = False) -> T:
        """A change of the directory; afterwards this process sees it at once."""
        changed = await self._write(change, directory.EXCLUSIVE, again=again)
        await self._read(lambda s: directory.compare(s, self._copy))
        return changed

    async def _read(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Single queries, each of its own instant."""
        with store_errors():
            return await self._sessions.read(work)

    async def _snapshot(
        self, work: Callable[[Session], Awaitable[T]], *, limit: float | None = WORK
    ) -> T:
        """Several queries at one instant. `limit`: seconds, None for as long as it takes."""

        async def inside(session: Session) -> T:
            async with snapshot(session, limit=limit):
                return await work(session)

        with store_errors():
            return await self._for(limit).run(inside, again=True)

    def _for(self, limit: float | None) -> Sessions:
        return self._unhurried if limit is None else self._sessions

    async def _write(
        self,
        work: Callable[[Session], Awaitable[T]],
        first: str = "",
        *,
        again: bool = False,
        limit: float | None = WORK,
    ) -> T:
        """One transaction; `again`: doing it twice is as good as once."""

        async def inside(session: Session) -> T:
            async with transaction(session, first, limit=limit):
                return await work(session)

        with store_errors():
            return await self._for(limit).run(inside, again=again)

    async def _fetch(self, sql: str, *values: Any) -> list[Row]:
        return await self._read(lambda s: fetch(s, sql, *values))


async def digests_of(url: str, seal: Seal) -> Digests:
    """The digests of this database, whose key is made when it is first opened (R15).

    Raises `MasterKeyMismatch` if the key that is there does not open.
    """
    directory_of_it = PostgresDirectory(url, seal, None)
    try:
        wrapped = await directory_of_it.meta(META_KEY)
        if wrapped is None:
            wrapped = await directory_of_it.put_meta(META_KEY, new_wrapped_key(seal))
        return unwrapped(wrapped, seal)
    except InconsistentRecord:
        raise MasterKeyMismatch(
            "The database was made with another master key than the one given."
        ) from None
    finally:
        await directory_of_it.close()
