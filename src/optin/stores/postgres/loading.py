"""The rows that a batch's works will look at, read and locked.

What is written after it was read is locked from the read on: states, messages and reviews, in the
order of their keys, so that two batches wait for each other rather than lock each other up. A
state that is not there yet is put there blank first: what is not there cannot be locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from optin.domain.errors import InconsistentRecord
from optin.domain.links import UNKNOWN, State, neighbours
from optin.ports.store import Reads, Work
from optin.stores import import_rows, rows
from optin.stores.batch import Key, Rows
from optin.stores.postgres import tables
from optin.stores.postgres.adding import add
from optin.stores.postgres.connection import Row, Session, fetch

#: The states of a bot under these names.
LOOK = f"""SELECT {tables.IDENTITIES.columns} FROM identities
 WHERE bot_id = $1 AND identity = ANY($2)"""
_LOCK = f"{LOOK} ORDER BY identity FOR UPDATE"
_RECORDED = """SELECT event_id FROM events WHERE bot_id = $1 AND event_id = ANY($2)
 UNION ALL SELECT event_id FROM contact_messages WHERE bot_id = $1 AND event_id = ANY($2)"""
_TEMPLATES = f"""SELECT {tables.TEMPLATES.columns} FROM templates WHERE bot_id = $1
 AND (name, language) IN (SELECT * FROM unnest($2::text[], $3::text[]))"""
_UPSTREAM_IDS = """SELECT upstream_id, message_id FROM messages
 WHERE bot_id = $1 AND upstream_id <> '' AND upstream_id = ANY($2)"""
_MESSAGES = f"""SELECT {tables.MESSAGES.columns} FROM messages
 WHERE bot_id = $1 AND message_id = ANY($2) ORDER BY message_id FOR UPDATE"""
_REVIEWS = f"""SELECT {tables.REVIEWS.columns} FROM reviews
 WHERE bot_id = $1 AND review_id = ANY($2) ORDER BY review_id FOR UPDATE"""
_ANSWERS = f"""SELECT {tables.ANSWERS.columns} FROM answers WHERE bot_id = $1
 AND (actor, route, key) IN (SELECT * FROM unnest($2::text[], $3::text[], $4::text[]))
 ORDER BY actor, route, key FOR UPDATE"""
_IMPORTS = f"""SELECT {tables.IMPORTS.columns} FROM imports
 WHERE bot_id = $1 AND import_id = ANY($2) ORDER BY import_id FOR UPDATE"""
_BLACKLIST = "SELECT identity FROM blacklist WHERE bot_id = $1 AND identity = ANY($2)"

#: Times that a state may come and go between being looked for and being put there.
_TRIES = 20


async def load(session: Session, loaded: Rows, works: Sequence[Work[Any]]) -> set[Key]:
    """Adds all that the works' `reads` name, bot by bot. Returns the keys of the states that were
    put there blank. Raises `InconsistentRecord` for a row that cannot be read."""
    by_bot: dict[str, list[Reads]] = {}
    for work in works:
        by_bot.setdefault(work.bot_id, []).append(work.reads)
    blanks = set[Key]()
    for bot_id in sorted(by_bot):
        blanks |= await _load_bot(session, loaded, bot_id, by_bot[bot_id])
    return blanks


async def _load_bot(
    session: Session, loaded: Rows, bot_id: str, wanted: Sequence[Reads]
) -> set[Key]:
    def named(what: str) -> list[Any]:
        return sorted({name for reads in wanted for name in getattr(reads, what)})

    blanks = set[Key]()
    if identities := named("identities"):
        blanks = await lock_states(session, loaded, bot_id, identities)
    if event_ids := named("event_ids"):
        known = {row[0] for row in await fetch(session, _RECORDED, bot_id, event_ids)}
        loaded.recorded.update({(bot_id, each): each in known for each in event_ids})
    if templates := named("templates"):
        await _load_templates(session, loaded, bot_id, templates)
    await _load_messages(session, loaded, bot_id, named("messages"), named("upstream_ids"))
    await _load_rest(session, loaded, bot_id, named)
    return blanks


async def _load_rest(
    session: Session, loaded: Rows, bot_id: str, named: Callable[[str], list[Any]]
) -> None:
    if reviews := named("reviews"):
        loaded.reviews.update({(bot_id, each): None for each in reviews})
        for row in await fetch(session, _REVIEWS, bot_id, reviews):
            loaded.reviews[bot_id, row[1]] = rows.review(row)
    if keys := named("answers"):
        loaded.answers.update({(bot_id, *each): None for each in keys})
        asked = map(list, zip(*keys, strict=True))
        for row in await fetch(session, _ANSWERS, bot_id, *asked):
            loaded.answers[bot_id, row[1], row[2], row[3]] = rows.answer(row)
    if jobs := named("imports"):
        loaded.imports.update({(bot_id, each): None for each in jobs})
        for row in await fetch(session, _IMPORTS, bot_id, jobs):
            loaded.imports[bot_id, row[1]] = import_rows.job(row)
    if listed := named("blacklist"):
        on = {row[0] for row in await fetch(session, _BLACKLIST, bot_id, listed)}
        loaded.blacklist.update({(bot_id, each): each in on for each in listed})


async def _load_templates(
    session: Session, loaded: Rows, bot_id: str, names: Sequence[tuple[str, str]]
) -> None:
    loaded.templates.update({(bot_id, *each): None for each in names})
    found = await fetch(session, _TEMPLATES, bot_id, *map(list, zip(*names, strict=True)))
    for row in found:
        loaded.templates[bot_id, row[1], row[2]] = rows.template(row[1:])


async def _load_messages(
    session: Session, loaded: Rows, bot_id: str, names: list[str], upstream_ids: list[str]
) -> None:
    wanted = set(names)
    if upstream_ids:
        loaded.upstream_ids.update({(bot_id, each): None for each in upstream_ids})
        for upstream_id, message_id in await fetch(session, _UPSTREAM_IDS, bot_id, upstream_ids):
            loaded.upstream_ids[bot_id, upstream_id] = message_id
            wanted.add(message_id)
    if wanted:
        loaded.messages.update({(bot_id, each): None for each in wanted})
        for row in await fetch(session, _MESSAGES, bot_id, sorted(wanted)):
            loaded.messages[bot_id, row[1]] = rows.message(row)


# States, with all that W reaches from them (R11)


async def look_up_states(
    session: Session, loaded: Rows, bot_id: str, identities: Iterable[str]
) -> frozenset[str]:
    """Adds the states of the identities and of all that W reaches from them, as they are now or
    in the snapshot, without locks: who these are."""
    missing = set(identities)
    while missing:
        found = await fetch(session, LOOK, bot_id, _names(loaded, bot_id, missing))
        take_states(loaded, bot_id, missing, found)
        missing = reached(loaded, bot_id, identities)[1]
    return reached(loaded, bot_id, identities)[0]


async def lock_states(
    session: Session, loaded: Rows, bot_id: str, identities: Sequence[str]
) -> set[Key]:
    """Adds the states of the identities and of all that W reaches, locked until the end."""
    ahead = Rows(loaded.digest)
    missing = set(await look_up_states(session, ahead, bot_id, identities))
    blanks = set[Key]()
    while missing:  # more than once only if links were learned since they were looked up
        blanks |= await _lock(session, loaded, bot_id, missing)
        missing = reached(loaded, bot_id, identities)[1]
    return blanks


async def _lock(session: Session, loaded: Rows, bot_id: str, identities: set[str]) -> set[Key]:
    blanks = set[Key]()
    for _ in range(_TRIES):
        found = await fetch(session, _LOCK, bot_id, _names(loaded, bot_id, identities))
        there = {row[1] for row in found}
        absent = sorted(who for who in identities if not there & {who, loaded.digest(bot_id, who)})
        if not absent:
            take_states(loaded, bot_id, identities, found)
            return blanks
        new = [(bot_id, *rows.state_row(bot_id, who, UNKNOWN)[1:]) for who in absent]
        made = await add(session, tables.IDENTITIES.insert_new, new, " RETURNING identity")
        blanks |= {(bot_id, row[0]) for row in made}
        if len(made) == len(absent) == len(identities):
            take_states(loaded, bot_id, identities, [])
            return blanks
    raise InconsistentRecord("A record comes and goes too often to be locked.")


def take_states(loaded: Rows, bot_id: str, wanted: Iterable[str], found: Iterable[Row]) -> None:
    """Adds the states of `wanted` from the rows that were found under their names (R15).

    Raises `InconsistentRecord` for a row that cannot be read.
    """
    there: dict[str, Row] = {row[1]: row for row in found}
    for identity in wanted:
        name = loaded.digest(bot_id, identity)
        own, erased = there.get(identity), there.get(name)
        if identity != name and own is not None and erased is not None:
            raise InconsistentRecord("An erased identity has a record beside that of its erasure.")
        if erased is not None and identity != name:
            loaded.names[bot_id, identity] = name
        row = own if erased is None else erased
        key = (bot_id, identity if erased is None else name)
        if key not in loaded.states:
            loaded.states[key] = UNKNOWN if row is None else rows.state(row[2:])


def reached(loaded: Rows, bot_id: str, start: Iterable[str]) -> tuple[frozenset[str], set[str]]:
    """(all that W reaches from `start` by what is loaded, those of them that are not loaded)."""
    waiting, seen, missing = set(start), set[str](), set[str]()
    while waiting:
        identity = waiting.pop()
        seen.add(identity)
        state = state_in(loaded, bot_id, identity)
        if state is None:
            missing.add(identity)
        else:
            waiting |= neighbours(identity, state.links) - seen
    return frozenset(seen), missing


def state_in(loaded: Rows, bot_id: str, identity: str) -> State | None:
    """The identity's own state, once loaded."""
    return loaded.states.get((bot_id, loaded.names.get((bot_id, identity), identity)))


def _names(loaded: Rows, bot_id: str, identities: Iterable[str]) -> list[str]:
    """What the states of these may be found under: their own names, and their digests."""
    names = {name for who in identities for name in (who, loaded.digest(bot_id, who))}
    return sorted(names)
