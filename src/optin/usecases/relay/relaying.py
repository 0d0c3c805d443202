"""The way of one relayed message.

Keep to the limits, connect, judge and claim in one commit, send, hand the answer back. The claim is
flushed to disk while the message is on its way, and the answer waits for that (R13). What became of
the message is read and written down behind the answer: a crash in between leaves a claim, which a
report or the sweep settles.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from optin.domain.bots import Bot
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import SECOND
from optin.domain.graph_posts import GraphMessage
from optin.domain.ids import NewId, ulid
from optin.domain.messages import Category
from optin.domain.outbox import JUDGEMENT_LIFE, RELAYED_TYPE, OutboxMessage
from optin.ports.graph import Graph, GraphAnswer, Held, Relayed
from optin.ports.store import Committed, Store, Work
from optin.ports.upstream import Failed, Outcome, Unknown
from optin.usecases.relay.judging import Judge
from optin.usecases.relay.settling import Settle

_log = logging.getLogger(__name__)

#: Judgements in a row that may be too old when they are committed.
JUDGEMENTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: How long an ending process waits for outcomes to be written down, in seconds.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a message. `record` is settled if it was refused, and then nothing was sent.

    Without an `answer`, and only then, `outcome` tells whether it may have been sent. `held`: a
    limit of ours held it up, so that it was neither judged nor sent, and nothing is on record.
    """

    record: OutboxMessage
    answer: GraphAnswer | None = None
    outcome: Outcome | None = None
    held: Held | None = None


class _Withheld(Exception):
    """Refused: nothing may leave."""


@dataclass(slots=True)
class _Releasing:
    """The release of one message, given once. `claimed`: its record since then."""

    claim: Callable[[], Awaitable[Committed[OutboxMessage]]]
    asked: bool = False
    claimed: Committed[OutboxMessage] | None = None

    async def __call__(self) -> None:
        if self.asked:
            raise RuntimeError("an upstream asked twice for one release")
        self.asked = True
        self.claimed = await self.claim()


@dataclass(frozen=True, slots=True)
class Relay:
    """Relays through the `Graph` of the bot's setting `upstream`. `claimant` names this process."""

    store: Store
    graphs: Mapping[str, Graph]
    claimant: str
    new_id: NewId
    monotonic: Callable[[], float] = time.monotonic
    _settling: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def send(self, bot: Bot, path: str, given: GraphMessage, marketing: bool) -> Handled:
        """One message, judged with all that it names (R11). `marketing`: whatever its template.

        Raises `StoreUnavailable` and `NotFound` (of the bot); then nothing was sent.
        """
        graph = self.graphs[bot.value("upstream")]
        claim = Judge(bot.bot_id, self._record(bot, given), given, marketing, bot.route)
        releasing = _Releasing(partial(self._claim, claim))
        try:
            relayed = await graph.send(bot, path, given, claim.record, releasing)
        except _Withheld as withheld:
            return Handled(withheld.args[0])
        except Exception as broken:
            if releasing.claimed is None:
                raise
            if isinstance(broken, StoreUnavailable | NotFound):
                raise RuntimeError("raised by nothing that was asked") from None
            _log.exception("message %s: the relaying broke", claim.record.message_id)
            relayed = Relayed(None, lambda: Unknown("the relaying broke"))
        if isinstance(relayed, Held):
            return Handled(claim.record, held=relayed)
        if releasing.claimed is None:
            return Handled(claim.record, relayed.answer, relayed.outcome())
        return await self._sent(releasing.claimed, relayed, given.identities)

    async def _sent(
        self, claimed: Committed[OutboxMessage], relayed: Relayed, identities: tuple[str, ...]
    ) -> Handled:
        """A 2xx is handed back only when the claim is on disk (R13)."""
        record = claimed.answer
        known = relayed.outcome() if relayed.answer is None else None
        outcome = relayed.outcome if known is None else lambda: known
        asyncio.get_running_loop().call_soon(self._settle_behind, record, outcome, identities)
        try:
            if claimed.on_disk is not None:
                await claimed.on_disk
        except StoreUnavailable as lost:
            _log.error(
                "message %s was sent, and is perhaps not on disk: %s", record.message_id, lost
            )
            return Handled(record, outcome=Unknown("its record is perhaps not on disk"))
        return Handled(record, relayed.answer, known)

    async def close(self) -> None:
        """Waits a while until every outcome is written down."""
        await asyncio.sleep(0)  # what was just answered begins to be settled
        if self._settling:
            _, late = await asyncio.wait(self._settling, timeout=_PATIENCE)
            for task in late:
                task.cancel()

    def _record(self, bot: Bot, given: GraphMessage) -> OutboxMessage:
        """The message's record, before its judgement says the rest."""
        stored = {"type": RELAYED_TYPE, "content": given.type}
        if given.template is not None:
            stored["template_name"], stored["language"] = given.template
        return OutboxMessage(
            bot_id=bot.bot_id,
            message_id=ulid(self.new_id()),
            identity=given.identities[0],
            body=stored,
            category=Category.SERVICE,
            created=0,
            expires=0,
            due=0,
            claimant=f"{self.claimant}/graph",
        )

    async def _claim(self, claim: Judge) -> Committed[OutboxMessage]:
        """Returns once a judgement is committed that is not older than `JUDGEMENT_LIFE` (H8).

        What is lost with the power of the machine was never answered; nothing is sent from here
        again, so the claim need not be on disk before the first byte to keep it from being.
        """
        for _ in range(JUDGEMENTS):
            begun = self.monotonic()
            claimed = await self.store.commit_ahead(claim)
            if not claimed.answer.passed:
                await _on_disk(claimed)
                raise _Withheld(claimed.answer)
            if (self.monotonic() - begun) * SECOND <= JUDGEMENT_LIFE:
                return claimed
        self._settle_behind(claimed.answer, lambda: Failed("no judgement was committed in time"))
        raise StoreUnavailable("The store answers too slowly to judge in time.")

    def _settle_behind(
        self,
        record: OutboxMessage,
        outcome: Callable[[], Outcome],
        identities: tuple[str, ...] = (),
    ) -> None:
        task = asyncio.create_task(self._settle(record, outcome, identities))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(
        self, record: OutboxMessage, outcome: Callable[[], Outcome], identities: tuple[str, ...]
    ) -> None:
        try:
            known = outcome()
        except Exception:  # noqa: BLE001 - whatever it is, the message was sent
            _log.exception("message %s: its answer cannot be read", record.message_id)
            known = Unknown("its answer cannot be read")
        await self._insist(Settle(record.bot_id, record, known, identities))

    async def _insist(self, settle: Work[None]) -> None:
        """Settling must not be lost to a store that is down for a while."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await _on_disk(await self.store.commit_ahead(settle))
            except NotFound:
                return None  # the bot was removed meanwhile
            except StoreUnavailable as down:
                _log.warning("an outcome waits for the store: %s", down)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _on_disk(committed: Committed[Any]) -> None:
    """Raises `StoreUnavailable` if it may never be."""
    if committed.on_disk is not None:
        await committed.on_disk
