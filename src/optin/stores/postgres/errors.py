"""What the driver's and the server's errors mean for the one who waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from optin.domain.errors import StoreUnavailable


class CommitUnknown(Exception):
    """COMMIT was sent, and whether it took effect was not seen or is not certain."""


class Outrun(Exception):
    """A row is not what it was when it was read: the batch reads again."""


class BadData(StoreUnavailable):
    """The database refused what was to be written; the next try would fare no better."""


class SlotLost(Exception):
    """Another process writes under this process's number: a new one must be taken."""


class Redistributed(StoreUnavailable):
    """The tables were distributed since this process opened the database."""

    def __init__(self) -> None:
        super().__init__("The tables were distributed meanwhile: start this process again.")


#: Ways in which a connection is gone, or never was; also what asyncpg raises on a dying one.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that has just become a standby
    asyncpg.TargetServerAttributeNotMatched,  # no primary, for now
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,  # TimeoutError included
    EOFError,
)
#: The server took all of it back: the same again may go through.
ROLLED_BACK = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
    Outrun,
)
#: Somebody else was faster with the same key: what is read next time tells.
TAKEN = (asyncpg.UniqueViolationError,)


def is_bad_data(failed: BaseException) -> bool:
    """Whether a batch failed by what was in it, not by the store's state."""
    return isinstance(
        failed,
        asyncpg.DataError
        | asyncpg.IntegrityConstraintViolationError
        | asyncpg.ProgramLimitExceededError
        | ValueError  # asyncpg's own DataError is one, too
        | TypeError
        | OverflowError,
    )


def is_lost(failed: BaseException) -> bool:
    """Whether the connection is to blame, and another one may do better."""
    return isinstance(failed, LOST) and not is_bad_data(failed)


class SlotHeld(Exception):
    """The one slot that would do is another process's."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns what is not the caller's business into `StoreUnavailable` (R12)."""
    try:
        yield
    except (CommitUnknown, SlotLost, Outrun) as failed:
        raise StoreUnavailable("The database did not say whether it committed.") from failed
    except (asyncpg.PostgresError, *LOST) as failed:
        raise StoreUnavailable(f"The database did not answer: {told(failed)}.") from failed


def told(failed: BaseException) -> str:
    """The first line of what happened; never an address with a password."""
    text = str(failed).strip().partition("\n")[0].rstrip(".")
    return text or type(failed).__name__
