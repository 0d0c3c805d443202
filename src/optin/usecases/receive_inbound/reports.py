"""What a provider reports of our messages, inside a commit (SPEC 4, H8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optin.domain.callbacks import report_id, status_body
from optin.domain.handing_over import foretold, foretold_id, reported
from optin.domain.inbound import STATES, Item, StatusUpdate
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Reads, Store, Transaction
from optin.usecases.receive_inbound.signed_body import SignedBody

_LONGEST_DETAILS = 500
#: So many under way may well include one; looking at all of them would cost more.
_EVER, _ENOUGH = 2**62, 8


def reports_in(items: Mapping[int, Item]) -> Iterator[StatusUpdate]:
    """The reports among the items."""
    return (item for item in items.values() if isinstance(item, StatusUpdate))


def _found(tx: Transaction, item: StatusUpdate) -> OutboxMessage | None:
    """The message of ours that a report is about.

    The provider's own id first: the correlation may be data of a client's own, which can be the id
    of any message here. Only one that was handed over at least once can be meant by it.
    """
    known = tx.message_by_upstream_id(item.upstream_id)
    if known is not None and not known.is_early_report:
        return known
    message = tx.message(item.correlation)
    if message is not None and message.attempts and message.upstream_id in ("", item.upstream_id):
        return message
    return known


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


async def some_await_their_answer(store: Store, bot_id: str, items: Mapping[int, Item]) -> bool:
    """Whether a report among the items may be about a message that was sent, but of which the
    provider's id is not known yet: a relayed one goes by nothing else (SPEC 7).

    What a report is about was claimed before it came, so one look before it is taken in is enough.
    """
    if not any(reports_in(items)):
        return False
    claimed = await store.stale_messages(_EVER, _ENOUGH)
    return len(claimed) == _ENOUGH or any(
        message.bot_id == bot_id and message.awaits_its_answer for message in claimed
    )


def early_ids(bot_id: str, items: Mapping[int, Item]) -> Iterator[str]:
    """The ids of what is kept of the reports among the items that are early."""
    return (foretold_id(bot_id, item.upstream_id) for item in reports_in(items))


def take_report(
    tx: Transaction, body: SignedBody, item: StatusUpdate, *, early: bool, stops: bool
) -> int:
    """Moves the message on, and tells the business of each new state once. Returns 1 if the report
    was not understood, else 0.

    `early`: one of an unknown message is kept until a message settles that turns out to be it;
    `stops`: with a marketing stop of nobody known.
    """
    state = STATES.get(item.status)
    message = _found(tx, item)
    if state is None:
        return body.keep(tx, body.content, f"a status of {item.status!r:.50}")
    details = "; ".join(error.told for error in item.errors)[:_LONGEST_DETAILS]
    if message is None:
        if early and item.upstream_id:
            who = next(iter(item.identities), "")
            tx.put_message(
                foretold(body.bot_id, item.upstream_id, who, state, details, stops=stops)
            )
        return 0  # else sent by another program through the same number
    after = reported(message, state, item.upstream_id, details)
    if after != message:
        tx.put_message(after)
    if after.is_early_report:
        return 0
    url = after.callback_url or tx.bot().value("callback_url")
    if after.state is not message.state and url:
        told = status_body(after, tx.now if item.at is None else item.at)
        owed_id = report_id(after, tx.now)
        tx.put_callback(Callback(body.bot_id, owed_id, url, told, tx.now, tx.now))
    return 0
