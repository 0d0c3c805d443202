"""The schema's versions: numbered SQL files, each applied once, together with its number."""

from __future__ import annotations

import contextlib
import sqlite3
from importlib.resources import files
from pathlib import Path

from optin.domain.errors import SchemaMismatch, StartupError
from optin.stores.sqlite import entries
from optin.stores.sqlite.connection import connect

#: Marks a file as ours (PRAGMA application_id): "optn".
APPLICATION_ID = 0x6F70746E


def _nothing_more(_: sqlite3.Connection) -> None:
    """Most migrations are SQL alone."""


#: What SQL cannot do, in the same transaction.
_STEPS = {2: entries.chain_what_is_there}


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) of every migration, oldest first."""
    folder = files("optin.stores.sqlite") / "migrations"
    scripts = sorted((f.name, f.read_text()) for f in folder.iterdir() if f.name.endswith(".sql"))
    return [(int(name.split("_")[0]), script) for name, script in scripts]


def newest_version() -> int:
    """The schema version that this program works on."""
    return migrations()[-1][0]


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 if it is empty. Raises if it is not ours or too new."""
    try:
        # One statement, one instant: another process may be making the database just now.
        found, application, tables = connection.execute(
            """SELECT (SELECT user_version FROM pragma_user_version),
             (SELECT application_id FROM pragma_application_id),
             (SELECT count(*) FROM sqlite_schema)"""
        ).fetchone()
    except sqlite3.Error as failed:
        raise StartupError(f"The database {path} cannot be read: {failed}.") from None
    if tables and application != APPLICATION_ID:
        raise StartupError(f"The file {path} is a database of another program.")
    if found > newest_version():
        raise SchemaMismatch(
            f"The database {path} was made by a newer optin (schema {found}); this one knows "
            f"schema {newest_version()}. Start the newer program."
        )
    return int(found)


def migrate(path: Path) -> tuple[int, int]:
    """Brings the file to the newest schema, making it if needed. Returns (before, after).

    Several processes may do this at once: each step checks the version under the write lock.
    """
    with contextlib.suppress(OSError):  # opening it will say what is wrong
        path.touch(mode=0o600)  # a new one is for its owner alone; the log takes after it
    connection = connect(path)
    try:
        before = version(connection, path)
        for number, script in migrations():
            _apply(connection, path, number, script)
        return before, newest_version()
    except sqlite3.Error as failed:
        raise StartupError(f"The database {path} cannot be migrated: {failed}.") from None
    finally:
        connection.close()


def _apply(connection: sqlite3.Connection, path: Path, number: int, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version(connection, path) < number:
            for statement in _statements(script):
                connection.execute(statement)
            _STEPS.get(number, _nothing_more)(connection)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The script's statements: `executescript` would commit before it begins."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


def is_empty(path: Path) -> bool:
    """Whether there is no database yet, or one that holds nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    connection = connect(path, read_only=True)
    try:
        return version(connection, path) == 0
    finally:
        connection.close()
