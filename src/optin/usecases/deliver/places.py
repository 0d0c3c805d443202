"""Which leased messages keep their places, so that none passes one that had no turn (H8).

Theory: an upstream that has no turn for a message now has none for those behind it, so all that
are leased of the bot go back with it, in whatever order they are taken up; nothing more of the bot
is leased until they are all back. Then the queue begins anew, at its front.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set

from optin.domain.outbox import OutboxMessage


class Places:
    """The places of one process's leased messages. `returning`: the bots of which nothing more may
    be leased now."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[str]] = defaultdict(set)
        self._returning: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def returning(self) -> Set[str]:
        """Bots some of whose messages are on their way back."""
        return self._returning.keys()

    def leased(self, messages: Iterable[OutboxMessage]) -> None:
        """They are ours and have not begun. Those of a bot that was turned away while they were
        being leased may be later ones than those that go back: they go back, too."""
        for message in messages:
            held = self._returning if message.bot_id in self._returning else self._waiting
            held[message.bot_id].add(message.message_id)

    def may_begin(self, message: OutboxMessage) -> bool:
        """Whether it may ask for its turn; else it goes back unasked."""
        self._waiting[message.bot_id].discard(message.message_id)
        return message.message_id not in self._returning.get(message.bot_id, ())

    def has_no_turn(self, message: OutboxMessage) -> None:
        """It goes back, and with it all that have not begun."""
        behind = self._waiting[message.bot_id]
        self._returning[message.bot_id] |= {message.message_id, *behind}

    def is_done(self, message: OutboxMessage) -> None:
        """It is settled or back."""
        for held in (self._waiting, self._returning):
            held[message.bot_id].discard(message.message_id)
            if not held[message.bot_id]:
                del held[message.bot_id]
