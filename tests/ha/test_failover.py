"""The primary dies or freezes under load: nothing acknowledged is lost, nothing is done twice.

The cluster is that of `deploy/ha`, three machines of etcd, Patroni and PostgreSQL; the services are
real processes, two nodes on it (R6, R13).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.nodes import node
from tests.acceptance.program import Program, wait_until
from tests.ha.cluster import Cluster
from tests.ha.load import BOT, Clients, Log
from tests.ha.machine import Machine

#: How long what is frozen stays so, in seconds: well beyond the lease of the primary.
FROZEN = 35.0
#: A failover takes up to the lease (20 s) and some loops; a longer outage is a node that hangs.
MOST_OUTAGE = 60.0


#: How long the primary goes on without its standbys before its own power fails, in seconds.
ALONE = 3.0


def machine_killed(_: Cluster, machine: Machine) -> None:
    """The power fails, for as long as a failover takes."""
    machine.kill()


def machine_killed_last(cluster: Cluster, machine: Machine) -> None:
    """The power fails at the standbys first, and comes back to them alone: what the primary had
    acknowledged without them would be gone."""
    standbys = [each for each in cluster.machines if each is not machine]
    for each in standbys:
        each.kill()
    time.sleep(ALONE)
    machine.kill()
    for each in standbys:
        each.start()


def machine_frozen(_: Cluster, machine: Machine) -> None:
    """A hypervisor stops the machine and lets it go on later, as if nothing had been."""
    machine.send(signal.SIGSTOP)
    time.sleep(FROZEN)
    machine.send(signal.SIGCONT)


def patroni_frozen(_: Cluster, machine: Machine) -> None:
    """Patroni hangs: PostgreSQL goes on as a primary that nobody watches."""
    machine.signal_patroni(signal.SIGSTOP)
    time.sleep(FROZEN)
    machine.signal_patroni(signal.SIGCONT)


def postgres_killed(_: Cluster, machine: Machine) -> None:
    """PostgreSQL alone dies, and Patroni sees it."""
    machine.kill_postgres()


Way = Callable[[Cluster, Machine], None]
Kill = tuple[str, Way]
PRIMARY: list[Kill] = [
    ("leader", machine_killed),
    ("leader", patroni_frozen),
    ("leader", postgres_killed),
    ("leader", machine_frozen),
    ("leader", machine_killed),
]
STANDBY: list[Kill] = [("sync_standby", machine_frozen), ("sync_standby", machine_killed)]


@dataclass(frozen=True)
class Row:
    """What one kill did: seconds without an acknowledged write, and writes acknowledged since the
    one before."""

    what: str
    outage: float
    acknowledged: int


def campaign(folder: Path, kills: Sequence[Kill]) -> None:
    """Loads two nodes, kills under them, and compares the ledger with what they acknowledged."""
    with Cluster() as cluster, contextlib.ExitStack() as ending:
        nodes = [node(folder / name, cluster.url) for name in ("one", "other")]
        token = nodes[0].add_bot(BOT)
        for program in nodes:
            ending.enter_context(program)
        log = Log()
        rows = under_fire(cluster, nodes, token, log, kills)
        lost, doubled = asyncio.run(compare(cluster, log))
        print(table(rows, log, lost, doubled))
        assert (lost, doubled, log.revived) == ([], [], [])
        assert max(row.outage for row in rows) < MOST_OUTAGE
        report = nodes[0].command("verify", "--json")  # chain whole, fold equal to stored state
        assert report.returncode == 0, report.stdout + report.stderr


def under_fire(
    cluster: Cluster, nodes: Sequence[Program], token: str, log: Log, kills: Sequence[Kill]
) -> list[Row]:
    """Kills from this thread, for what it starts again ends with the thread that started it."""
    clients = Clients([program.url for program in nodes], token, log)
    with ThreadPoolExecutor(1) as beside:
        firing = beside.submit(lambda: asyncio.run(clients.run()))
        try:
            return [one_kill(cluster, log, *kill) for kill in kills]
        finally:
            clients.stop()
            firing.result()


def one_kill(cluster: Cluster, log: Log, role: str, kill: Way) -> Row:
    """Kills, waits until both nodes write again, and then until the cluster is whole again."""
    machine = cluster.with_role(role)
    time.sleep(2)
    before, began = log.requests, time.monotonic()
    kill(cluster, machine)
    killed = time.monotonic()
    wait_until(lambda: log.again_at_all(killed + 3), 120)
    if not machine.cluster():
        machine.start()
    cluster.wait_whole()
    outage = log.outage(began, time.monotonic())
    name = f"{kill.__name__.replace('_', ' ')} ({role.replace('_', ' ')})"
    row = Row(name, outage, log.requests - before)
    print(row)
    return row


async def compare(cluster: Cluster, log: Log) -> tuple[list[str], list[str]]:
    """What was acknowledged and is not in the ledger; what is there more often than asked for."""
    connection = await cluster.connect()
    found = await connection.fetch(
        "SELECT identity, kind, count(*) FROM events WHERE bot_id = $1 GROUP BY 1, 2", BOT
    )
    await connection.close()
    there = Counter({(i.lstrip("+"), kind): count for i, kind, count in found})
    lost = [f"{who} {kind}" for who, kind in log.done if not there[who, kind]]
    doubled = [f"{who} {kind}" for (who, kind), n in there.items() if n > log.asked[who, kind]]
    return lost, doubled


def table(rows: Sequence[Row], log: Log, lost: list[str], doubled: list[str]) -> str:
    """What docs/high-availability.md shows."""
    lines = [f"| {r.what} | {r.outage:.1f} s | {r.acknowledged:,} |" for r in rows]
    unseen = [key for key in log.asked if key not in log.done]
    told = json.dumps(dict(sorted(log.statuses.items())))
    lines.append(
        f"{log.requests:,} acknowledged calls with {len(log.done):,} events, {len(lost)} lost, "
        f"{len(doubled)} doubled, {len(log.revived)} revived; {len(unseen)} events not "
        f"acknowledged; answers {told}"
    )
    return "\n".join(lines)


@pytest.mark.long
def test_the_power_fails_at_the_primary(tmp_path: Path) -> None:
    """R6, R13: both nodes go on by themselves with another server, and nothing is lost, though
    it was the last to go."""
    campaign(tmp_path, [("leader", machine_killed_last)])


@pytest.mark.long
def test_ten_kills_of_the_primary_and_two_of_its_standby(tmp_path: Path) -> None:
    """R6, R13: the same for each way to die or to freeze, one after another on one cluster."""
    campaign(tmp_path, [*PRIMARY, STANDBY[0], *PRIMARY, STANDBY[1]])
