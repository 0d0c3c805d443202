"""What a provider reports of our messages, inside a commit (SPEC 4, H8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optin.domain.callbacks import report_id, status_body
from optin.domain.handing_over import reported
from optin.domain.inbound import STATES, Item, StatusUpdate
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Reads, Transaction
from optin.usecases.receive_inbound.signed_body import SignedBody

_LONGEST_DETAILS = 500


def reports_in(items: Mapping[int, Item]) -> Iterator[StatusUpdate]:
    """The reports among the items."""
    return (item for item in items.values() if isinstance(item, StatusUpdate))


def _found(tx: Transaction, item: StatusUpdate) -> OutboxMessage | None:
    """The message of ours that a report is about."""
    message = tx.message(item.correlation)
    if message is not None and message.upstream_id in ("", item.upstream_id):
        return message
    return tx.message_by_upstream_id(item.upstream_id)


@dataclass(frozen=True, slots=True)
class Recipients:
    """Looks up whom the messages of these reports went to: a report need not name its recipient,
    and a commit must know beforehand whose clocks it moves."""

    bot_id: str
    items: Mapping[int, Item]

    @property
    def reads(self) -> Reads:
        """The messages that the reports name, by either id."""
        return Reads(
            messages=frozenset(item.correlation for item in reports_in(self.items)),
            upstream_ids=frozenset(item.upstream_id for item in reports_in(self.items)),
        )

    def run(self, tx: Transaction) -> Mapping[int, str]:
        """Place in the body -> identity."""
        found = {n: _found(tx, i) for n, i in self.items.items() if isinstance(i, StatusUpdate)}
        return {n: message.identity for n, message in found.items() if message is not None}


def take_report(tx: Transaction, body: SignedBody, item: StatusUpdate) -> None:
    """Moves the message on, and tells the business of each new state once."""
    state = STATES.get(item.status)
    message = _found(tx, item)
    if state is None:
        return body.keep(tx, body.content, f"a status of {item.status!r:.50}")
    if message is None:
        return None  # sent by another program through the same number
    details = "; ".join(error.told for error in item.errors)
    after = reported(message, state, item.upstream_id, details[:_LONGEST_DETAILS])
    if after != message:
        tx.put_message(after)
    url = after.callback_url or tx.bot().value("callback_url")
    if after.state is not message.state and url:
        told = status_body(after, tx.now if item.at is None else item.at)
        owed_id = report_id(after, tx.now)
        tx.put_callback(Callback(body.bot_id, owed_id, url, told, tx.now, tx.now))
    return None
