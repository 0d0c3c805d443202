"""R3, R6: what two nodes of one database answered at once could have come from one register.

Opt-ins, opt-outs, messages and checks of few contacts go to either node, while nodes are killed
with `kill -9` and started again, lines to the database are cut, and the nodes' clocks are hours
off and jump.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import aiohttp
import asyncpg
import pytest

from tests.acceptance.linearizability.checker import offending
from tests.acceptance.linearizability.clients import (
    BOT,
    PATIENCE,
    Clients,
    Contact,
    linked,
    plain,
    spelled,
)
from tests.acceptance.linearizability.model import Action
from tests.acceptance.linearizability.nodes import Disturbing, two_nodes
from tests.acceptance.nodes import empty_database
from tests.acceptance.program import Program

CLIENTS = 16
#: Contacts that are called about at the same time.
AT_ONCE = 6

_KINDS = {"opt_in": Action.OPT_IN, "opt_out": Action.OPT_OUT, "message": Action.MESSAGE}
_LEDGER = """SELECT identity, kind, origin, effective, recorded, event_id
 FROM (SELECT * FROM events UNION ALL SELECT * FROM contact_messages) AS e
 WHERE bot_id = $1 AND origin IN ('live', 'repeated')"""
#: A node's clock counts as wrong from so many µs on.
HOUR = 3_600_000_000


@dataclass(frozen=True)
class Campaign:
    """How much of it. `pause`: seconds between two disturbances."""

    operations: int
    groups: int
    pause: float
    seed: int


async def made(count: int, url: str, session: aiohttp.ClientSession) -> list[Contact]:
    """Contacts of all sorts."""
    return [
        await linked(n, url, session) if n % 3 == 2 else (plain, spelled)[n % 3](n)
        for n in range(count)
    ]


async def campaign(
    plan: Campaign, nodes: Sequence[Program], token: str, database: str
) -> list[Contact]:
    """Runs it, and says what was seen; the contacts with their histories."""
    disturbing = Disturbing(nodes, database, plan.seed, plan.pause)
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    begun = time.monotonic()
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        contacts = await made(plan.groups * AT_ONCE, nodes[0].url, session)
        groups = [contacts[n : n + AT_ONCE] for n in range(0, len(contacts), AT_ONCE)]
        urls = [node.url for node in nodes]
        clients = Clients(urls, groups, plan.operations, plan.seed)
        killing = asyncio.create_task(disturbing.run())
        await clients.run(session, CLIENTS)
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing
        await clients.ask_all(session)
    seconds = time.monotonic() - begun
    print(f"\n{dict(clients.seen)}, {dict(disturbing.done)}, {seconds:.0f} s, seed {plan.seed}")
    assert disturbing.done["kills"] > 0
    assert clients.seen["operations"] >= plan.operations
    return contacts


class Entry(NamedTuple):
    """One entry of the ledger. `off`: how far the clock of the node that wrote it was from the
    database's, µs, told by its event id."""

    action: Action
    origin: str
    effective: int
    off: int


async def ledger(url: str) -> dict[str, list[Entry]]:
    """What the ledger has of each identity."""
    found: dict[str, list[Entry]] = {}
    connection = await asyncpg.connect(url)
    try:
        for identity, kind, origin, effective, recorded, event_id in await connection.fetch(
            _LEDGER, BOT
        ):
            off = int.from_bytes(event_id[:6]) * 1000 - recorded
            entry = Entry(_KINDS[kind], origin, effective, off)
            found.setdefault(identity, []).append(entry)
    finally:
        await connection.close()
    return found


def miscounted(contact: Contact, entries: Sequence[Entry]) -> list[str]:
    """R13: an acknowledged call is one entry, one of unknown outcome at most one. R3: each live
    call takes effect later than all before it, so no two at one instant."""
    there = Counter(each.action for each in entries)
    wrong = []
    for action in _KINDS.values():
        calls = [each for each in contact.history if each.action is action]
        least = sum(each.ended is not None for each in calls)
        if not least <= there[action] <= len(calls):
            wrong.append(f"{contact.names}: {there[action]} {action}, {least} to {len(calls)}")
    live = [each.effective for each in entries if each.origin == "live"]
    if len(set(live)) < len(live):
        wrong.append(f"{contact.names}: two live calls at one instant")
    return wrong


def run(plan: Campaign, folder: Path) -> None:
    with empty_database("linearizable") as url:
        with two_nodes(folder, url) as (nodes, token):
            contacts = asyncio.run(campaign(plan, nodes, token, "linearizable"))
            entries = asyncio.run(ledger(url))
        verified = nodes[0].command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    off = [each.off for some in entries.values() for each in some]
    assert min(off) < -HOUR, "a node's clock was to be behind"
    assert max(off) > HOUR, "a node's clock was to be ahead"
    offences = [o for c in contacts if (o := offending(c.history, c.standings)) is not None]
    assert not offences, "\n".join(map(str, sorted(offences, key=lambda o: len(o.operations))[:3]))
    of = [[e for name in each.names for e in entries.get(name, [])] for each in contacts]
    assert [w for c, found in zip(contacts, of, strict=True) for w in miscounted(c, found)] == []


def test_two_nodes_answer_as_one(tmp_path: Path) -> None:
    """R3, R6, R13: 1,500 operations, nodes killed once or twice."""
    run(Campaign(operations=1_500, groups=2, pause=1.5, seed=21), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_two_nodes_answer_as_one_for_long(tmp_path: Path, seed: int) -> None:
    """R3, R6, R13: 60,000 operations, nodes killed dozens of times."""
    run(Campaign(operations=60_000, groups=40, pause=4.0, seed=seed), tmp_path)
