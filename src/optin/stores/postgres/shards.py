"""A database that Citus distributes by the bot: which tables, and what must hold there.

All tables of bots lie together, one bot's rows on one node; the small tables of the database as a
whole stay on the coordinator, which every process connects to: advisory locks are each node's own.
"""

from __future__ import annotations

from typing import Any

from optin.domain.errors import StartupError
from optin.stores.postgres import tables

_CITUS = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"
_DISTRIBUTED = """SELECT EXISTS (SELECT 1 FROM pg_dist_partition
 WHERE logicalrelid = to_regclass($1::text))"""
_DISTRIBUTE = "SELECT create_distributed_table('{table}', 'bot_id', colocate_with := '{beside}')"
#: The rows that were there before stay on the coordinator's disk else, unseen (R15).
_EMPTY = "SELECT truncate_local_data_after_distributing_table('{table}')"
_GROUP = "SELECT groupid FROM pg_dist_local_group"
_NODES = """SELECT nodename || ':' || nodeport, result FROM run_command_on_workers(
 'SELECT concat_ws('' '', current_setting(''fsync''), current_setting(''synchronous_commit''))')
 WHERE success"""


async def has_citus(connection: Any) -> bool:
    """Whether the extension is there: the operator made it, in this database."""
    return bool(await connection.fetchval(_CITUS))


async def is_sharded(connection: Any) -> bool:
    """Whether the bots' tables are distributed."""
    return await has_citus(connection) and await _is_distributed(connection, tables.IDENTITIES)


async def distribute(connection: Any) -> None:
    """Distributes what is not distributed yet, with its rows; within a transaction, in which
    nobody takes a slot. Processes that work on it lose theirs: each has to be started again."""
    first, *others = tables.DISTRIBUTED
    missing = [each for each in others if not await _is_distributed(connection, each)]
    if not await _is_distributed(connection, first):
        await _distribute(connection, first.name, "none")
    for table in missing:
        await _distribute(connection, table.name, first.name)
    if missing:
        await connection.execute("UPDATE writers SET holder = '', leased_until = 0")


async def check(connection: Any) -> None:
    """Raises `StartupError` for a node that is no coordinator, and for workers that acknowledge
    what is not on disk (R13). A worker that does not answer cannot be asked."""
    if not await has_citus(connection):
        return
    if await connection.fetchval(_GROUP):
        raise StartupError(
            "This PostgreSQL server is a worker of a Citus cluster: connect to the coordinator."
        )
    for node, told in await connection.fetch(_NODES):
        fsync, synchronous = told.split()
        if fsync != "on" or synchronous == "off":
            raise StartupError(
                f"The Citus worker {node} runs with fsync = {fsync} and synchronous_commit ="
                f" {synchronous}: a crash would lose what was acknowledged."
            )


async def _is_distributed(connection: Any, table: tables.Table) -> bool:
    return bool(await connection.fetchval(_DISTRIBUTED, table.name))


async def _distribute(connection: Any, table: str, beside: str) -> None:
    await connection.execute(_DISTRIBUTE.format(table=table, beside=beside))
    await connection.execute(_EMPTY.format(table=table))
