"""Everybody, or everything that was recorded, page by page and never whole in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from optin.domain import consent
from optin.domain.consent import NEVER, Clocks, Policy
from optin.domain.decision import decide
from optin.domain.entries import Entry
from optin.domain.errors import InvalidInput, NotFound
from optin.domain.identities import shown
from optin.domain.lists.shape import CSV, JSONL
from optin.domain.lists.writing import csv_line, json_line
from optin.domain.messages import Category
from optin.domain.rfc3339 import shown_time
from optin.ports.ledger import Position
from optin.ports.store import Store

CONTACTS, EVENTS = "contacts", "events"
_PAGE = 500
#: Wordings whose texts are kept at hand.
_MOST_TEXTS = 100
#: Farther from 1970 than this, in µs, is no date that can be written: a provider's can be anything.
_WRITABLE = 2**55
_OUT = ("opt_out_keyword", "opt_out_other")

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """`what`: `CONTACTS` or `EVENTS`; `form`: CSV or JSON Lines. Raises `InvalidInput` when made
    with anything else."""

    store: Store
    bot_id: str
    what: str = CONTACTS
    form: str = CSV

    def __post_init__(self) -> None:
        for name, value, known in (
            ("what", self.what, (CONTACTS, EVENTS)),
            ("format", self.form, (CSV, JSONL)),
        ):
            if value not in known:
                raise InvalidInput(f"Option [{name}] is {known[0]} or {known[1]}.", field=name)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file in pieces, in UTF-8. Raises `NotFound`, and `StoreUnavailable` in the middle:
        then what came is not the whole.

        Contacts are as of the page they are on; an event that is recorded meanwhile may be there.
        """
        bot = await self.store.bot(self.bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        pages = self._contacts(bot.policy) if self.what == CONTACTS else self._events()
        if self.form == CSV:
            yield csv_line(_CONTACT_NAMES if self.what == CONTACTS else _EVENT_NAMES)
        async for page in pages:
            if self.form == CSV:
                yield b"".join(csv_line([_flat(cell) for cell in line.values()]) for line in page)
            else:
                yield b"".join(map(json_line, page))

    async def _contacts(self, policy: Policy) -> AsyncIterator[list[Line]]:
        after = ""
        while True:
            page = await self.store.contacts(self.bot_id, after, _PAGE)
            if not page.clocks:
                return
            yield [_contact(who, clocks, page.now, policy) for who, clocks in page.clocks.items()]
            *_, after = page.clocks

    async def _events(self) -> AsyncIterator[list[Line]]:
        texts: dict[str, str] = {}
        for writer in await self.store.chain_writers(self.bot_id):
            head = await self.store.chain_head(self.bot_id, writer)
            until = head.commit.seq if head else 0
            after = Position()
            while found := await self.store.chain_entries(self.bot_id, writer, after, until, _PAGE):
                entries = [each.entry for each in found]
                yield [_event(entry, await self._text(texts, entry)) for entry in entries]
                last = entries[-1]
                after = Position(last.seq, last.place, last.event_id)

    async def _text(self, texts: dict[str, str], entry: Entry) -> str:
        """The wording that was shown: it is kept apart, once, under its hash."""
        name = entry.wording
        if not name or entry.emptied:
            return ""
        if name not in texts:
            if len(texts) >= _MOST_TEXTS:
                texts.clear()
            found = await self.store.wordings(self.bot_id, name[:-1], 1)
            texts[name] = found[0].text if found and found[0].hash == name else ""
        return texts[name]


_TIMES = ("opt_in_at", "opt_out_at", "message_at", "marketing_stop_at", "marketing_resume_at")
_CONTACT_NAMES = (
    "identity",
    "state",
    "marketing_stopped",
    "session_until",
    *_TIMES,
    *(category.value for category in Category),
)
_EVENT_NAMES = (
    "identity",
    "action",
    "occurred_at",
    "recorded_at",
    "source",
    "actor",
    "categories",
    "evidence",
    "context",
    "others",
    "event_id",
    "position",
)


def _contact(who: str, clocks: Clocks, now: int, policy: Policy) -> Line:
    opted_in = consent.opted_in(clocks, now, policy)
    out = max(getattr(clocks, name) for name in _OUT)
    state = "opted_in" if opted_in else "opted_out" if out != NEVER else "unknown"
    times = (
        max(clocks.opt_in, *clocks.wordings.values(), NEVER),
        out,
        clocks.message,
        max(clocks.marketing_stop, clocks.provider_marketing_stop),
        max(clocks.marketing_resume, clocks.provider_marketing_resume),
    )
    decisions = {
        category.value: "allowed"
        if (made := decide(clocks, category, now, policy)).allowed
        else str(made.reason)
        for category in Category
    }
    return {
        "identity": shown(who),
        "state": state,
        "marketing_stopped": consent.marketing_stopped(clocks),
        "session_until": _shown(consent.session_until(clocks, now)),
        **{name: _shown(at) for name, at in zip(_TIMES, times, strict=True)},
        **decisions,
    }


def _event(entry: Entry, wording: str) -> Line:
    """One entry; `action` and `occurred_at` are what an import takes, so the file can be read in
    elsewhere."""
    evidence = _json(entry.evidence)
    if wording and isinstance(evidence, dict):
        evidence = {"wording": wording, **evidence}
    return {
        "identity": shown(entry.identity),
        "action": entry.kind,
        "occurred_at": _shown(entry.effective),
        "recorded_at": _shown(entry.recorded),
        "source": entry.source,
        "actor": entry.actor or None,
        "categories": entry.categories.split(",") if entry.categories else None,
        "evidence": evidence or None,
        "context": _json(entry.context) or None,
        "others": _json(entry.others) or None,
        "event_id": entry.event_id.hex(),
        "position": f"{entry.writer}.{entry.seq}.{entry.place}",
    }


def _flat(cell: Any) -> Any:
    """A list of words as one cell."""
    if isinstance(cell, list) and all(isinstance(each, str) for each in cell):
        return ";".join(cell)
    return {True: "yes", False: "no"}[cell] if isinstance(cell, bool) else cell


def _json(text: str) -> Any:
    return json.loads(text) if text else {}


def _shown(at: int | None) -> str | None:
    return None if at is None or abs(at) > _WRITABLE else shown_time(at)
