"""A provider behind the Graph face, with the limits that every other message has, too (H8).

What a Cloud API client sends is not kept and not tried again from here: so where a message of the
outbox would wait, the client is told when to come back, before anything is connected or judged.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.graph_posts import GraphMessage
from optin.domain.outbox import OutboxMessage
from optin.ports.graph import Download, Graph, GraphAnswer, GraphCall, Held, Limit, Relayed
from optin.ports.upstream import Release
from optin.upstreams.guarded import Breakers, Heard, Passage, unheard
from optin.upstreams.pacing import Pacing


@dataclass(frozen=True, slots=True)
class GuardedGraph:
    """`graph`, asked only while the bot's breaker lets it and at the pace of its number.

    `breakers` and `pacing` are those of the bot's other messages: what either sends counts for
    both. `pacing` None: the provider has no limits. `heard` is told of each outcome.
    """

    graph: Graph
    breakers: Breakers
    pacing: Pacing | None = None
    heard: Heard = unheard

    def number(self, bot: Bot) -> str:
        """See `Graph`."""
        return self.graph.number(bot)

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed | Held:
        """See `Graph`. Waits for the number's turn if that is soon."""
        passage = Passage.of(self.breakers, bot, release, self.heard)
        if isinstance(passage, int):
            return Held(Limit.BREAKER, passage)
        with passage:
            if self.pacing is not None:
                per_second = int(bot.value("meta.messages_per_second"))
                turn = self.pacing.at_once(bot, per_second, record.identity)
                if isinstance(turn, Held):
                    return turn
                if turn:
                    await asyncio.sleep(turn / SECOND)
            relayed = await self.graph.send(bot, path, given, record, passage)
            if isinstance(relayed, Held):
                return relayed
            return Relayed(relayed.answer, passage.put_off(relayed.outcome))

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        """See `Graph`: calls that send nothing have no limits of ours."""
        return await self.graph.call(bot, call)

    def download(self, bot: Bot, url: str) -> AbstractAsyncContextManager[Download]:
        """See `Graph`."""
        return self.graph.download(bot, url)

    async def close(self) -> None:
        """Closes the graph."""
        await self.graph.close()
