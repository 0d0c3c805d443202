"""The embedded store: one SQLite file, several processes on one machine."""

from optin.stores.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
