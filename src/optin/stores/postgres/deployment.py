"""What those who run the deployment do with many bots at once, on PostgreSQL, and its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from optin.domain.bots import DEPLOYMENT, Token
from optin.domain.errors import InconsistentRecord, NotFound, OptinError
from optin.domain.tokens import Replacement
from optin.ports.directory import Plan
from optin.ports.records import AnswerKey, StoredAnswer
from optin.stores import rows
from optin.stores.postgres import tables
from optin.stores.postgres.connection import Row, Session, fetch
from optin.stores.postgres.directory import BUMP, TOKEN_COLUMNS

_THERE = "SELECT bot_id FROM bots WHERE bot_id = ANY($1) AND removed IS NULL"
_TOKENS_OF = f"""SELECT {TOKEN_COLUMNS} FROM tokens WHERE bot_id = ANY($1)
 ORDER BY bot_id, created, token_id"""
_ADD = f"""INSERT INTO tokens ({TOKEN_COLUMNS}) SELECT * FROM
 unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
 ON CONFLICT (digest) DO NOTHING"""
_END = """UPDATE tokens t SET revoked = u.revoked
 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u (bot_id, token_id, revoked)
 WHERE t.bot_id = u.bot_id AND t.token_id = u.token_id"""

_ANSWER = f"""SELECT {tables.ANSWERS.columns} FROM answers
 WHERE bot_id = $1 AND actor = $2 AND route = $3 AND key = $4"""
_KEEP = f"""INSERT INTO answers ({tables.ANSWERS.columns})
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"""


async def replace_tokens(
    session: Session, bot_ids: Sequence[str], plan: Plan, now: int
) -> Mapping[str, Sequence[Replacement] | OptinError]:
    """Does what the plan tells with each bot's tokens; four statements for all."""
    there = {row[0] for row in await fetch(session, _THERE, list(bot_ids))}
    found: dict[str, list[Row]] = {bot_id: [] for bot_id in bot_ids}
    for row in await fetch(session, _TOKENS_OF, list(bot_ids)):
        found[row[1]].append(row)
    done = {
        bot_id: _planned(each, plan, now) if bot_id in there else _missing(bot_id)
        for bot_id, each in found.items()
    }
    await _write(session, [one for each in done.values() if isinstance(each, list) for one in each])
    return done


def _planned(found: Iterable[Row], plan: Plan, now: int) -> list[Replacement] | OptinError:
    try:
        return list(plan(list(map(rows.token, found)), now))
    except InconsistentRecord as broken:
        return broken


def _missing(bot_id: str) -> OptinError:
    return NotFound(f"There is no bot {bot_id}.")


async def _write(session: Session, planned: Sequence[Replacement]) -> None:
    if planned:
        new = zip(*(rows.token_row(each.new) for each in planned), strict=True)
        await session.execute(_ADD, *map(list, new))
        ended = zip(*(_end(each.old) for each in planned), strict=True)
        await session.execute(_END, *map(list, ended))
        await session.execute(BUMP)


def _end(old: Token) -> Row:
    return (old.bot_id, old.token_id, old.revoked)


async def answer(session: Session, key: AnswerKey) -> StoredAnswer | None:
    """The answer kept under the key."""
    found = await fetch(session, _ANSWER, DEPLOYMENT, *key)
    return rows.answer(found[0]) if found else None


async def keep(session: Session, new: StoredAnswer) -> StoredAnswer:
    """Keeps it if there is none yet."""
    await session.execute(_KEEP, *rows.answer_row(DEPLOYMENT, new))
    return await answer(session, new.key) or new
