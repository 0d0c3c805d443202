"""Read, fold, write, once a batch: what all stores share of a commit.

A `Batch` holds the rows that the works of one transaction named in their `reads`. Each work runs
on a `Draft` above them; what it wrote is taken over only if it ended well. Afterwards the store
writes each changed row once.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from optin.domain import links
from optin.domain.bots import Bot
from optin.domain.changes import change_body
from optin.domain.consent import NEVER, Clocks
from optin.domain.errors import NotFound
from optin.domain.events import Claim, Event
from optin.domain.identities import is_digest
from optin.domain.ids import ulid
from optin.domain.links import Links, State
from optin.domain.outbox import OutboxMessage
from optin.domain.times import effective_time, live_time, repeated
from optin.ports.imports import ImportJob, ImportRow
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Callback, CallbackKind, RawWebhook, Review, Template, Work
from optin.stores.ledger import after_erasure

Key = tuple[str, ...]

#: The rows that a work may write.
_WRITTEN = "states recorded templates messages upstream_ids blacklist reviews answers imports"


@dataclass(slots=True)
class Rows:
    """Rows by key, the bot id first. What was read and is not there is kept as None or UNKNOWN.

    `digest`: the name of an erased identity, from bot id and identity. `names`: identities that
    were erased once, with that name; their states are found under it (R15). `has_erased`: by bot.
    """

    digest: Callable[[str, str], str]
    names: MutableMapping[Key, str] = field(default_factory=dict)
    has_erased: MutableMapping[str, bool] = field(default_factory=dict)
    bots: MutableMapping[str, Bot | None] = field(default_factory=dict)
    states: MutableMapping[Key, State] = field(default_factory=dict)
    recorded: MutableMapping[tuple[str, bytes], bool] = field(default_factory=dict)
    templates: MutableMapping[Key, Template | None] = field(default_factory=dict)
    messages: MutableMapping[Key, OutboxMessage | None] = field(default_factory=dict)
    upstream_ids: MutableMapping[Key, str | None] = field(default_factory=dict)
    blacklist: MutableMapping[Key, bool] = field(default_factory=dict)
    reviews: MutableMapping[Key, Review | None] = field(default_factory=dict)
    answers: MutableMapping[Key, StoredAnswer | None] = field(default_factory=dict)
    imports: MutableMapping[Key, ImportJob | None] = field(default_factory=dict)

    def above(self) -> Rows:
        """Rows that read through to these and keep their writes apart."""
        return Rows(
            self.digest,
            self.names,
            self.has_erased,
            self.bots,
            ChainMap({}, self.states),
            ChainMap({}, self.recorded),
            ChainMap({}, self.templates),
            ChainMap({}, self.messages),
            ChainMap({}, self.upstream_ids),
            ChainMap({}, self.blacklist),
            ChainMap({}, self.reviews),
            ChainMap({}, self.answers),
            ChainMap({}, self.imports),
        )


@dataclass(slots=True)
class Writes:
    """What a batch has to write, besides the rows that changed. Everything in order."""

    events: list[tuple[str, Event]] = field(default_factory=list)
    states: dict[Key, State] = field(default_factory=dict)
    templates: dict[Key, Template] = field(default_factory=dict)
    messages: dict[Key, OutboxMessage] = field(default_factory=dict)
    blacklist: dict[Key, bool] = field(default_factory=dict)
    reviews: dict[Key, Review] = field(default_factory=dict)
    answers: dict[Key, StoredAnswer] = field(default_factory=dict)
    imports: dict[Key, ImportJob] = field(default_factory=dict)
    import_rows: list[tuple[str, ImportRow]] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    webhooks: list[tuple[str, RawWebhook]] = field(default_factory=list)
    notes: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def take_over(self, other: Writes) -> None:
        """Adds what came after."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            mine.extend(theirs) if isinstance(mine, list) else mine.update(theirs)


@dataclass(slots=True)
class Batch:
    """The works of one transaction, run one after another at the database's time `now`.

    `first_seen`: what that time was when a try of them was lost (R3)."""

    now: int
    rows: Rows
    first_seen: int | None = None
    writes: Writes = field(default_factory=Writes)

    def attempt(self, work: Work[Any], *, alone: bool = False) -> Any:
        """The work's answer, or the exception it ended with; then nothing of it stays.

        `alone`: the batch has no other, so nothing need be kept apart from it.
        """
        rows = self.rows if alone else self.rows.above()
        draft = Draft(work.bot_id, self.now, rows, self.first_seen)
        try:
            draft.bot()
            answer = work.run(draft)
        except Exception as failed:  # noqa: BLE001 - it is this work's answer, not the batch's
            return failed
        if alone:
            self.writes = draft.writes
        else:
            self._take_over(draft)
        return answer

    def _take_over(self, draft: Draft) -> None:
        for name in _WRITTEN.split():
            getattr(self.rows, name).update(getattr(draft.rows, name).maps[0])
        self.writes.take_over(draft.writes)


class Draft:
    """One work's `Transaction`: see there."""

    __slots__ = ("_bot_id", "_first_seen", "now", "rows", "writes")

    def __init__(self, bot_id: str, now: int, rows: Rows, first_seen: int | None = None) -> None:
        self._bot_id = bot_id
        self._first_seen = first_seen
        self.now = now
        self.rows = rows
        self.writes = Writes()

    def bot(self) -> Bot:
        bot = self.rows.bots[self._bot_id]
        if bot is None:
            raise NotFound("There is no such bot.")
        return bot

    def clocks(self, identity: str) -> Clocks:
        return self._state(identity).clocks

    def version(self, identity: str) -> int:
        return self._state(identity).version

    def links(self, identity: str) -> Links:
        return self._state(identity).links

    def reading(self, identity: str) -> Clocks:
        return links.reading(identity, self._state)

    def newest(self, identity: str) -> int:
        return links.newest(identity, self._state)

    def entries(self, identity: str) -> int:
        return links.entries(identity, self._state)

    def _state(self, identity: str) -> State:
        return self.rows.states[self._key(identity)]

    def _key(self, identity: str) -> Key:
        """Where the identity's state is: under its digest, once it was erased."""
        key = (self._bot_id, identity)
        name = self.rows.names.get(key)
        return key if name is None else (self._bot_id, name)

    def _name(self, identity: str) -> str:
        return self._key(identity)[1]

    def is_recorded(self, event_id: bytes) -> bool:
        return self.rows.recorded[self._bot_id, event_id]

    def record(self, claim: Claim) -> Event:
        claim = repeated(claim, self._first_seen)
        state = self._state(claim.identity)
        before = self.reading(claim.identity) if self._url_for_changes() else None
        live = live_time(self.now, self.newest(claim.identity))
        event = Event(claim, self.now, effective_time(claim, self.now, live))
        if _is_older(event, state.links.erased):
            event = after_erasure(event, self._name)
        elif claim.others:
            event = self._without_erased(event)
        after = links.fold(state, event)
        if state.links.erased != NEVER and not is_digest(event.claim.identity):
            after = links.heard_again(after, event.claim.identity)
        self.rows.recorded[self._bot_id, claim.event_id] = True
        self.writes.events.append((self._bot_id, event))
        key = self._key(claim.identity)
        self.rows.states[key] = self.writes.states[key] = after
        if before is not None and not is_digest(event.claim.identity):
            self._tell(event, before, after.version)
        return event

    def _without_erased(self, event: Event) -> Event:
        """A link that is older than the erasure of somebody it names, with their digest (R15)."""

        def told(other: str) -> str:
            state = self.rows.states.get(self._key(other))
            older = state is not None and _is_older(event, state.links.erased)
            return self._name(other) if older else other

        others = tuple(map(told, event.claim.others))
        return replace(event, claim=replace(event.claim, others=others))

    def _url_for_changes(self) -> str:
        return self.bot().value("events_url")

    def _tell(self, event: Event, before: Clocks, version: int) -> None:
        """Every change of consent is owed to the bot's `events_url`, from every source (SPEC 4)."""
        after = self.reading(event.claim.identity)
        body = change_body(self.bot(), event, before, after, version)
        if body is not None:
            owed_id = ulid(event.claim.event_id)
            url = self._url_for_changes()
            owed = Callback(self._bot_id, owed_id, url, body, self.now, self.now)
            self.put_callback(replace(owed, kind=CallbackKind.CHANGE))

    def template(self, name: str, language: str) -> Template | None:
        return self.rows.templates[self._bot_id, name, language]

    def message(self, message_id: str) -> OutboxMessage | None:
        return self.rows.messages[self._bot_id, message_id]

    def message_by_upstream_id(self, upstream_id: str) -> OutboxMessage | None:
        message_id = self.rows.upstream_ids[self._bot_id, upstream_id]
        return None if message_id is None else self.message(message_id)

    def put_message(self, message: OutboxMessage) -> None:
        key = (self._bot_id, message.message_id)
        self.rows.messages[key] = self.writes.messages[key] = message
        if message.upstream_id:
            self.rows.upstream_ids[self._bot_id, message.upstream_id] = message.message_id

    def is_blacklisted(self, identity: str) -> bool:
        return self.rows.blacklist[self._bot_id, identity]

    def put_blacklisted(self, identity: str, listed: bool) -> None:
        key = (self._bot_id, identity)
        self.rows.blacklist[key] = self.writes.blacklist[key] = listed

    def put_template(self, template: Template) -> None:
        key = (self._bot_id, template.name, template.language)
        self.rows.templates[key] = self.writes.templates[key] = replace(template, updated=self.now)

    def put_callback(self, callback: Callback) -> None:
        self.writes.callbacks.append(callback)

    def put_webhook(self, webhook: RawWebhook) -> None:
        self.writes.webhooks.append((self._bot_id, webhook))

    def put_note(self, webhook_id: bytes, note: str) -> None:
        self.writes.notes[self._bot_id, webhook_id] = note

    def answer(self, key: AnswerKey) -> StoredAnswer | None:
        return self.rows.answers[self._bot_id, *key]

    def put_answer(self, answer: StoredAnswer) -> None:
        key = (self._bot_id, *answer.key)
        self.rows.answers[key] = self.writes.answers[key] = answer

    def review(self, review_id: str) -> Review | None:
        return self.rows.reviews[self._bot_id, review_id]

    def put_review(self, review: Review) -> None:
        key = (self._bot_id, review.review_id)
        self.rows.reviews[key] = self.writes.reviews[key] = review

    def imported(self, import_id: str) -> ImportJob | None:
        return self.rows.imports[self._bot_id, import_id]

    def put_import(self, job: ImportJob) -> None:
        key = (self._bot_id, job.import_id)
        self.rows.imports[key] = self.writes.imports[key] = job

    def put_import_row(self, row: ImportRow) -> None:
        self.writes.import_rows.append((self._bot_id, row))


def _is_older(event: Event, erased: int) -> bool:
    """Whether it tells of a time before its contact was erased; without a time, it may (R15)."""
    return erased != NEVER and (event.effective is None or event.effective <= erased)
