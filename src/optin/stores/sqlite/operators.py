"""Bots, settings and tokens: the part of the SQLite store that operators change."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from optin.domain.bots import Bot, Token
from optin.domain.errors import OptinError
from optin.domain.tokens import Replacement, lives
from optin.ports.directory import Plan
from optin.ports.records import AnswerKey, StoredAnswer
from optin.stores.seal import Seal
from optin.stores.sqlite import deployment, directory
from optin.stores.sqlite.connection import snapshot, transaction
from optin.stores.sqlite.threads import Aside, Checkpointer, ConnectionThread
from optin.stores.sqlite.writing import Writer

T = TypeVar("T")


class SQLiteDirectory:
    """`ports/store.py`'s Directory on one file, with a thread that writes and one that reads.

    What may read for long (ledgers, histories) has another: no check waits behind it. What reads
    all there is (counts, erasures) has one `_aside`.
    """

    def __init__(self, path: Path, seal: Seal, clock: Callable[[], int]) -> None:
        self._path = path
        self._seal = seal
        self._clock = clock
        self._copy = directory.DirectoryCopy()
        self._checkpointer = Checkpointer(path)
        self._writer = Writer(path, self._checkpointer.committed)
        self._reader = ConnectionThread(path, read_only=True)
        self._long_reader = ConnectionThread(path, read_only=True)
        self._aside = Aside(path)

    async def bot(self, bot_id: str) -> Bot | None:
        copy = self._copy
        if copy.is_fresh() and bot_id in copy.bots:
            return copy.bots[bot_id]
        return await self._read(lambda c: copy.look_up_bot(c, self._seal, bot_id))

    async def token(self, digest: bytes) -> Token | None:
        copy = self._copy
        if copy.is_fresh() and digest in copy.tokens:
            found: Token | None = copy.tokens[digest]
        else:
            found = await self._read(lambda c: copy.look_up_token(c, digest))
        return found if found is not None and lives(found, self._clock()) else None

    async def bots(self) -> list[Bot]:
        return await self._read(lambda c: directory.bots(c, self._seal))

    async def bots_after(self, after: str, limit: int) -> list[Bot]:
        return await self._read(lambda c: directory.bots_after(c, self._seal, after, limit))

    async def removed_bots(self) -> list[Bot]:
        return await self._read(directory.removed_bots)

    async def tokens(self, bot_id: str) -> list[Token]:
        return await self._read(lambda c: directory.tokens(c, bot_id))

    async def add_bot(self, bot: Bot, token: Token) -> None:
        await self._change(lambda c: directory.add_bot(c, self._seal, bot, token, self._clock()))

    async def put_settings(self, bot_id: str, changes: Mapping[str, str]) -> Bot:
        return await self._change(lambda c: directory.put_settings(c, self._seal, bot_id, changes))

    async def remove_bot(self, bot_id: str) -> None:
        await self._change(lambda c: directory.remove_bot(c, self._seal, bot_id, self._clock()))

    async def add_token(self, token: Token) -> None:
        await self._change(lambda c: directory.add_token(c, self._seal, token))

    async def revoke_token(self, bot_id: str, token_id: str) -> None:
        await self._change(lambda c: directory.revoke_token(c, bot_id, token_id, self._clock()))

    async def replace_tokens(
        self, bot_ids: Sequence[str], plan: Plan
    ) -> Mapping[str, Sequence[Replacement] | OptinError]:
        return await self._change(
            lambda c: deployment.replace_tokens(c, bot_ids, plan, self._clock())
        )

    async def deployment_answer(self, key: AnswerKey) -> StoredAnswer | None:
        return await self._read(lambda c: deployment.answer(c, key))

    async def keep_deployment_answer(self, answer: StoredAnswer) -> StoredAnswer:
        def keep(connection: sqlite3.Connection) -> StoredAnswer:
            with transaction(connection):
                return deployment.keep(connection, replace(answer, created=self._clock()))

        return await self._writer.run(keep)

    async def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def inside(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        changed = await self._writer.run(inside)
        await self._read(self._copy.compare)
        return changed

    async def meta(self, key: str) -> str | None:
        found = await self._fetch("SELECT value FROM meta WHERE key = ?", key)
        return found[0][0] if found else None

    async def put_meta(self, key: str, value: str) -> str:
        await self._change(
            lambda c: c.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
        )
        return await self.meta(key) or value

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def inside(connection: sqlite3.Connection) -> T:
            with snapshot(connection):
                return work(connection)

        return await self._reader.run(inside)

    async def _fetch(self, sql: str, *values: Any) -> list[Any]:
        return await self._reader.run(lambda c: c.execute(sql, values).fetchall())
