"""Walking through the parse trees of pglast, which gives their nodes no closer types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pglast import ast

#: A place in a tree.
Node: TypeAlias = Any

#: What has tables of its own.
QUERIES = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)


def walk(node: Node) -> Iterator[Node]:
    """The node and all within it."""
    if isinstance(node, tuple | list):
        for each in node:
            yield from walk(each)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from walk(getattr(node, name))


def is_a(node: Node, *kinds: type[Any]) -> bool:
    """Whether the node is one of these."""
    return isinstance(node, kinds)


def every(node: Node, *kinds: type[Any]) -> Iterator[Node]:
    """All such nodes in it."""
    return (each for each in walk(node) if is_a(each, *kinds))


def joins(items: Node) -> Iterator[Node]:
    """The joins among what a query reads from."""
    for item in items or ():
        if is_a(item, ast.JoinExpr):
            yield item
            yield from joins((item.larg, item.rarg))


def subqueries(node: Node) -> Iterator[Node]:
    """The nearest sub-queries, not those within them."""
    if isinstance(node, tuple | list):
        for each in node:
            yield from subqueries(each)
    elif isinstance(node, QUERIES):
        yield node
    elif isinstance(node, ast.Node):
        for name in node:
            yield from subqueries(getattr(node, name))


def constant(node: Node) -> str | None:
    """The parameter or text that it is, if it is one."""
    if is_a(node, ast.TypeCast):
        return constant(node.arg)
    if is_a(node, ast.ParamRef):
        return f"${node.number}"
    if is_a(node, ast.A_Const) and not node.isnull:
        return f"'{node.val.sval}'" if is_a(node.val, ast.String) else None
    return None
