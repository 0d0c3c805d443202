"""A service with many bots: `python -m bench.scale.directory` (BOTS, from the environment).

How long it takes to start, its memory, how long a changed setting takes to be in force, and the
answers to checks of bots drawn at random, while its chores go over all bots; and how long it takes
to stop in the middle of that.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

import asyncpg

from tests.acceptance.processes import resident
from tests.acceptance.program import Program
from tests.stores.postgres.server import PostgresServer

BOTS = int(os.environ.get("BOTS", "100000"))
CHECKS = int(os.environ.get("CHECKS", "300"))
#: Longer than anybody should wait, in seconds.
STOPS_WITHIN = 900.0
_COPY = """INSERT INTO bots (bot_id, settings, created)
 SELECT 'bot-' || n, settings, created FROM bots, generate_series(1, $1::int) AS n"""
_TOKENS = """INSERT INTO tokens (digest, bot_id, token_id, scopes, created)
 SELECT sha256(('token-' || n)::bytea), 'bot-' || n, token_id, scopes, created
 FROM tokens, generate_series(1, $1::int) AS n WHERE bot_id = 'first'"""


async def _add_bots(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_TOKENS, BOTS)
    await connection.execute(_COPY, BOTS)
    await connection.execute("ANALYZE")
    await connection.close()


def asked(url: str, bot_id: str, token: str) -> float:
    """Seconds that one check takes over HTTP."""
    request = urllib.request.Request(
        f"{url}/v1/bots/{bot_id}/check",
        json.dumps({"identities": ["+46701740605"]}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    begun = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    return time.perf_counter() - begun


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(service: Program, token: str) -> None:
    """Starts it, prints what it costs, and stops it while its chores are on their way."""
    begun = time.monotonic()
    with service:
        listening, memory = time.monotonic() - begun, resident(service.pid) >> 10
        print(f"{BOTS:,} bots: listens after {listening:.1f} s with {memory} MiB")
        _ask(service, token)
        begun = time.monotonic()
        code = service.stop(within=STOPS_WITHIN)
        print(f"stopped {time.monotonic() - begun:.2f} s after SIGTERM with exit code {code}")


def _ask(service: Program, token: str) -> None:
    before, begun = cpu(service.pid), time.monotonic()
    times = []
    for _ in range(CHECKS):
        times.append(asked(service.url, "first", token) * 1000)
        time.sleep(random.uniform(0, 0.2))
    shown = statistics.quantiles(times, n=100)
    used = (cpu(service.pid) - before) / (time.monotonic() - begun)
    print(f"checks: p50 {statistics.median(times):.1f} ms, p99 {shown[98]:.0f} ms, ", end="")
    print(f"longest {max(times):.0f} ms; {used:.0%} of a core; {resident(service.pid) >> 10} MiB")


def main() -> None:
    """On PostgreSQL."""
    server = PostgresServer()
    try:
        url = server.url()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "optin.toml").write_text(f'database = "{url}"\nkey_file = "the.key"\n')
            service = Program(Path(folder))
            token = service.add_bot("first")
            asyncio.run(_add_bots(url))
            measure(service, token)
    finally:
        server.close()


if __name__ == "__main__":
    main()
