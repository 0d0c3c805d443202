"""Values of the domain as rows, and back: all stores alike. The order of columns is that of the
migrations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from optin.domain.bots import Token
from optin.domain.consent import BLANK, NEVER, Clocks
from optin.domain.decision import Basis, Reason
from optin.domain.errors import InconsistentRecord
from optin.domain.links import UNLINKED, Links, State
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.domain.template_texts import TemplateText
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import (
    Callback,
    CallbackKind,
    CallbackStage,
    RawWebhook,
    Review,
    Template,
)
from optin.stores.texts import from_json, reader, to_json

Row = Sequence[Any]

_CLOCKS = len(BLANK) - 1

_log = logging.getLogger(__name__)


V = TypeVar("V")


def readable(read: Callable[[Row], V], found: Iterable[Row]) -> list[V]:
    """Those rows of several bots that can be read: one that cannot is in nobody else's way."""
    good: list[V] = []
    for row in found:
        try:
            good.append(read(row))
        except InconsistentRecord:
            _log.error(
                "the record %s of bot %s is not readable and was passed over", row[1], row[0]
            )
    return good


def state_row(bot_id: str, identity: str, state: State) -> Row:
    """A row of `identities`."""
    clocks = state.clocks
    return (
        bot_id,
        identity,
        *clocks[:_CLOCKS],
        to_json(clocks.wordings),
        _links_text(state.links),
        state.version,
    )


@reader
def state(row: Row) -> State:
    """The state in a row of `identities` (without bot id and identity)."""
    wordings = from_json(row[_CLOCKS]) if row[_CLOCKS] else BLANK.wordings
    links = _links(row[_CLOCKS + 1]) if row[_CLOCKS + 1] else UNLINKED
    return State(Clocks._make((*row[:_CLOCKS], wordings)), links, row[_CLOCKS + 2])


def _links_text(links: Links) -> str:
    if links == UNLINKED:
        return ""
    spelled = (sorted(links.spelled), sorted(links.blocking_spelled))
    erasure = [links.erased, *spelled, links.plain]
    return to_json(
        [
            dict(links.peers),
            sorted(links.former),
            links.cutoff,
            *(erasure if links.erased != NEVER else ()),
        ]
    )


def _links(text: str) -> Links:
    peers, former, cutoff, *erasure = from_json(text)
    known = Links(peers, frozenset(former), cutoff)
    if not erasure:
        return known
    erased, spelled, blocking, plain = erasure
    return known._replace(
        erased=erased,
        spelled=frozenset(spelled),
        blocking_spelled=frozenset(blocking),
        plain=plain,
    )


def message_row(message: OutboxMessage) -> Row:
    """A row of `messages`."""
    return (
        message.bot_id,
        message.message_id,
        message.identity,
        to_json(message.body),
        str(message.category),
        message.created,
        message.expires,
        message.due,
        str(message.stage),
        str(message.state),
        message.details,
        message.reason and str(message.reason),
        message.basis and str(message.basis),
        int(message.passed),
        message.attempts,
        message.claimant,
        message.leased_until,
        message.claimed,
        message.upstream_id,
        message.callback_url,
        message.confirms,
    )


@reader
def message(row: Row) -> OutboxMessage:
    """The message of a whole row."""
    bot_id, message_id, identity, body, category, created, expires, due, stage, state = row[:10]
    return OutboxMessage(
        bot_id,
        message_id,
        identity,
        from_json(body),
        Category(category),
        created,
        expires,
        due,
        Stage(stage),
        MessageState(state),
        row[10],
        Reason(row[11]) if row[11] else None,
        Basis(row[12]) if row[12] else None,
        bool(row[13]),
        *row[14:],
    )


@reader
def template(row: Row) -> Template:
    """The record of a whole row of `templates`, without the bot id."""
    name, language, category, status, updated, components = row
    texts = tuple(TemplateText(part, text) for part, text in from_json(components))
    known = Category(category) if category else None
    return Template(name, language, known, status, updated, texts)


def template_row(bot_id: str, record: Template) -> Row:
    """A row of `templates`."""
    category = record.category.value if record.category else None
    texts = to_json(record.components)
    return (bot_id, record.name, record.language, category, record.status, record.updated, texts)


@reader
def callback(row: Row) -> Callback:
    """The callback of a whole row, or of one whose body was left, with its length behind."""
    kind, headers, stage, outcome = row[9:13]
    owed = Callback(*row[:9])
    return replace(
        owed,
        kind=CallbackKind(kind),
        headers=from_json(headers),
        stage=CallbackStage(stage),
        outcome=outcome,
        unread=row[14] if len(row) > 14 else 0,
    )


def callback_row(owed: Callback) -> Row:
    """A row of `callbacks`."""
    return (
        owed.bot_id,
        owed.callback_id,
        owed.url,
        owed.body,
        owed.created,
        owed.due,
        owed.attempts,
        owed.leased_until,
        owed.claimant,
        owed.kind.value,
        to_json(owed.headers),
        owed.stage.value,
        owed.outcome,
        owed.receiver,
    )


def webhook_row(bot_id: str, kept: RawWebhook) -> Row:
    """A row of `webhooks`."""
    return (bot_id, kept.webhook_id, kept.received, kept.body, kept.note, kept.source)


@reader
def webhook(row: Row) -> RawWebhook:
    """The kept body of a whole row."""
    return RawWebhook(*row[1:])


def review_row(bot_id: str, item: Review) -> Row:
    """A row of `reviews`."""
    return (
        bot_id,
        item.review_id,
        item.kind,
        to_json(item.identities),
        item.text,
        item.created,
        to_json(item.context),
        item.decision,
        item.decided,
        item.decided_by,
        item.note,
    )


@reader
def review(row: Row) -> Review:
    """The review item of a whole row."""
    _, review_id, kind, identities, text, created, context = row[:7]
    who = tuple(from_json(identities))
    return Review(review_id, kind, who, text, created, from_json(context), *row[7:])


def answer_row(bot_id: str, kept: StoredAnswer) -> Row:
    """A row of `answers`."""
    said = (kept.digest, kept.status, kept.body, kept.created)
    return (bot_id, *kept.key, *said, to_json(kept.identities))


@reader
def answer(row: Row) -> StoredAnswer:
    """The answer of a whole row."""
    digest, status, body, created = row[4:8]
    who = tuple(from_json(row[8]))
    return StoredAnswer(AnswerKey(*row[1:4]), digest, status, body, created, who)


def token_row(token: Token) -> Row:
    """A row of `tokens`."""
    scopes = ",".join(sorted(token.scopes))
    return (token.digest, token.bot_id, token.token_id, scopes, token.created, token.revoked)


@reader
def token(row: Row) -> Token:
    """The token of a whole row."""
    digest, bot_id, token_id, scopes, created, revoked = row
    allowed = frozenset(filter(None, scopes.split(",")))
    return Token(digest, bot_id, token_id, allowed, created, revoked)
