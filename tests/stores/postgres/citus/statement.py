"""One statement: its queries, our tables in it, and what it changes."""

from __future__ import annotations

from pglast import ast

from tests.stores.postgres.citus.scopes import Query, Relation, queries
from tests.stores.postgres.citus.trees import QUERIES, Node, every, is_a


class Statement:
    """One statement and the queries in it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.queries: list[Query] = queries(node) if is_a(node, *QUERIES) else []

    @property
    def relations(self) -> list[Relation]:
        """Our tables in it; one that is named twice is there twice."""
        named = [each for query in self.queries for each in query.named.values()]
        return [each for each in named if each.is_table]

    @property
    def is_on_shards(self) -> bool:
        """Whether it reads or writes what is distributed."""
        return any(each.is_distributed for each in self.relations)

    @property
    def functions(self) -> set[str]:
        """The names of the functions that it calls."""
        return functions_in(self.node)

    def spread(self, query: Query) -> bool:
        """Whether the query itself is about several shards."""
        return any(each.is_distributed and not each.of_bots() for each in query.named.values())

    def inserts(self) -> list[Node]:
        """INSERTs into what is distributed."""
        return [
            query.node
            for query in self.queries
            if is_a(query.node, ast.InsertStmt)
            and query.target is not None
            and query.target.is_distributed
        ]

    def changes(self) -> list[Node]:
        """What is SET in rows that are distributed: (column, value) each, a `ResTarget`."""
        found = [
            each
            for query in self.queries
            if is_a(query.node, ast.UpdateStmt)
            and query.target is not None
            and query.target.is_distributed
            for each in query.node.targetList
        ]
        for insert in self.inserts():
            found += (insert.onConflictClause and insert.onConflictClause.targetList) or ()
        return found


def functions_in(node: Node) -> set[str]:
    """The names of the functions that are called; `now` for `current_timestamp` and its kin."""
    called = {each.funcname[-1].sval for each in every(node, ast.FuncCall)}
    if any(every(node, ast.SQLValueFunction)):
        called.add("now")
    return called
