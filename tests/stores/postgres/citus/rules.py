"""What Citus refuses, or does otherwise than one server: the rules, and what breaks them.

A rule is a function of a parsed statement that tells whether the statement breaks it; its docstring
is what is wrong then. What "is refused" was refused by Citus 13.2.2; the other rules are the
house's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pglast import ast, enums, parse_sql

from tests.stores.postgres.citus.scopes import LOCAL, Query
from tests.stores.postgres.citus.statement import Statement, functions_in
from tests.stores.postgres.citus.trees import QUERIES, Node, every, is_a

#: What gives another value each time or on each node.
_CLOCKS = {"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"}
_VOLATILE = _CLOCKS | {"random", "gen_random_uuid", "nextval", "setval", "currval"}
#: Functions that give the same for the same, on every node: a change may compute with them.
_TIMES = {"interval", "timestamptz"}
_IMMUTABLE = {"length", "octet_length", "left", "right", "lower", "upper", "replace", "abs"}


Rule: TypeAlias = Callable[[Statement], bool]


def spans(statement: Statement) -> bool:
    """It does not say of which bot it is, so every shard is asked."""
    return any(each.has_bot and not each.of_bots() for each in statement.relations)


def mixes(statement: Statement) -> bool:
    """It is about two bots: two shards, mostly."""
    return len({bot for each in statement.relations for bot in each.of_bots()}) > 1


def writes(statement: Statement) -> bool:
    """It changes rows on several shards: a commit in two phases, whose second comes after the
    acknowledgement (R6); and sub-queries are refused in it."""
    return any(
        query.target is not None and query.target.is_distributed and not query.target.of_bots()
        for query in statement.queries
    )


def locks(statement: Statement) -> bool:
    """FOR UPDATE is refused but on one shard."""
    return any(
        is_a(query.node, ast.SelectStmt) and query.node.lockingClause
        for query in statement.queries
        if statement.spread(query)
    )


def moves(statement: Statement) -> bool:
    """A row's bot id cannot be changed."""
    return any(each.name == "bot_id" for each in statement.changes())


def computes(statement: Statement) -> bool:
    """A volatile function is refused in SET, in DO UPDATE SET also a stable one, as a time plus an
    interval is. What is the same everywhere is worked out before."""
    for change in statement.changes():
        if functions_in(change) - _IMMUTABLE:
            return True
        casts = (each.typeName.names[-1].sval for each in every(change, ast.TypeCast))
        if not _TIMES.isdisjoint(casts):
            return True
    return False


def chances(statement: Statement) -> bool:
    """A volatile function is refused in the condition of a change."""
    return any(
        functions_in(query.node.whereClause) & _VOLATILE
        for query in statement.queries
        if is_a(query.node, ast.UpdateStmt, ast.DeleteStmt) and statement.is_on_shards
    )


def asks(statement: Statement) -> bool:
    """A sub-query is refused within INSERT ... VALUES and in DO UPDATE."""
    return any(
        any(every(part, ast.SubLink))
        for insert in statement.inserts()
        for part in (insert.onConflictClause, insert.selectStmt and insert.selectStmt.valuesLists)
    )


def selects(statement: Statement) -> bool:
    """INSERT ... SELECT is committed in two phases, on one shard, too (R6)."""
    return any(
        insert.selectStmt and not insert.selectStmt.valuesLists for insert in statement.inserts()
    )


def conflicts(statement: Statement) -> bool:
    """A unique key without the bot id is refused, so ours begin with it, and none other is met."""
    targets = [insert.onConflictClause.infer for insert in statement.inserts() if _does(insert)]
    return any(
        target is not None
        and (target.conname or not target.indexElems or target.indexElems[0].name != "bot_id")
        for target in targets
    )


def _does(insert: Node) -> bool:
    return insert.onConflictClause is not None


def joins(statement: Statement) -> bool:
    """A table of the coordinator beside one of the shards: its rows are sent to them, or theirs
    fetched, each time."""
    return statement.is_on_shards and any(each.name in LOCAL for each in statement.relations)


def correlates(statement: Statement) -> bool:
    """Across shards a sub-query that depends on the outer row is refused if it is not joined by
    the bot."""
    return any(
        query.outer is not None
        and _depends(query)
        and statement.spread(query)
        and not _is_beside(query)
        for query in statement.queries
        if is_a(query.node, ast.SelectStmt)
    )


def _depends(query: Query) -> bool:
    """Whether it names what only an outer query has."""
    for column in every(query.node, ast.ColumnRef):
        if len(column.fields) > 1:
            alias = getattr(column.fields[-2], "sval", "")
            outer = query.outer
            while outer is not None and alias not in query.named:
                if alias in outer.named:
                    return True
                outer = outer.outer
    return False


def _is_beside(query: Query) -> bool:
    """Whether each table in it is joined by the bot with one of an outer query."""
    return all(
        any(peer.query is not query for peer in each.same)
        for each in query.named.values()
        if each.is_distributed
    )


def recurses(statement: Statement) -> bool:
    """WITH RECURSIVE is refused but on one shard."""
    clauses = every(statement.node, ast.WithClause)
    return any(each.recursive for each in clauses) and any(
        statement.spread(query) for query in statement.queries
    )


def tells_time(statement: Statement) -> bool:
    """It runs on a shard's node, whose clock is not the coordinator's (R3)."""
    return statement.is_on_shards and bool(statement.functions & _CLOCKS)


def latches(statement: Statement) -> bool:
    """An advisory lock is the node's own: beside a distributed table it is taken on a shard's."""
    found = {each for each in statement.functions if "advisory" in each}
    return statement.is_on_shards and bool(found)


#: Commands that go through.
_PLAIN = (
    ast.VariableSetStmt,
    ast.VariableShowStmt,
    ast.TransactionStmt,
    ast.LockStmt,
    ast.CreateStmt,
    ast.AlterTableStmt,
    ast.DropStmt,
    ast.VacuumStmt,
    ast.CopyStmt,
)


def is_unknown(statement: Statement) -> bool:
    """MERGE, triggers, LISTEN, PREPARE, temporary tables and the like: refused, or a node's or a
    session's own. What is known to go through is listed."""
    tables = every(statement.node, ast.RangeVar)
    return (
        not is_a(statement.node, *QUERIES, *_PLAIN)
        or any(every(statement.node, ast.IntoClause))
        or any(each.relpersistence == enums.RELPERSISTENCE_TEMP for each in tables)
    )


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        spans,
        mixes,
        writes,
        locks,
        moves,
        computes,
        chances,
        asks,
        selects,
        conflicts,
        joins,
        correlates,
        recurses,
        tells_time,
        latches,
        is_unknown,
    )
}


def broken(sql: str) -> frozenset[str]:
    """The names of the rules that a text of one or more statements breaks."""
    statements = [Statement(each.stmt) for each in parse_sql(sql)]
    return frozenset(name for name, rule in RULES.items() if any(map(rule, statements)))
