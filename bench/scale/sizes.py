"""Bytes on disk and CPU time of a PostgreSQL server on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import asyncpg

_TICK = os.sysconf("SC_CLK_TCK")
# Partitions and their indexes count for the table and index that they are parts of.
_SIZES = """SELECT root.relname, sum(pg_relation_size(c.oid))::float8,
 sum(pg_indexes_size(c.oid))::float8,
 sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))::float8,
 coalesce(sum(c.reltuples) FILTER (WHERE c.reltuples > 0), 0)::float8
 FROM pg_class AS c JOIN pg_class AS root
 ON root.oid = coalesce(pg_partition_root(c.oid), c.oid)
 WHERE c.relkind = 'r' AND root.relname = ANY($1) GROUP BY 1 ORDER BY 1"""
_TABLES = ["identities", "events", "contact_messages", "commits"]


async def per_contact(connection: asyncpg.Connection, contacts: int) -> dict[str, str]:
    """By table: bytes a row of heap, indexes and TOAST; and all bytes a contact."""
    found: dict[str, str] = {}
    total = 0.0
    for name, heap, indexes, toast, rows in await connection.fetch(_SIZES, _TABLES):
        total += heap + indexes + toast
        each = (f"{part / max(rows, 1):.0f}" for part in (heap, indexes, toast))
        found[name] = " + ".join(each)
    return found | {"all, a contact": f"{total / contacts:.0f}", "all, MB": f"{total / 1e6:.0f}"}


async def server_cpu(url: str) -> float:
    """CPU seconds that the backends of this database have used so far."""
    connection = await asyncpg.connect(url)
    pids = await connection.fetch(
        """SELECT pid FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'optin' AND pid <> pg_backend_pid()"""
    )
    await connection.close()
    return sum(_cpu(pid) for (pid,) in pids)


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK
