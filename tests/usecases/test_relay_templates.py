"""A relayed template is judged in the category of the moment, whichever process wrote it (H8)."""

from __future__ import annotations

from pathlib import Path

from optin.domain.events import Kind
from optin.domain.graph_posts import GraphMessage
from optin.domain.messages import Category
from optin.usecases.relay import Handled, Relay
from tests.usecases.outbox import ADA, BOT, Clock, add_bot, consent, opened, put_template
from tests.usecases.test_relay import ANSWER, TellingGraph, relay

ORDER = GraphMessage(b"{}", (ADA,), "template", ("order_ready", "en"))


async def send(relaying: Relay) -> Handled:
    bot = await relaying.store.bot(BOT)
    assert bot is not None
    return await relaying.send(bot, "v25.0/1/messages", ORDER, marketing=False)


async def test_what_became_marketing_while_connecting_is_refused(tmp_path: Path) -> None:
    """R7: to somebody who opted out and wrote again a service may answer, and not advertise. Each
    process has judged by the old category before."""
    clock = Clock()
    async with opened(tmp_path / "t.db", clock) as here, opened(tmp_path / "t.db", clock) as there:
        await add_bot(here)
        await consent(here, Kind.OPT_OUT, ADA)
        clock.now += 1_000_000
        await consent(here, Kind.MESSAGE, ADA)
        await put_template(here, Category.UTILITY)
        for store, other in ((here, there), (there, here)):
            graph = TellingGraph()
            relaying = relay(store, graph)
            assert (await send(relaying)).answer == ANSWER
            graph.before = lambda to=other: put_template(to, Category.MARKETING)
            handled = await send(relaying)
            assert (handled.answer, handled.record.reason) == (None, "opted_out")
            assert len(graph.sent) == 1
            await put_template(other, Category.UTILITY)
            await relaying.close()
