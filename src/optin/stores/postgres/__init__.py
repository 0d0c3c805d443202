"""The store on PostgreSQL: `ports/store.py` for several nodes."""

from optin.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
