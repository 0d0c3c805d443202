"""Single records and lists: the part of the PostgreSQL store that only looks things up."""

from __future__ import annotations

from collections.abc import Mapping

from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, CallbackStage, RawWebhook, Review, Template
from optin.stores import rows
from optin.stores.postgres import tables
from optin.stores.postgres.operators import PostgresDirectory

_TEMPLATES = f"""SELECT {tables.TEMPLATES.columns} FROM templates WHERE bot_id = $1
 ORDER BY name, language"""
_TEMPLATE = f"""SELECT {tables.TEMPLATES.columns} FROM templates
 WHERE bot_id = $1 AND name = $2 AND language = $3"""
_MESSAGE = f"""SELECT {tables.MESSAGES.columns} FROM messages
 WHERE bot_id = $1 AND message_id = $2"""
_BLACKLIST = """SELECT identity FROM blacklist WHERE bot_id = $1
 ORDER BY identity LIMIT $2 OFFSET $3"""
_CALLBACKS = f"""SELECT {tables.CALLBACKS.columns} FROM callbacks
 WHERE bot_id = $1 AND callback_id > $2 AND ($4::text IS NULL OR stage = $4)
 ORDER BY callback_id LIMIT $3"""
_UNREAD_CALLBACKS = _CALLBACKS.replace(
    tables.CALLBACKS.columns,
    tables.CALLBACKS.columns.replace(" body,", " ''::bytea,") + ", octet_length(body)",
)
_CALLBACK = f"""SELECT {tables.CALLBACKS.columns} FROM callbacks
 WHERE bot_id = $1 AND callback_id = $2"""
_WEBHOOKS = f"""SELECT {tables.WEBHOOKS.columns} FROM webhooks
 WHERE bot_id = $1 AND webhook_id > $2 ORDER BY webhook_id LIMIT $3"""
_NOTED_WEBHOOKS = f"""SELECT {tables.WEBHOOKS.columns} FROM webhooks
 WHERE bot_id = $1 AND webhook_id > $2 AND note <> '' ORDER BY webhook_id LIMIT $3"""
_OPEN_REVIEWS = f"""SELECT {tables.REVIEWS.columns} FROM reviews
 WHERE bot_id = $1 AND review_id > $2 AND decision = ''
 ORDER BY review_id LIMIT $3"""
_ALL_REVIEWS = f"""SELECT {tables.REVIEWS.columns} FROM reviews
 WHERE bot_id = $1 AND review_id > $2 ORDER BY review_id LIMIT $3"""
_OPT_OUTS = """SELECT source, count(*) FROM events WHERE bot_id = $1 AND recorded >= $2
 AND kind IN ('opt_out', 'opt_out_keyword') GROUP BY source"""


class PostgresLists(PostgresDirectory):
    """The look-ups of `ports/store.py`; each is one query."""

    async def templates(self, bot_id: str) -> list[Template]:
        return [rows.template(row[1:]) for row in await self._fetch(_TEMPLATES, bot_id)]

    async def template(self, bot_id: str, name: str, language: str) -> Template | None:
        found = await self._fetch(_TEMPLATE, bot_id, name, language)
        return rows.template(found[0][1:]) if found else None

    async def message(self, bot_id: str, message_id: str) -> OutboxMessage | None:
        found = await self._fetch(_MESSAGE, bot_id, message_id)
        return rows.message(found[0]) if found else None

    async def blacklist(self, bot_id: str, offset: int, limit: int) -> list[str]:
        return [row[0] for row in await self._fetch(_BLACKLIST, bot_id, limit, offset)]

    async def callback(self, bot_id: str, callback_id: str) -> Callback | None:
        found = await self._fetch(_CALLBACK, bot_id, callback_id)
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
        sql = _CALLBACKS if bodies else _UNREAD_CALLBACKS
        found = await self._fetch(sql, bot_id, after, limit, stage and stage.value)
        return list(map(rows.callback, found))

    async def webhooks(
        self, bot_id: str, after: bytes, limit: int, noted: bool = False
    ) -> list[RawWebhook]:
        sql = _NOTED_WEBHOOKS if noted else _WEBHOOKS
        return list(map(rows.webhook, await self._fetch(sql, bot_id, after, limit)))

    async def reviews(
        self, bot_id: str, after: str, limit: int, is_open: bool = True
    ) -> list[Review]:
        sql = _OPEN_REVIEWS if is_open else _ALL_REVIEWS
        return list(map(rows.review, await self._fetch(sql, bot_id, after, limit)))

    async def opt_outs_since(self, bot_id: str, since: int) -> Mapping[str, int]:
        found = await self._fetch(_OPT_OUTS, bot_id, since)
        return {row[0]: row[1] for row in found}
