"""Single records and lists: the part of the SQLite store that only looks things up."""

from __future__ import annotations

from collections.abc import Mapping

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, CallbackStage, RawWebhook, Review, Template
from optin.stores import rows
from optin.stores.sqlite.operators import SQLiteDirectory

_WEBHOOKS = """SELECT * FROM webhooks WHERE bot_id = ? AND webhook_id > ?
 ORDER BY webhook_id LIMIT ?"""
# The same condition as its index has, else that does not serve it.
_NOTED_WEBHOOKS = """SELECT * FROM webhooks WHERE bot_id = ? AND webhook_id > ? AND note <> ''
 ORDER BY webhook_id LIMIT ?"""

#: What to select of a callback whose body stays where it is; how long that is comes last.
_UNREAD_CALLBACK = """bot_id, callback_id, url, x'' AS unread, created, due, attempts, leased_until,
 claimant, kind, headers, stage, outcome, receiver, length(body)"""


class SQLiteLists(SQLiteDirectory):
    """The look-ups of `ports/store.py`; each is one query on the reading thread."""

    async def templates(self, bot_id: str) -> list[Template]:
        found = await self._fetch(
            """SELECT name, language, category, status, updated, components FROM templates
             WHERE bot_id = ? ORDER BY name, language""",
            bot_id,
        )
        return list(map(rows.template, found))

    async def template(self, bot_id: str, name: str, language: str) -> Template | None:
        found = await self._fetch(
            """SELECT name, language, category, status, updated, components FROM templates
             WHERE bot_id = ? AND name = ? AND language = ?""",
            bot_id,
            name,
            language,
        )
        return rows.template(found[0]) if found else None

    async def message(self, bot_id: str, message_id: str) -> OutboxMessage | None:
        found = await self._fetch(
            "SELECT * FROM messages WHERE bot_id = ? AND message_id = ?", bot_id, message_id
        )
        return rows.message(found[0]) if found else None

    async def blacklist(self, bot_id: str, offset: int, limit: int) -> list[str]:
        found = await self._fetch(
            "SELECT identity FROM blacklist WHERE bot_id = ? ORDER BY identity LIMIT ? OFFSET ?",
            bot_id,
            limit,
            offset,
        )
        return [row[0] for row in found]

    async def callback(self, bot_id: str, callback_id: str) -> Callback | None:
        found = await self._fetch(
            "SELECT * FROM callbacks WHERE bot_id = ? AND callback_id = ?", bot_id, callback_id
        )
        return rows.callback(found[0]) if found else None

    async def callbacks(
        self,
        bot_id: str,
        after: str,
        limit: int,
        stage: CallbackStage | None = None,
        *,
        bodies: bool = True,
    ) -> list[Callback]:
        sql = """SELECT * FROM callbacks WHERE bot_id = ?1 AND callback_id > ?2
             AND (?4 IS NULL OR stage = ?4) ORDER BY callback_id LIMIT ?3"""
        if not bodies:
            sql = sql.replace("*", _UNREAD_CALLBACK)
        found = await self._fetch(sql, bot_id, after, limit, stage and stage.value)
        return list(map(rows.callback, found))

    async def webhooks(
        self, bot_id: str, after: bytes, limit: int, noted: bool = False
    ) -> list[RawWebhook]:
        sql = _NOTED_WEBHOOKS if noted else _WEBHOOKS
        found = await self._fetch(sql, bot_id, after, limit)
        return list(map(rows.webhook, found))

    async def reviews(
        self, bot_id: str, after: str, limit: int, is_open: bool = True
    ) -> list[Review]:
        sql = """SELECT * FROM reviews WHERE bot_id = ? AND review_id > ?
             AND decision = '' ORDER BY review_id LIMIT ?"""
        if not is_open:
            sql = sql.replace("AND decision = ''", "")
        return list(map(rows.review, await self._fetch(sql, bot_id, after, limit)))

    async def opt_outs_since(self, bot_id: str, since: int) -> Mapping[str, int]:
        found = await self._fetch(
            """SELECT source, count(*) FROM events WHERE bot_id = ? AND recorded >= ?
             AND kind IN ('opt_out', 'opt_out_keyword') GROUP BY source""",
            bot_id,
            since,
        )
        return dict(found)
