"""Whom a statement is about: which tables it reads and writes, and of which bot.

A table's rows are of one bot where `bot_id` equals one parameter or constant, by itself or through
tables that are joined by the bot. A restriction holds for the tables of its own query, an outer
query's restriction also for the sub-queries that are joined to it, never the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pglast import ast, enums

from optin.stores.postgres import tables
from tests.stores.postgres.citus.trees import Node, constant, is_a, joins, subqueries

DISTRIBUTED = {each.name for each in tables.DISTRIBUTED}
#: Tables of the database as a whole; those with a bot id in them say of whom they are read, too.
LOCAL = {"meta", "bots", "tokens", "writers"}
WITH_BOT = DISTRIBUTED | {"bots", "tokens"}
_PART = re.compile(r"(events|contact_messages)_(rest|before|\d{4}_\w+)")


@dataclass(eq=False)
class Relation:
    """A table, or what a sub-query or function gives, as one query names it. `same`: whose bot it
    shares; `bots`: the parameters and constants that its bot id equals."""

    name: str
    has_bot: bool
    query: Query
    same: list[Relation] = field(default_factory=list)
    bots: set[str] = field(default_factory=set)

    @property
    def is_distributed(self) -> bool:
        """Whether its rows lie on shards."""
        return self.name in DISTRIBUTED or bool(_PART.fullmatch(self.name))

    @property
    def is_table(self) -> bool:
        """Whether it is one of ours."""
        return self.is_distributed or self.name in LOCAL

    def of_bots(self) -> set[str]:
        """The bots that its rows are of; empty where that can be anybody's."""
        found, waiting, seen = set[str](), [self], {id(self)}
        while waiting:
            one = waiting.pop()
            found |= one.bots
            waiting += [each for each in one.same if id(each) not in seen]
            seen |= {id(each) for each in one.same}
        return found


@dataclass(eq=False)
class Query:
    """One SELECT, INSERT, UPDATE or DELETE. `outer`: the one that it is within."""

    node: Node
    outer: Query | None
    named: dict[str, Relation] = field(default_factory=dict)
    target: Relation | None = None

    def find(self, column: Node) -> Relation | None:
        """The relation whose bot id this is."""
        *alias, name = [getattr(part, "sval", "*") for part in column.fields]
        if name != "bot_id":
            return None
        if alias:
            found = self.named.get(alias[-1])
        else:
            found = next((each for each in self.named.values() if each.has_bot), None)
        return found or (self.outer.find(column) if self.outer else None)


def queries(statement: Node) -> list[Query]:
    """All queries of a statement, the outer ones first."""
    found: list[Query] = []
    _Reader(found).read(statement, None, {})
    return found


class _Reader:
    def __init__(self, found: list[Query]) -> None:
        self._found = found

    def read(self, node: Node, outer: Query | None, ctes: dict[str, Query | None]) -> Query:
        """Reads one query, and those within it."""
        query = Query(node, outer)
        self._found.append(query)
        known = dict(ctes)
        if node.withClause:
            for cte in node.withClause.ctes:
                if node.withClause.recursive:
                    known[cte.ctename] = None
                known[cte.ctename] = self.read(cte.ctequery, outer, known)
        if is_a(node, ast.SelectStmt) and node.larg:
            self.read(node.larg, outer, known)
            self.read(node.rarg, outer, known)
        if is_a(node, ast.SelectStmt):
            self._sources(query, node.fromClause or (), known)
        else:
            query.target = self._table(query, node.relation, {})
            if is_a(node, ast.UpdateStmt):
                self._sources(query, node.fromClause or (), known)
            if is_a(node, ast.DeleteStmt):
                self._sources(query, node.usingClause or (), known)
            if is_a(node, ast.InsertStmt):
                self._inserted(query, node, known)
        if not is_a(node, ast.InsertStmt):
            _restrict(query, node.whereClause)
        self._within(query, node, known)
        return query

    def _sources(self, query: Query, items: Sequence[Node], ctes: dict[str, Query | None]) -> None:
        for item in items:
            self._source(query, item, ctes)

    def _source(self, query: Query, item: Node, ctes: dict[str, Query | None]) -> list[Relation]:
        if is_a(item, ast.RangeVar):
            return [self._table(query, item, ctes)]
        if is_a(item, ast.JoinExpr):
            left = self._source(query, item.larg, ctes)
            right = self._source(query, item.rarg, ctes)
            if item.jointype == enums.JoinType.JOIN_INNER:
                _restrict(query, item.quals)
            if item.jointype == enums.JoinType.JOIN_LEFT:
                _restrict(query, item.quals, right)
            return left + right
        if is_a(item, ast.RangeSubselect):
            return [self._derived(query, item, ctes)]
        # A function: what its columns are called says whether there is a bot id among them.
        alias = item.alias.aliasname if item.alias else ""
        columns = {name.sval for name in (item.alias and item.alias.colnames) or ()}
        return [_name(query, alias, Relation("", "bot_id" in columns, query))]

    def _table(self, query: Query, item: Node, ctes: dict[str, Query | None]) -> Relation:
        alias = item.alias.aliasname if item.alias else item.relname
        if item.relname in ctes and not item.schemaname:
            return _name(query, alias, _given(query, ctes[item.relname], inwards=False))
        relation = Relation(item.relname, False, query)
        relation.has_bot = relation.is_distributed or item.relname in WITH_BOT
        return _name(query, alias, relation)

    def _derived(self, query: Query, item: Node, ctes: dict[str, Query | None]) -> Relation:
        # Only what is LATERAL sees the tables beside it.
        inner = self.read(item.subquery, query if item.lateral else query.outer, ctes)
        alias = item.alias.aliasname if item.alias else ""
        return _name(query, alias, _given(query, inner, inwards=not _is_closed(inner.node)))

    def _inserted(self, query: Query, node: Node, ctes: dict[str, Query | None]) -> None:
        rows = node.selectStmt.valuesLists if node.selectStmt else None
        columns = [each.name for each in node.cols or ()]
        assert query.target is not None
        if rows is None:
            if node.selectStmt:
                self.read(node.selectStmt, query.outer, ctes)
        elif "bot_id" in columns:
            place = columns.index("bot_id")
            told = {constant(row[place]) for row in rows}
            if None not in told:
                query.target.bots |= {each for each in told if each}

    def _within(self, query: Query, node: Node, ctes: dict[str, Query | None]) -> None:
        """The sub-queries in expressions."""
        parts = [
            getattr(node, name)
            for name in node
            if name not in ("withClause", "larg", "rarg", "fromClause", "usingClause", "selectStmt")
        ]
        joined = [item.quals for item in joins(getattr(node, "fromClause", None))]
        rows = node.selectStmt and node.selectStmt.valuesLists if is_a(node, ast.InsertStmt) else ()
        for sub in subqueries([*parts, *joined, *(rows or ())]):
            self.read(sub, query, ctes)


def _name(query: Query, alias: str, relation: Relation) -> Relation:
    query.named[alias or f"#{len(query.named)}"] = relation
    return relation


def _is_closed(select: Node) -> bool:
    """Whether what is asked of a sub-query's rows cannot be asked of its tables."""
    return bool(select.limitCount or select.limitOffset or select.distinctClause or select.larg)


def _given(query: Query, inner: Query | None, *, inwards: bool) -> Relation:
    """What a sub-query gives: its bot is that of the table whose bot id it hands on. `inwards`:
    the table's is that which is asked of it."""
    relation = Relation("", False, query)
    for target in (inner and getattr(inner.node, "targetList", None)) or ():
        column = target.val
        if inner and is_a(column, ast.ColumnRef) and not target.name:
            if is_a(column.fields[-1], ast.A_Star):
                source = next((each for each in inner.named.values() if each.has_bot), None)
            else:
                source = inner.find(column)
            if source is not None:
                relation.has_bot = True
                relation.same.append(source)
                if inwards:
                    source.same.append(relation)
    return relation


def _restrict(query: Query, condition: Node, only: Sequence[Relation] | None = None) -> None:
    """Takes note of what must hold. `only`: for whom it does, of an outer join."""
    if is_a(condition, ast.BoolExpr) and condition.boolop == enums.BoolExprType.AND_EXPR:
        for each in condition.args:
            _restrict(query, each, only)
    equals = is_a(condition, ast.A_Expr) and [n.sval for n in condition.name] == ["="]
    if not equals or condition.kind != enums.A_Expr_Kind.AEXPR_OP:
        return
    for one, other in (
        (condition.lexpr, condition.rexpr),
        (condition.rexpr, condition.lexpr),
    ):
        relation = query.find(one) if is_a(one, ast.ColumnRef) else None
        if relation is None or relation.query is not query:
            continue  # a restriction of an outer query's table holds within this one only
        if only is not None and relation not in only:
            continue
        if told := constant(other):
            relation.bots.add(told)
        elif is_a(other, ast.ColumnRef) and (peer := query.find(other)) is not None:
            relation.same.append(peer)
