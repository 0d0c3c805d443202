"""Send one message to some recipients: judged at the door, kept, handed over later (H8, H9)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optin.domain.decision import gate
from optin.domain.errors import NotFound
from optin.domain.ids import NewId, ulid
from optin.domain.messages import Category, Message, category_of, life, template_of, to_json
from optin.domain.outbox import OutboxMessage, judged_as
from optin.ports.once import Once
from optin.ports.store import Reads, Store, Transaction

_log = logging.getLogger(__name__)


#: Raises `InvalidMessage` for a message that an upstream has no words for.
RefuseUnsayable = Callable[[Message], None]


def _nobody() -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Takes messages in. `accepted` is called after each commit, so that a worker need not poll.

    `unsayable`: by the bot setting `upstream`, for those that cannot say every message.
    """

    store: Store
    new_id: NewId
    accepted: Callable[[], None] = _nobody
    unsayable: Mapping[str, RefuseUnsayable] = field(default_factory=dict)

    async def accept(
        self,
        bot_id: str,
        recipients: Sequence[str],
        message: Message,
        actor: str,
        callback_url: str = "",
        life: int | None = None,
        once: Once[list[OutboxMessage]] | None = None,
    ) -> list[OutboxMessage]:
        """Judges and keeps the message for each recipient, all in one commit, and returns them in
        order; a recipient named twice is one.

        A refused one is kept too, settled (R7). `actor`: the token that sends. `life`: µs until a
        message that was not handed over fails, None for its category's. Raises `NotFound` for an
        unknown bot, `InvalidMessage` for what its upstream cannot say, `StoreUnavailable`.
        """
        named = {ulid(self.new_id()): identity for identity in dict.fromkeys(recipients)}
        work = _Accept(bot_id, tuple(named.items()), message, callback_url, life, self.unsayable)
        kept = await self.store.commit(once.of(work, list) if once else work)
        _log.debug("bot %s: token %s sends to %d recipients", bot_id, actor, len(kept))
        self.accepted()
        return kept

    async def get(self, bot_id: str, message_id: str) -> OutboxMessage:
        """The message as it stands. Raises `NotFound`."""
        message = await self.store.message(bot_id, message_id)
        if message is None:
            raise NotFound("There is no message of that id.")
        return message


@dataclass(frozen=True, slots=True)
class _Accept:
    bot_id: str
    named: tuple[tuple[str, str], ...]
    message: Message
    callback_url: str
    life: int | None
    unsayable: Mapping[str, RefuseUnsayable]

    @property
    def reads(self) -> Reads:
        template = template_of(self.message)
        return Reads(
            identities=frozenset(identity for _, identity in self.named),
            templates=frozenset() if template is None else frozenset({template}),
        )

    def run(self, tx: Transaction) -> list[OutboxMessage]:
        if refuse := self.unsayable.get(tx.bot().value("upstream")):
            refuse(self.message)
        category = self._category(tx)
        return [self._put(tx, category, *named) for named in self.named]

    def _category(self, tx: Transaction) -> Category:
        template = template_of(self.message)
        record = None if template is None else tx.template(*template)
        return category_of(self.message, None if record is None else record.category)

    def _put(
        self, tx: Transaction, category: Category, message_id: str, identity: str
    ) -> OutboxMessage:
        bot = tx.bot()
        verdict = gate(tx.reading(identity), category, tx.now, bot.policy, bot.enforce)
        message = OutboxMessage(
            bot_id=self.bot_id,
            message_id=message_id,
            identity=identity,
            body=to_json(self.message),
            category=category,
            created=tx.now,
            expires=tx.now + (life(category) if self.life is None else self.life),
            due=tx.now,
            callback_url=self.callback_url,
        )
        judged = replace(message, **judged_as(verdict))
        tx.put_message(judged)
        return judged
