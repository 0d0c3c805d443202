"""The statements in the source: constants of modules, and texts in functions, holes filled.

What is put together otherwise is not found here: that is seen when it is sent (`sent`).
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from optin.stores import postgres

SOURCE = Path(str(postgres.__file__)).parent

_BEGINS = re.compile(
    r"\s*\(?(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|SET|BEGIN|COMMIT|ROLLBACK|LOCK|CREATE|ALTER|DROP"
    r"|TRUNCATE|VACUUM|ANALYZE|COPY|DECLARE|PREPARE|LISTEN|NOTIFY|DO|SAVEPOINT)\s"
)
#: What the server answers a command with.
_TAG = re.compile(r"[A-Z]+( \d+)+")
_HOLE = re.compile(r"\{([^{}]+)\}")
_NAME, _COLUMNS, _ANY = r"\w+", r"[\w., ]+", ".*?"

#: What a hole is filled with to be looked at, and what else may stand in it. A hole that means
#: something else in one function is told of with the function's name before it.
_FILLED: Mapping[str, tuple[str, str]] = {
    "table": ("events", _NAME),
    "table.name": ("events", _NAME),
    "self.name": ("events", _NAME),
    "name": ("events", _NAME),
    "part": ("events_2026_q4", _NAME),
    "beside": ("identities", _NAME),
    "id": ("event_id", _NAME),
    "mark": ("0", _NAME),
    "columns": ("bot_id, event_id", _COLUMNS),
    "self.columns": ("bot_id, event_id", _COLUMNS),
    "', '.join(table.columns)": ("bot_id, event_id", _COLUMNS),
    "', '.join(TABLES)": ("events, identities", _COLUMNS),
    "', '.join(table.key)": ("bot_id, event_id", _COLUMNS),
    "key": ("bot_id, event_id", _COLUMNS),
    "backwards": ("bot_id DESC, event_id DESC", _COLUMNS),
    "behind": ("WHERE (bot_id, event_id) > ($1, $2)", r"(WHERE \([\w, ]+\) > \([$\w, ]+\))?"),
    "page_size(table)": ("100", _NAME),
    "rows": ("($1, $2), ($1, $3)", _ANY),
    "arrays": ("$2::bytea[]", _ANY),
    "receiver": ("''", "(''|receiver)"),
    "same": ("w.host = ''", "(w.host = ''|q.receiver = w.host)"),
    "there": ("q.receiver = ANY($3)", _ANY),
    "until": ("t.created <= $2", _ANY),
    "which": ("seq <= $7", _ANY),
    "named": ("position(who IN t.body) > 0", _ANY),
    "begin": ("00", _NAME),
    "end": ("01", _NAME),
    "bots.step": ("SELECT min(bot_id) FROM events", r"SELECT min\(bot_id\) FROM \w+"),
    "writers.step": ("SELECT min(writer) FROM events WHERE bot_id = $1", _ANY),
    "first": ("SELECT 1", _ANY),
    "_UNHURRIED if limit is None else ''": ("", _ANY),
    "EXCLUSIVE if self.sharded else ''": ("", _ANY),
}


class Constant(NamedTuple):
    """A statement in the source: its file, the name or function that it is in, and the text with
    its holes."""

    file: str
    name: str
    text: str

    @property
    def filled(self) -> str:
        """The text with something in its holes. Raises `KeyError` for one that nothing is told
        of: say in this module what comes there."""
        return _HOLE.sub(lambda hole: _filled(self.name, hole[1])[0], self.text)

    def gives(self, sent: str) -> bool:
        """Whether this is what was sent."""
        parts = _HOLE.split(_spaced(self.text))
        pattern = "".join(
            _filled(self.name, part)[1] if place % 2 else re.escape(part).replace("\\ ", " *")
            for place, part in enumerate(parts)
        )
        return bool(re.fullmatch(pattern, _spaced(sent)))


def _filled(name: str, hole: str) -> tuple[str, str]:
    return _FILLED.get(f"{name}.{hole}") or _FILLED[hole]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def constants(folder: Path = SOURCE) -> list[Constant]:
    """Every statement in the folder's modules."""
    return [each for file in sorted(folder.glob("*.py")) for each in _in_file(file)]


def _in_file(file: Path) -> Iterator[Constant]:
    module = importlib.import_module(f"optin.stores.postgres.{file.stem}")
    for node in ast.parse(file.read_text()).body:
        for name, function in _functions(node):
            for text in _texts(function, vars(module)):
                if _is_statement(name, text):
                    yield Constant(file.name, name, text)
        for name in _bound(node):
            value = getattr(module, name, None)
            if isinstance(value, str) and _is_statement(name, value):
                yield Constant(file.name, name, value)


def _functions(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, node
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            yield from ((f"{node.name}.{name}", part) for name, part in _functions(each))


def _is_statement(name: str, text: str) -> bool:
    """Whether it is one, or begins as one once its holes are filled."""

    def fill(hole: re.Match[str]) -> str:
        return (_FILLED.get(f"{name}.{hole[1]}") or _FILLED.get(hole[1], ("", "")))[0]

    return bool(_BEGINS.match(_HOLE.sub(fill, text) + " ")) and not _TAG.fullmatch(text)


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _texts(node: ast.AST, known: Mapping[str, Any]) -> Iterator[str]:
    """Texts in a function or class, those of its documentation left out."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            continue
        if isinstance(part, ast.JoinedStr):
            yield "".join(_piece(each, known) for each in part.values)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        else:
            yield from _texts(part, known)


def _piece(part: ast.expr, known: Mapping[str, Any]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    if isinstance(part.value, ast.Name) and part.value.id in known:
        return str(known[part.value.id])
    return f"{{{ast.unparse(part.value)}}}"
