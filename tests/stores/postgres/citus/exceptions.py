"""What may break a rule, which one, and why. What breaks none any more has no place here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.stores.postgres.citus.constants import Constant, constants
from tests.stores.postgres.citus.rules import broken

_DIRECTORY = ("spans", "the directory lies on the coordinator")
_FINDS = ("spans", "finds due work on all shards; it is taken bot by bot")
_FINDS_FOR_LIVING = ("joins spans", "finds due work; the ids of living bots are sent along")
_PARTS = "lays parts of all bots' ledger, in a DDL transaction that nobody's answer waits for"
_WHOLE = ("spans", "moves a database as a whole, while no service runs on it")
#: Why it may: it is not sent where the tables are distributed.
ONE_SERVER = "sent on one server only"

#: By file and by the constant or function that it is in: the rules that are broken, and why.
EXCEPTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "backlog.py": {"_LENGTHS": ("spans", "counts for those who look after the service")},
    "deployment.py": {
        "_THERE": _DIRECTORY,
        "_TOKENS_OF": _DIRECTORY,
        "_ADD": _DIRECTORY,
        "_END": _DIRECTORY,
    },
    "directory.py": {
        "_TOKEN": ("spans", "a token says whose it is"),
        "_BOTS": _DIRECTORY,
        "_ALL_BOTS": _DIRECTORY,
        "_BOTS_AFTER": _DIRECTORY,
        "_REMOVED_BOTS": _DIRECTORY,
    },
    "imports.py": {"_NEXT": _FINDS_FOR_LIVING},
    "leasing.py": {
        "_LIVING": _DIRECTORY,
        "_OLDEST": _FINDS,
        "_FIND": _FINDS,
        "_BOTS_ON_SHARDS": _FINDS,
        "_RECEIVERS_ON_SHARDS": _FINDS,
        "_TAKE": ("locks spans writes", ONE_SERVER),
        "_BOTS": ("recurses spans", ONE_SERVER),
        "_RECEIVERS": ("recurses spans", ONE_SERVER),
    },
    "ledger_pages.py": {"bots": ("spans", "lists the bots")},
    "partitions.py": {
        "_MOVE": ("selects spans writes", _PARTS),
        "_MOVED": ("spans writes", _PARTS),
        "_USED": ("spans", _PARTS),
    },
    "queues.py": {"_LIVING": _DIRECTORY, "_STALE": _FINDS_FOR_LIVING},
    "reading.py": {"_NOW_AND_STATES": ("tells_time", ONE_SERVER)},
    "whole.py": {
        "PostgresWhole.count": _WHOLE,
        "PostgresWhole.last": _WHOLE,
        "PostgresWhole.page": _WHOLE,
        "PostgresWhole.begin": _WHOLE,
    },
}


def excepted() -> dict[tuple[str, str], frozenset[str]]:
    """The rules that each may break."""
    return {
        (file, name): frozenset(rules.split())
        for file, named in EXCEPTIONS.items()
        for name, (rules, _) in named.items()
    }


def offences(sent: Iterable[str], *, sharded: bool) -> dict[str, frozenset[str]]:
    """The rules that statements break without being excepted. `sharded`: sent where the tables
    are distributed, or where the program was told so."""
    known, found = constants(), dict[str, frozenset[str]]()
    for sql in sent:
        if rules := broken(sql) - _permitted(sql, known, sharded):
            found[sql] = rules
    return found


def _permitted(sql: str, known: Iterable[Constant], sharded: bool) -> frozenset[str]:
    permitted = frozenset[str]()
    for each in known:
        rules, reason = EXCEPTIONS.get(each.file, {}).get(each.name, ("", ""))
        if rules and not (sharded and reason == ONE_SERVER) and each.gives(sql):
            permitted |= frozenset(rules.split())
    return permitted
