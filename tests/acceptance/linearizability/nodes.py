"""Two nodes of one database whose clocks are wrong, and what happens to them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.linearizability.clients import BOT, SECRET
from tests.acceptance.nodes import node
from tests.acceptance.program import Program
from tests.stores.postgres.server import server
from tests.upstreams import meta_bodies

#: Seconds that the nodes' clocks are off; each jumps by minutes around that, too.
SKEWS = (7_200, -10_800)

_SHIM = Path(__file__).with_name("skewed_clock")
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}'"


@contextlib.contextmanager
def two_nodes(folder: Path, url: str) -> Iterator[tuple[list[Program], str]]:
    """The nodes, serving, and the token of the bot."""
    nodes = [
        node(
            folder / f"node-{skew}",
            url,
            environment={"PYTHONPATH": str(_SHIM), "SKEWED_CLOCK": str(skew)},
        )
        for skew in SKEWS
    ]
    settings = {"meta.app_secret": SECRET, "meta.phone_number_id": meta_bodies.NUMBER}
    token = nodes[0].add_bot(BOT, **settings)
    with ExitStack() as ending:
        for each in nodes:
            ending.enter_context(each)
        yield nodes, token


class Disturbing:
    """Kills a node, or cuts all lines to the database, at random instants until it is cancelled."""

    def __init__(self, nodes: Sequence[Program], database: str, seed: int, pause: float) -> None:
        """`pause`: seconds between two of them, on average."""
        self._nodes = nodes
        self._database = database
        self._chance = random.Random(seed)
        self._pause = pause
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        """Goes on for ever; a node that was killed is started again before this is cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.3, 1.7) * self._pause)
            if self._chance.random() < 0.7:
                await asyncio.shield(asyncio.ensure_future(self._kill()))
            else:
                self.done["cut lines"] += 1
                await server().execute(_CUT.format(self._database))

    async def _kill(self) -> None:
        chosen = self._chance.choice(self._nodes)
        self.done["kills"] += 1
        await asyncio.to_thread(chosen.kill)
        await asyncio.sleep(self._chance.uniform(0, 0.5))
        await asyncio.to_thread(chosen.start)
